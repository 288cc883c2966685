import { beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../proto/vocab/can.ts';
import { COMMAND_TYPES, type CommandResult, type CommandState } from '../../proto/vocab/command.ts';
import type { CommandId, NodeName } from '../../proto/vocab/ids.ts';
import type { LogLine } from '../../proto/vocab/metrics.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});

type RunArgs = Parameters<MemoryMaster['services']['commands']['run']>[1];
const run = (over: Partial<RunArgs> = {}) =>
  m.services.commands.run(m.m(), {
    type: 'reload',
    target: {},
    timeoutMs: null,
    expiresMs: null,
    dryRun: false,
    maxParallel: null,
    options: {},
    ...over,
  });
const said = (id: CommandId, state: CommandState): CommandResult => ({
  commandId: id,
  state,
  exitCode: 0,
  outputTail: '',
  before: null,
  after: null,
  unchanged: false,
  tookMs: 1,
  streamsKept: 0,
});
const answer = (name: string, id: CommandId, state: CommandState = 'succeeded') =>
  m.result(name, said(id, state));
const part = (id: CommandId, name: string) => m.services.commands.get(id).results[name as NodeName];
const sentTo = (id: CommandId): string[] =>
  m.said.flatMap((s) => (s.kind === 'command' && s.id === id ? [s.node] : []));

describe('what is asked for', () => {
  it('is refused where it makes no sense, before anybody is told', async () => {
    await m.join('hk-1');
    await expect(run({ type: 'probe' })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(run({ type: 'upgrade' })).rejects.toMatchObject({ code: 'unsupported' });
    await expect(run({ options: { lines: 3 } })).rejects.toThrow(/reload takes no option lines/);
    await expect(run({ type: 'logs', options: { lines: 1001 } })).rejects.toThrow(/1 to 1000/);
    await expect(run({ type: 'drain', options: { service: '' } })).rejects.toThrow(/no service's name/);
    await expect(run({ type: 'drain', options: { deadlineMs: -1 } })).rejects.toThrow(/deadline/);
    await expect(run({ type: 'restart', options: { hard: true, deadlineMs: 1 } })).rejects.toThrow(/hard/);
    await expect(run({ maxParallel: 0 })).rejects.toThrow(/at a time/);
    expect(m.store.snapshot().count('command')).toBe(0);
  });

  it('needs the right of that very command', async () => {
    await m.join('hk-1');
    const viewer = { actor: 'v', role: 'viewer', source: 'unix' } as const;
    const key = { actor: 'k', role: 'operator', source: 'x', scopes: ['command.status'] } as const;
    for (const type of COMMAND_TYPES.filter((t) => t !== 'probe' && t !== 'upgrade')) {
      for (const dryRun of [true, false]) {
        const args = {
          type,
          target: {},
          timeoutMs: null,
          expiresMs: null,
          maxParallel: null,
          options: {},
          dryRun,
        };
        const as = (caller: Caller) => m.services.commands.run(m.m({ caller }), args);
        await expect(as(viewer)).rejects.toMatchObject({ code: 'forbidden' });
        if (type === 'status') await as(key);
        else await expect(as(key)).rejects.toMatchObject({ code: 'forbidden' });
      }
    }
  });

  it('goes with its options to the nodes a target names: by name, region, type, label', async () => {
    await m.join('hk-1', { tier: 'a' });
    await m.join('hk-2', { tier: 'b' });
    const { command } = await run({
      type: 'drain',
      target: { labels: { tier: 'b' } },
      options: { deadlineMs: 5 },
    });
    expect(Object.keys(command.results)).toEqual(['hk-2']);
    expect(m.services.commands.get(command.id)).toMatchObject({ type: 'drain', options: { deadlineMs: 5 } });
    expect((await run({ target: { regions: ['hk'] }, dryRun: true })).nodes).toEqual(['hk-1', 'hk-2']);
    expect((await run({ target: { nodeType: 'edge' }, dryRun: true })).nodes).toEqual(['hk-1', 'hk-2']);
    await expect(run({ target: { nodeType: 'core' } })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('a dry run says who would be hit, and who of them is not here', async () => {
    await m.join('hk-1');
    await m.enrol('hk-2');
    expect(await run({ dryRun: true })).toMatchObject({ nodes: ['hk-1', 'hk-2'], offline: ['hk-2'] });
    expect(m.store.snapshot().count('command')).toBe(0);
  });
});

describe('so many at a time', () => {
  const names = ['hk-1', 'hk-2', 'hk-3', 'hk-4', 'hk-5'];
  beforeEach(async () => {
    for (const n of names) await m.join(n);
  });

  it('the next is sent as one has answered, whatever it answered', async () => {
    const { command } = await run({ maxParallel: 2 });
    expect(sentTo(command.id)).toEqual(['hk-1', 'hk-2']);
    await answer('hk-1', command.id, 'running');
    expect(sentTo(command.id)).toHaveLength(2);
    await answer('hk-1', command.id);
    expect(sentTo(command.id)).toEqual(['hk-1', 'hk-2', 'hk-3']);
    await answer('hk-2', command.id, 'failed');
    await answer('hk-3', command.id);
    expect(sentTo(command.id)).toEqual(names);
    for (const n of ['hk-4', 'hk-5']) await answer(n, command.id);
    expect(m.services.commands.get(command.id).state).toBe('partial');
  });

  it('one that is away holds nobody up, and has its turn when it comes', async () => {
    await m.disconnect('hk-1');
    const { command, offline } = await run({ maxParallel: 1 });
    expect(offline).toEqual(['hk-1']);
    expect(sentTo(command.id)).toEqual(['hk-2']);
    await m.connect('hk-1');
    expect(sentTo(command.id)).toEqual(['hk-2']);
    await answer('hk-2', command.id);
    expect(sentTo(command.id)).toEqual(['hk-2', 'hk-1']);
  });

  it('one that may have it keeps its place while it is away, and frees it when it times out', async () => {
    const { command } = await run({ maxParallel: 1 });
    await answer('hk-1', command.id, 'running');
    await m.disconnect('hk-1');
    await m.pass(34);
    expect(sentTo(command.id)).toEqual(['hk-1']);
    await m.pass(2);
    expect(part(command.id, 'hk-1')?.state).toBe('timed_out');
    expect(sentTo(command.id)).toEqual(['hk-1', 'hk-2']);
  });

  it('a node is sent thirty-two at once, and the rest in their order as it answers', async () => {
    const ids: CommandId[] = [];
    for (let i = 0; i < 40; i++)
      ids.push((await run({ target: { nodes: ['hk-1' as NodeName] } })).command.id);
    expect(m.commands('hk-1')).toEqual(ids.slice(0, 32));
    await m.disconnect('hk-1');
    await m.connect('hk-1');
    expect(m.commands('hk-1')).toEqual([...ids.slice(0, 32), ...ids.slice(0, 32)]);
    for (const id of ids.slice(0, 8)) await answer('hk-1', id);
    expect(m.commands('hk-1').slice(64)).toEqual(ids.slice(32));
  });
});

describe('taken back', () => {
  it('who has not got it will not; who has is told, and its answer counts', async () => {
    for (const n of ['hk-1', 'hk-2', 'hk-3']) await m.join(n);
    await m.disconnect('hk-3');
    const { command } = await run({ maxParallel: 1 });
    const { command: after } = await m.services.commands.cancel(m.m(), command.id);
    expect(after.results).toMatchObject({
      'hk-1': { state: 'queued' },
      'hk-2': { state: 'cancelled' },
      'hk-3': { state: 'cancelled' },
    });
    expect(m.said.filter((s) => s.kind === 'cancel')).toEqual([
      { kind: 'cancel', node: 'hk-1', id: command.id },
    ]);
    await m.connect('hk-3');
    // It is told again when it comes, and never begun by us again.
    await m.connect('hk-1');
    expect(sentTo(command.id)).toEqual(['hk-1']);
    expect(m.said.filter((s) => s.kind === 'cancel')).toHaveLength(2);
    await answer('hk-1', command.id, 'succeeded');
    expect(m.services.commands.get(command.id).state).toBe('partial');
  });

  it('all of it before anybody had it is cancelled; what is over cannot be', async () => {
    await m.enrol('hk-1');
    const { command } = await run();
    expect((await m.services.commands.cancel(m.m(), command.id)).command.state).toBe('cancelled');
    await expect(m.services.commands.cancel(m.m(), command.id)).rejects.toMatchObject({
      code: 'precondition',
    });
    await expect(m.services.commands.cancel(m.m(), 'none' as CommandId)).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('at another revision it is a conflict', async () => {
    await m.enrol('hk-1');
    const { command } = await run();
    const stale = m.m({ ifRevision: command.modRevision - 1 });
    await expect(m.services.commands.cancel(stale, command.id)).rejects.toMatchObject({ code: 'conflict' });
    expect(
      (await m.services.commands.cancel(m.m({ ifRevision: command.modRevision }), command.id)).command.state,
    ).toBe('cancelled');
  });
});

it('commands are listed newest first, in pages, by state and type', async () => {
  await m.join('hk-1');
  const ids: CommandId[] = [];
  for (const type of ['reload', 'status', 'reload', 'status'] as const)
    ids.push((await run({ type })).command.id);
  await answer('hk-1', ids[0] as CommandId);
  const list = (over: Partial<Parameters<typeof m.services.commands.list>[0]> = {}) =>
    m.services.commands.list({ limit: 10, before: null, ...over });
  const first = list({ limit: 3 });
  expect(first.commands.map((c) => c.id)).toEqual(ids.slice(1).reverse());
  const rest = list({ limit: 3, before: first.next });
  expect(rest.commands.map((c) => c.id)).toEqual([ids[0]]);
  expect(rest.next).toBeNull();
  expect(list({ state: 'succeeded' }).commands.map((c) => c.id)).toEqual([ids[0]]);
  expect(list({ type: 'status' }).commands.map((c) => c.id)).toEqual([ids[3], ids[1]]);
  expect(() => list({ before: 'gone' })).toThrow(/begin anew/);
});

describe('a node', () => {
  it('that is removed in the middle ends its part, makes room for the next, and is out at once', async () => {
    await m.join('hk-1');
    await m.join('hk-2');
    const { command } = await run({ maxParallel: 1 });
    await m.services.nodes.remove(m.m(), { name: 'hk-1', keep: false });
    expect(part(command.id, 'hk-1')).toMatchObject({ state: 'failed', exitCode: 1 });
    expect(part(command.id, 'hk-1')?.outputTail).toMatch(/removed by lin.*not known/);
    expect(sentTo(command.id)).toEqual(['hk-1', 'hk-2']);
    expect(m.said).toContainEqual({
      kind: 'end',
      node: 'hk-1',
      reason: 'the certificate of hk-1 is revoked',
    });
    expect(m.store.snapshot().get('node', 'hk-1')).toBeUndefined();
  });

  it('that was removed may not come back with its certificate, nor after it was joined anew', async () => {
    await m.enrol('hk-1');
    const admit = (serial: string) => m.services.enrolment.admit('hk-1' as NodeName, serial);
    const old = m.node('hk-1').certificate?.serial ?? '';
    const renewed = (await m.services.enrolment.renew('hk-1' as NodeName, new Uint8Array())).serial;
    await m.services.nodes.remove(m.m(), { name: 'hk-1', keep: false });
    expect([old, renewed].map(admit)).toEqual(['revoked', 'revoked']);
    await expect(m.services.enrolment.renew('hk-1' as NodeName, new Uint8Array())).rejects.toMatchObject({
      code: 'forbidden',
    });
    await m.enrol('hk-1');
    expect([old, renewed].map(admit)).toEqual(['replaced', 'replaced']);
    expect(admit(m.node('hk-1').certificate?.serial ?? '')).toBe('ok');
  });

  it.each([true, false])('that is removed is no alert any more, kept or not (%s)', async (keep) => {
    await m.join('hk-1');
    await m.disconnect('hk-1');
    await m.pass(120);
    expect(m.services.alerts.list().map((a) => a.state)).toEqual(['firing']);
    await m.services.nodes.remove(m.m(), { name: 'hk-1', keep });
    await m.pass(120);
    expect(m.services.alerts.list()).toEqual([]);
  });

  it('what is remembered of a removed one is forgotten once none of its certificates may even renew', async () => {
    await m.enrol('hk-1');
    await m.services.nodes.remove(m.m(), { name: 'hk-1', keep: false });
    const day = 86_400;
    m.now += 36 * day * 1000;
    await m.pass(120);
    expect(m.store.snapshot().count('removed')).toBe(1);
    m.now += day * 1000;
    await m.pass(120);
    expect(m.store.snapshot().count('removed')).toBe(0);
  });

  it('that is kept is shown as revoked; a fresh token joins it anew', async () => {
    await m.join('hk-1');
    const serial = m.node('hk-1').certificate?.serial ?? '';
    await m.services.nodes.remove(m.m(), { name: 'hk-1', keep: true });
    expect(m.node('hk-1').identity).toBe('revoked');
    expect(m.services.enrolment.admit('hk-1' as NodeName, serial)).toBe('revoked');
    await expect(run()).rejects.toMatchObject({ code: 'not_found' });
    await m.enrol('hk-1');
    expect(m.node('hk-1').identity).toBe('accepted');
    expect(m.services.enrolment.admit('hk-1' as NodeName, serial)).toBe('replaced');
  });

  it('is changed: labels set and taken away over its agent’s own, at the revision that was seen', async () => {
    await m.join('hk-1', { rack: '7', tier: 'a' });
    const { modRevision } = m.node('hk-1');
    const update = (args: object, ifRevision: number | null = null) =>
      m.services.nodes.update(m.m({ ifRevision }), { name: 'hk-1', ...args });
    await expect(update({ eligibility: 'ineligible' }, modRevision - 1)).rejects.toMatchObject({
      code: 'conflict',
    });
    const { node } = await update(
      { labels: { tier: null, canary: 'yes' }, eligibility: 'ineligible' },
      modRevision,
    );
    expect(node).toMatchObject({ labels: { rack: '7', canary: 'yes' }, eligibility: 'ineligible' });
    await m.connect('hk-1', { labels: { rack: '8', tier: 'a' } });
    expect(m.node('hk-1').labels).toEqual({ rack: '8', canary: 'yes' });
    await expect(update({})).rejects.toThrow(/nothing to change/);
    await expect(update({ labels: { 'a b': 'x' } })).rejects.toThrow(/label/);
    await expect(update({ labels: { a: '' } })).rejects.toThrow(/not a value/);
    await expect(update({ name: 'us-9', labels: { a: 'b' } })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('whose labels change is aimed at by other configs, and offered them', async () => {
    const doc = (port: number) => `\
services:
- name: chat
  addr: "127.0.0.1:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}
`;
    await m.join('hk-1');
    await m.create('v1', doc(8001));
    await m.create('v2', doc(8002));
    await m.publish('v1');
    await m.publish('v2', { labels: { canary: 'yes' } });
    expect(m.node('hk-1').target?.version).toBe('v1');
    await m.services.nodes.update(m.m(), { name: 'hk-1', labels: { canary: 'yes' } });
    expect(m.node('hk-1').target?.version).toBe('v2');
    expect(m.offers('hk-1').map((o) => o.version)).toEqual(['v1', 'v2']);
  });

  it('says what it drains: axis in its facts, counts on its page, and nothing is written for a count', async () => {
    await m.join('hk-1');
    const drain = (streams: number) => ({
      service: null,
      streams,
      oldestMs: 9000,
      deadline: m.now,
      etaMs: null,
    });
    const stands = async (streams: number, stopped = false) => {
      m.services.agents.standing('hk-1' as NodeName, { stopped, drains: [drain(streams)] });
      await m.services.settled();
    };
    await stands(3);
    expect(m.node('hk-1').drain).toBe('draining');
    const { revision } = m.services.nodes.list();
    await stands(2);
    expect(m.services.nodes.list().revision).toBe(revision);
    expect(m.services.nodes.detail('hk-1').drains).toEqual([drain(2)]);
    await stands(0, true);
    expect(m.node('hk-1')).toMatchObject({ drain: 'drained', stopped: true });
    await m.disconnect('hk-1');
    expect(m.services.nodes.detail('hk-1').drains).toEqual([]);
    m.services.agents.standing('hk-1' as NodeName, { stopped: false, drains: [] });
    await m.services.settled();
    expect(m.node('hk-1').drain).toBe('none');
    expect(m.node('hk-1').stopped).toBeUndefined();
  });
});

describe('join tokens', () => {
  it('are listed without a secret, and one that is taken back is good for nothing', async () => {
    const token = await m.token({ name: 'hk-1' });
    const { caller } = m.m();
    const [view] = m.services.enrolment.listTokens(caller);
    expect(view).toMatchObject({
      id: token.tokenId,
      name: 'hk-1',
      replace: false,
      usedAt: null,
      revokedAt: null,
    });
    expect(JSON.stringify(view)).not.toContain('ecret');
    await m.services.enrolment.revokeToken(m.m(), token.tokenId);
    const args = { ...token, csrDer: new Uint8Array(), nodeType: 'edge', region: 'hk', name: 'hk-1' };
    await expect(
      m.services.enrolment.enrol({ ...args, labels: {}, agentVersion: '0', remote: 't' }),
    ).rejects.toThrow(/taken back/);
    await expect(m.services.enrolment.revokeToken(m.m(), 'none')).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(() => m.services.enrolment.listTokens({ ...caller, role: 'operator' })).toThrow(
      /may not token.list/,
    );
  });

  it('that are used cannot be taken back; one that replaces needs a node', async () => {
    await m.enrol('hk-1');
    const [used] = m.services.enrolment.listTokens(m.m().caller);
    await expect(m.services.enrolment.revokeToken(m.m(), used?.id ?? '')).rejects.toMatchObject({
      code: 'precondition',
    });
    await expect(m.token({ replace: true })).rejects.toThrow(/needs its name/);
    await expect(m.token({ name: 'hk-9', replace: true })).rejects.toMatchObject({ code: 'not_found' });
    await m.token({ name: 'hk-1', replace: true });
  });
});

describe('a followed log', () => {
  const line = (text: string): LogLine => ({ at: 1, level: 'info', text });
  const follow = (room = Number.POSITIVE_INFINITY, maxMs = 60_000) => {
    const got = { lines: [] as string[], ended: [] as string[] };
    const handle = m.services.commands.followLogs(
      m.m().caller,
      { node: 'hk-1', lines: 10, maxMs },
      {
        line: (l) => {
          got.lines.push(l.text);
          return got.lines.length < room;
        },
        end: (reason) => got.ended.push(reason),
      },
    );
    const last = m.said.findLast((s) => s.kind === 'follow');
    return { ...got, close: handle.close, id: last?.kind === 'follow' ? last.id : '' };
  };
  const say = (followId: string, lines: string[], over: { dropped?: number; ended?: string | null } = {}) =>
    m.services.agents.logLines('hk-1' as NodeName, {
      followId,
      lines: lines.map(line),
      dropped: over.dropped ?? 0,
      ended: over.ended ?? null,
    });
  const quiet = (id: string) => m.said.filter((s) => s.kind === 'unfollow' && s.id === id).length;
  beforeEach(() => m.join('hk-1'));

  it('comes line by line, made safe, with what was left out said, until the node ends it', () => {
    const f = follow();
    say(f.id, ['a\u001b[2Jb']);
    say(f.id, ['c'], { dropped: 7 });
    say(f.id, [], { ended: 'its time is over' });
    expect(f.lines).toEqual(['a\\u{1b}[2Jb', expect.stringMatching(/7 lines are left out/), 'c']);
    expect(f.ended).toEqual(['its time is over']);
    say(f.id, ['late']);
    expect(f.lines).toHaveLength(3);
    expect(quiet(f.id)).toBe(1);
  });

  it('ends for who reads too slowly, for who leaves, by time, and with the node', async () => {
    const slow = follow(2);
    say(slow.id, ['1', '2', '3']);
    expect(slow.lines).toEqual(['1', '2']);
    expect(slow.ended[0]).toMatch(/too slow/);
    const left = follow();
    left.close();
    const timed = follow(undefined, 2000);
    await m.pass(3);
    expect(timed.ended).toEqual(['its time is over']);
    expect([slow, left, timed].map((f) => quiet(f.id))).toEqual([1, 1, 1]);
    const lost = follow();
    await m.disconnect('hk-1');
    expect(lost.ended[0]).toMatch(/not connected any more/);
    expect(() => follow()).toThrow(/not connected/);
  });

  it('is four at a time of one node, and 10,000 lines', () => {
    const many = [follow(), follow(), follow(), follow()];
    expect(() => follow()).toThrow(/too many/);
    const f = many[0];
    if (!f) throw new Error('none');
    const lines = Array.from({ length: 100 }, (_, i) => `${i}`);
    for (let i = 0; i < 101; i++) say(f.id, lines);
    expect(f.lines).toHaveLength(10_000);
    expect(f.ended[0]).toMatch(/10000 lines/);
  });
});

it('what a large fleet says of one command is written once a second, and all of it counts', async () => {
  const names = Array.from({ length: 200 }, (_, i) => `n-${i}`);
  for (const n of names) await m.join(n);
  const { command } = await run();
  const { revision } = m.services.nodes.list();
  for (const state of ['running', 'succeeded'] as const) {
    for (const n of names) m.services.agents.commandStatus(n as NodeName, said(command.id, state));
  }
  await m.services.settled();
  expect(m.services.nodes.list().revision).toBe(revision);
  await m.pass(1);
  expect(m.services.nodes.list().revision).toBe(revision + 1);
  expect(m.services.commands.get(command.id)).toMatchObject({ state: 'succeeded', endedAt: m.now });
});
