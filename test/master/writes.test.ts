import { beforeEach, describe, expect, it } from 'vitest';
import { Console, edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});
const args = (comment: string) => ({
  matchers: [{ name: 'node', value: 'hk-1', isRegex: false, isEqual: true }],
  alert: null,
  startsAt: null,
  endsAt: m.now + 60_000,
  comment,
});

describe('a request id', () => {
  it('gets the first answer again, and nothing happens twice', async () => {
    const mutation = m.m();
    const first = await m.services.silences.create(mutation, args('a'));
    const second = await m.services.silences.create(mutation, args('a'));
    expect(second).toEqual(first);
    expect(m.services.silences.list()).toHaveLength(1);
  });

  it('of a rollback, too, after the master began anew', async () => {
    await m.join('hk-1');
    for (const [i, label] of ['v1', 'v2'].entries()) {
      await m.create(label, edgeDocument(7001 + i));
      await m.publish(label);
      await m.ack('hk-1', m.offers('hk-1')[i]?.hash as never);
    }
    const mutation = m.m();
    const what = { label: 'v2', target: {}, confirmNodes: 1 };
    const first = await m.services.configs.rollback(mutation, what);
    const { revision } = m.store.snapshot();
    const next = await MemoryMaster.start(m.store, m.now + 60_000);
    const second = await next.services.configs.rollback(mutation, what);
    expect(second).toMatchObject({ revision: first.revision, nodes: ['hk-1'], version: { label: 'v3' } });
    // But for the word that the master began.
    expect(m.store.snapshot().revision).toBe(revision + 1);
  });

  it('used for something else is a conflict', async () => {
    const mutation = m.m();
    await m.services.silences.create(mutation, args('a'));
    await expect(m.services.silences.create(mutation, args('b'))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('asked twice at once is answered twice and done once', async () => {
    const mutation = m.m();
    const release = m.store.hold();
    const both = Promise.all([1, 2].map(() => m.services.silences.create(mutation, args('a'))));
    release();
    const [a, b] = await both;
    expect(a).toEqual(b);
    expect(m.services.silences.list()).toHaveLength(1);
  });
});

it('if_revision: what has changed since it was looked at is not changed', async () => {
  await m.create('v1', edgeDocument(7001));
  const [v1] = m.services.configs.list();
  const at = m.m({ ifRevision: v1?.modRevision ?? 0 });
  await m.services.configs.publish(at, { label: 'v1', target: {}, dryRun: false });
  await expect(
    m.services.configs.publish({ ...at, requestId: 'other' }, { label: 'v1', target: {}, dryRun: false }),
  ).rejects.toMatchObject({ code: 'conflict' });
});

describe('the disk', () => {
  it('nothing is acknowledged, shown or done before it is there', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    const console = new Console();
    m.watch(console);
    const seen = console.events.length;
    const release = m.store.hold();
    let acknowledged = false;
    const publishing = m.publish('v1').then(() => {
      acknowledged = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(acknowledged).toBe(false);
    expect(m.offers('hk-1')).toEqual([]);
    expect(console.events).toHaveLength(seen);
    expect(m.services.nodes.list().nodes[0]?.target).toBeNull();
    release();
    await publishing;
    expect(m.offers('hk-1')).toHaveLength(1);
    expect(console.events.length).toBeGreaterThan(seen);
  });

  it('that refuses: refused, nothing published, and on it goes when it takes writes again', async () => {
    await m.join('hk-1');
    const console = new Console();
    m.watch(console);
    const before = console.facts();
    m.store.fail('no space left on device');
    await expect(m.services.silences.create(m.m(), args('a'))).rejects.toMatchObject({ code: 'unavailable' });
    await m.pass(3, ['hk-1']);
    expect(console.facts()).toEqual(before);
    expect(console.state.figures?.degraded).toMatch(/no space/);
    m.store.fail(null);
    await m.services.silences.create(m.m(), args('a'));
    await m.pass(1, ['hk-1']);
    expect(console.state.facts.silence.size).toBe(1);
    expect(console.state.figures?.degraded).toBeNull();
  });

  it('what an agent said while it refused is taken in afterwards', async () => {
    await m.join('hk-1');
    await m.create('v1', edgeDocument(7001));
    await m.publish('v1');
    m.store.fail('EIO');
    await m.nack('hk-1', m.offers('hk-1')[0]?.hash as never);
    expect(m.node('hk-1').configSync).toBe('applying');
    m.store.fail(null);
    await m.pass(1, ['hk-1']);
    expect(m.node('hk-1')).toMatchObject({ configSync: 'failed', failure: { phase: 'prepare' } });
    expect(m.offers('hk-1')).toHaveLength(1);
  });
});

it('retention: requests a day, tokens and commands a week, events thirty days', async () => {
  await m.enrol('hk-1');
  await m.services.silences.create(m.m(), args('a'));
  const counts = () => {
    const s = m.store.snapshot();
    return { request: s.count('request'), token: s.count('token'), event: s.count('event') };
  };
  expect(counts()).toMatchObject({ request: 2, token: 1 });
  m.now += 86_400_000 + 1;
  await m.pass(60, ['hk-1']);
  expect(counts()).toMatchObject({ request: 0, token: 1 });
  m.now += 6 * 86_400_000;
  await m.pass(60, ['hk-1']);
  expect(counts()).toMatchObject({ token: 0 });
  const kept = counts().event;
  expect(kept).toBeGreaterThan(0);
  m.now += 23 * 86_400_000;
  await m.pass(60, ['hk-1']);
  expect(counts().event).toBeLessThan(kept);
});
