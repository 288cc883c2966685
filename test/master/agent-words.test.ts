import { expect, test } from 'vitest';
import { AgentWords, type Word } from '../../daemon/service/agent-words.ts';
import type { Decision, Writer } from '../../daemon/service/write.ts';
import type { ConfigHash, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { fakeEngine } from '../fakes/console-master.ts';
import { memoryLog } from '../fakes/services.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

const DOCUMENT =
  'services:\n- {name: a, addr: ":8443", handler: {type: tcp}, listener: {type: tcp}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:80"}]}}\n';

test('a fleet that answers at once is written in a few commits, and each of it is in sync', async () => {
  const m = await MemoryMaster.start();
  const names = Array.from({ length: 300 }, (_, i) => `hk-${i}` as NodeName);
  for (const name of names) await m.join(name);
  await m.create('v1', DOCUMENT);
  await m.publish('v1');
  const before = m.store.snapshot().revision;
  for (const name of names) {
    const hash = m.node(name).target?.hash as ConfigHash;
    m.services.agents.configStatus(name, {
      ...{ status: 'applied', nonce: '01', effectiveHash: hash, warnings: [] },
      engine: fakeEngine({ documentHash: hash }),
    });
  }
  await m.services.settled();
  expect(names.filter((n) => m.node(n).configSync !== 'in_sync')).toEqual([]);
  const view = m.store.snapshot();
  expect(view.revision - before).toBeLessThan(10);
  // What it says in a timeline is said of each.
  const applied = view.list('event').filter((e) => e.text.startsWith('applied v1'));
  expect(new Set(applied.map((e) => e.subject)).size).toBe(names.length);
  expect(new Set(applied.map((e) => e.id)).size).toBe(names.length);
});

test('a publication that overtakes a hello on its way to the disk is offered once, with the hello', async () => {
  const m = await MemoryMaster.start();
  const names = ['hk-1', 'hk-2', 'hk-3'];
  for (const name of names) {
    await m.join(name);
    await m.disconnect(name);
  }
  await m.create('v1', DOCUMENT);
  // The first is being written, the others wait for it.
  const connected = names.map((name) => m.connect(name));
  await Promise.all([...connected, m.publish('v1')]);
  await m.services.settled();
  expect(names.map((name) => [name, m.offers(name).length, m.node(name).configSync])).toEqual(
    names.map((name) => [name, 1, 'applying']),
  );
});

/** Nodes as numbers, in a store whose disk is as slow, or as broken, as the test says. */
function rig(moment?: () => Promise<void>) {
  const values = new Map<string, number>([...'abcdefghijklmnop'].map((n) => [n, 0]));
  const commits: string[][] = [];
  const disk: { refuses: Error | null } = { refuses: null };
  const view = { get: (_: string, name: string) => values.has(name) && { name, n: values.get(name) } };
  const writer = {
    async write(_actor: string, _src: string, decide: (v: unknown, now: number) => Decision<null> | null) {
      const d = decide(view, 0);
      await Promise.resolve();
      if (disk.refuses) throw disk.refuses;
      commits.push((d?.ops ?? []).map((op) => op.key));
      for (const op of d?.ops ?? []) values.set(op.key, (op as unknown as { value: number }).value);
      return { revision: 0, result: null };
    },
  } as unknown as Writer;
  const log = memoryLog();
  const words = new AgentWords({ writer, log, moment });
  const plus = (name: string, n: number, more: readonly string[] = []): Word => ({
    name: name as NodeName,
    what: `+${n}`,
    decide: (node: Node) => ({
      ops: [name, ...more].map((key) => ({
        ...{ op: 'put', kind: 'node', key },
        value: ((node as unknown as { n: number }).n * 10 + n) as never,
      })),
      events: [],
      result: null,
    }),
  });
  return { words, values, commits, disk, log, plus };
}

test('words of one node are decided one after the other, those of others beside them', async () => {
  const { words, values, commits, plus } = rig();
  for (const [name, n] of [
    ['a', 1],
    ['b', 1],
    ['c', 1],
    ['a', 2],
    ['b', 2],
    ['a', 3],
  ] as const)
    words.say(plus(name, n));
  await words.settled();
  expect([...'abc'].map((n) => values.get(n))).toEqual([123, 12, 1]);
  expect(commits).toEqual([['a'], ['b', 'c', 'a'], ['b', 'a']]);
});

test('what changes the same thing as another is decided after it', async () => {
  const { words, commits, plus } = rig();
  words.say(plus('a', 1));
  words.say(plus('b', 2, ['shared']));
  words.say(plus('c', 3, ['shared']));
  await words.settled();
  expect(commits).toEqual([['a'], ['b', 'shared'], ['c', 'shared']]);
});

test('one that cannot be decided, or whose node is gone, takes no other with it', async () => {
  const { words, values, log, plus } = rig();
  const broken: Word = {
    ...plus('b', 1),
    decide: () => {
      throw new Error('no such arrow');
    },
  };
  for (const w of [plus('a', 1), broken, plus('gone', 1), plus('c', 1)]) words.say(w);
  await words.settled();
  expect([...'abc'].map((n) => values.get(n))).toEqual([1, 0, 1]);
  expect(log.lines.filter((l) => l.level === 'error').map((l) => l.fields)).toEqual([
    expect.stringContaining('no such arrow'),
  ]);
});

test('while many speak, what is said within a moment is written with them; a single word waits for nobody', async () => {
  let asked = 0;
  const moments: (() => void)[] = [];
  const { words, commits, plus } = rig(() => {
    asked += 1;
    return new Promise((over) => moments.push(over));
  });
  for (const name of 'abcdefghij') words.say(plus(name, 1));
  await words.settled();
  expect(commits).toEqual([['a'], [...'bcdefghij']]);
  expect(asked).toBe(0);
  for (const name of 'klm') words.say(plus(name, 1));
  expect(asked).toBe(1);
  for (const name of 'nop') words.say(plus(name, 1));
  moments.shift()?.();
  await words.settled();
  expect(commits.slice(2)).toEqual([[...'klmnop']]);
  words.say(plus('a', 2));
  await words.settled();
  expect(commits.slice(3)).toEqual([['a']]);
  expect(asked).toBe(1);
});
