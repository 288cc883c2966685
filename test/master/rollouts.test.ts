import { beforeEach, describe, expect, it } from 'vitest';
import type { NodeName, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Rollout, StrategyOverrides } from '../../proto/vocab/rollout.ts';
import { latency, reportOf, seeded, sliceOf } from '../fakes/traffic.ts';
import { edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

// A publication and its rollout: who has which version, in every state of it.

let m: MemoryMaster;
const NODES = ['hk-1', 'hk-2', 'hk-3', 'sg-1', 'sg-2'];
const regionOf = (name: string): string => name.slice(0, 2);
beforeEach(async () => {
  m = await MemoryMaster.start();
  for (const n of NODES) await m.join(n, {}, { region: regionOf(n) });
  await m.create('v1', edgeDocument(7001));
  await m.publish('v1');
  await m.ackAll();
  await m.create('v2', edgeDocument(7002));
});

/** One a region, then a person, then all; no gates, and healthy at once. */
const STEPS: StrategyOverrides = {
  steps: [
    { size: { count: 1 }, perRegion: true, pause: 'manual', analysis: false },
    { size: { percent: 100 }, perRegion: true, pause: null, analysis: false },
  ],
  minHealthyMs: 0,
};
const publish = async (
  label: string,
  target = {},
  overrides: StrategyOverrides = STEPS,
): Promise<RolloutId> => {
  const { rollout } = await m.services.configs.publish(m.m(), {
    label,
    target,
    dryRun: false,
    strategy: 'standard',
    overrides,
  });
  if (!rollout) throw new Error('no rollout');
  return rollout.id;
};
const rollout = (id: string): Rollout => m.services.rollouts.get({ id: id as RolloutId, targets: 0 }).rollout;
const stateOf = (id: string): string => rollout(id).state.kind;
const verb = (id: string, what: Parameters<typeof m.services.rollouts.verb>[1]['verb'], over = {}) =>
  m.services.rollouts.verb(m.m(over), { id: id as RolloutId, verb: what, confirmNodes: null });
const wants = () =>
  Object.fromEntries(
    m.store
      .snapshot()
      .list('node')
      .map((n) => [n.name, n.target?.version]),
  );
const all = (label: string, of: readonly string[] = NODES) => Object.fromEntries(of.map((n) => [n, label]));
/** Whoever has an offer applies it, until nobody has. */
const applyAll = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) {
    await m.ackAll();
    await m.pass(1, NODES);
  }
};
const offersOf = (label: string) =>
  m.said.flatMap((s) => (s.kind === 'offer' && s.offer.version === label ? [s.node] : []));

describe('forward', () => {
  it('a step is released and no more; a joiner and a returning node have what stood before', async () => {
    const id = await publish('v2');
    expect(wants()).toEqual({ ...all('v1'), 'hk-1': 'v2', 'sg-1': 'v2' });
    await m.ackAll();
    expect(rollout(id).state).toMatchObject({ kind: 'paused', reason: 'step' });
    await m.disconnect('hk-2');
    await m.connect('hk-2', { effectiveHash: m.node('hk-2').effective?.hash ?? null });
    await m.join('hk-9');
    expect(m.node('hk-2').target?.version).toBe('v1');
    expect(m.node('hk-9').target?.version).toBe('v1');
    await verb(id, 'promote');
    await applyAll();
    expect(stateOf(id)).toBe('succeeded');
    expect(wants()).toEqual({ ...all('v2'), 'hk-9': 'v2' });
    expect(m.store.snapshot().get('version', 'v2')?.publications).toMatchObject([{ rollout: id }]);
    expect(m.store.snapshot().get('version', 'v2')?.publications[0]).not.toHaveProperty('open');
    await m.join('hk-8');
    expect(m.node('hk-8').target?.version).toBe('v2');
  });

  it('every offer of it says how long the agent waits for our word', async () => {
    await publish('v2', {}, { ...STEPS, rollbackMs: 33_000 });
    expect(m.offers('hk-1').at(-1)).toMatchObject({ version: 'v2', rollbackMs: 33_000 });
  });

  it('a node that is away blocks nobody, and catches up once it succeeded', async () => {
    await m.disconnect('hk-2');
    await m.pass(
      60,
      NODES.filter((n) => n !== 'hk-2'),
    );
    const id = await publish('v2');
    await m.ackAll();
    await verb(id, 'promote');
    await applyAll();
    expect(stateOf(id)).toBe('succeeded');
    expect(rollout(id).counts).toMatchObject({ healthy: 4, deferred_offline: 1 });
    await m.connect('hk-2', { effectiveHash: m.node('hk-2').effective?.hash ?? null });
    expect(m.offers('hk-2').at(-1)?.version).toBe('v2');
  });

  it('drift of a released node is repaired with the new version', async () => {
    await publish('v2');
    await m.ackAll();
    const { engine } = m.node('hk-1');
    for (let i = 0; i < 2; i++) {
      m.services.agents.heartbeat('hk-1' as NodeName, 'ok', {
        ...(engine as NonNullable<typeof engine>),
        documentHash: 'ff'.repeat(32) as never,
      });
      await m.services.settled();
    }
    expect(m.node('hk-1')).toMatchObject({ configSync: 'applying', target: { version: 'v2' } });
    expect(offersOf('v2').filter((n) => n === 'hk-1')).toHaveLength(2);
  });
});

describe('back', () => {
  it('a refusal in the first step takes it back everywhere, and it is never offered again', async () => {
    const id = await publish('v2');
    const { hash } = m.node('hk-1').target ?? {};
    await m.ack('sg-1', m.offers('sg-1').at(-1)?.hash as never);
    await m.nack('hk-1', hash as never);
    await applyAll();
    expect(rollout(id).state).toMatchObject({ kind: 'rolled_back' });
    expect(wants()).toEqual(all('v1'));
    expect(m.store.snapshot().get('version', 'v2')?.publications).toMatchObject([{ only: [] }]);
    // What comes and goes, and time, offer it to nobody.
    await m.disconnect('hk-1');
    await m.connect('hk-1', {
      effectiveHash: m.node('hk-1').effective?.hash ?? null,
      rejectedHash: hash ?? null,
    });
    await m.join('hk-9');
    await m.pass(60, [...NODES, 'hk-9']);
    expect(offersOf('v2').sort()).toEqual(['hk-1', 'sg-1']);
    const texts = m.store
      .snapshot()
      .list('event')
      .map((e) => e.text);
    expect(texts).toContainEqual(expect.stringMatching(/^rollout 2: aborts: .*hk-1/));
    expect(texts).toContainEqual(expect.stringMatching(/^rollout 2: rolled back/));
  });

  it('retry asks once more, and once only', async () => {
    const id = await publish('v2', {}, { ...STEPS, abort: { thresholdPct: 100 } });
    const { hash } = m.node('hk-1').target ?? {};
    await m.nack('hk-1', hash as never);
    await m.pass(5, NODES);
    expect(offersOf('v2').filter((n) => n === 'hk-1')).toHaveLength(1);
    await verb(id, 'retry');
    await m.pass(1, NODES);
    const again = m.offers('hk-1').at(-1);
    expect(again).toMatchObject({ version: 'v2', hash });
    expect(again?.retry).toBeGreaterThan(0);
    await m.nack('hk-1', hash as never);
    await m.pass(30, NODES);
    expect(offersOf('v2').filter((n) => n === 'hk-1')).toHaveLength(2);
  });

  it('an abort by a person is on record with its reason, and takes back who was released', async () => {
    const id = await publish('v2');
    await m.ackAll();
    await expect(verb(id, 'abort', { ifRevision: 1 })).rejects.toMatchObject({ code: 'conflict' });
    await verb(id, 'abort', { reason: 'hk is slow' });
    await applyAll();
    expect(rollout(id).state).toEqual({ kind: 'rolled_back', why: 'lin(1000) aborted it: hk is slow' });
    expect(wants()).toEqual(all('v1'));
    const { records } = await m.services.audit.list(m.m().caller, { limit: 1, before: null });
    expect(records[0]).toMatchObject({
      action: 'rollout.abort',
      subject: id,
      outcome: 'ok',
      reason: 'hk is slow',
    });
  });

  it('undo of one that succeeded is a new version with the old content, by a rollout that says so', async () => {
    const id = await publish('v2');
    await m.ackAll();
    await verb(id, 'promote');
    await applyAll();
    const { rollout: back } = await verb(id, 'undo');
    expect(back).toMatchObject({ reverts: id, version: 'v3' });
    await applyAll();
    expect(stateOf(back.id)).toBe('succeeded');
    expect(wants()).toEqual(all('v3'));
    expect(m.store.snapshot().get('version', 'v3')).toMatchObject({ rollbackOf: 'v1' });
    // The fleet revert does not take back what takes back.
    await expect(m.services.rollouts.previewRevert()).rejects.toMatchObject({ code: 'precondition' });
  });

  it('the fleet revert takes back the newest, and its preview is what happens', async () => {
    await publish('v2');
    await m.ackAll();
    const p = await m.services.rollouts.previewRevert();
    expect(p).toMatchObject({
      by: 'abort',
      toLabel: 'v1',
      newLabel: null,
      nodes: ['hk-1', 'sg-1'],
      regions: [
        { region: 'hk', nodes: 1, streams: 0 },
        { region: 'sg', nodes: 1, streams: 0 },
      ],
    });
    const { rollout: r } = await m.services.rollouts.revertLast(m.m({ reason: '' }), { confirmNodes: 2 });
    await applyAll();
    expect(stateOf(r.id)).toBe('rolled_back');
    expect(wants()).toEqual(all('v1'));
  });

  it('a node whose first version is taken back keeps what it runs', async () => {
    m = await MemoryMaster.start();
    for (const n of ['hk-1', 'hk-2']) await m.join(n);
    await m.create('v2', edgeDocument(7002));
    const id = await publish('v2');
    await m.ackAll();
    await verb(id, 'abort');
    await m.pass(3, ['hk-1', 'hk-2']);
    expect(stateOf(id)).toBe('rolled_back');
    expect(m.node('hk-1')).toMatchObject({
      target: null,
      configSync: 'unknown',
      effective: { version: 'v2' },
    });
    expect(m.services.rollouts.get({ id, targets: 1 }).targets).toMatchObject([
      {
        node: 'hk-1',
        state: 'reverted',
        why: expect.stringContaining('nothing stood there before') as string,
      },
    ]);
  });
});

describe('one after the other', () => {
  it('a publication to the same nodes stops the one before where it is', async () => {
    const first = await publish('v2');
    await m.ackAll();
    await m.create('v3', edgeDocument(7003));
    const preview = await m.services.configs.previewPublish(m.m().caller, {
      label: 'v3',
      target: { regions: ['hk'] },
      strategy: 'standard',
      overrides: STEPS,
    });
    expect(preview.plan).toMatchObject({
      steps: [{ targets: 1 }, { targets: 3 }],
      supersedes: [
        {
          id: first,
          version: 'v2',
          step: 0,
          steps: 2,
          regions: [
            { region: 'hk', released: 1, targets: 3 },
            { region: 'sg', released: 1, targets: 2 },
          ],
        },
      ],
    });
    const second = await publish('v3', { regions: ['hk'] });
    expect(rollout(first).state).toEqual({ kind: 'superseded', by: second });
    // sg-1 keeps it, sg-2 never gets it, and a joiner has what stood before both.
    expect(m.store.snapshot().get('version', 'v2')?.publications).toMatchObject([{ only: ['hk-1', 'sg-1'] }]);
    await m.ackAll();
    await verb(second, 'promote');
    await applyAll();
    await m.join('sg-9', {}, { region: 'sg' });
    expect(wants()).toEqual({ ...all('v3'), 'sg-1': 'v2', 'sg-2': 'v1', 'sg-9': 'v1' });
  });

  it('two rollouts of other nodes go side by side, and the same version twice as well', async () => {
    const hk = await publish('v2', { regions: ['hk'] });
    const sg = await publish('v2', { regions: ['sg'] });
    expect([stateOf(hk), stateOf(sg)]).toEqual(['progressing', 'progressing']);
    await m.ackAll();
    for (const id of [hk, sg]) await verb(id, 'promote');
    await applyAll();
    expect([stateOf(hk), stateOf(sg)]).toEqual(['succeeded', 'succeeded']);
    expect(wants()).toEqual(all('v2'));
  });

  it('a repeated request gets the first answer, and there is one rollout', async () => {
    const once = m.m();
    const args = { label: 'v2', target: {}, dryRun: false, strategy: 'standard', overrides: STEPS };
    const a = await m.services.configs.publish(once, args);
    const b = await m.services.configs.publish(once, args);
    expect(b.rollout?.id).toBe(a.rollout?.id);
    expect(m.services.rollouts.list({ limit: 10, before: null }).rollouts.map((r) => r.version)).toEqual([
      'v2',
      'v1',
    ]);
    await expect(m.services.configs.publish(m.m(), { ...args, strategy: 'yolo' })).rejects.toMatchObject({
      code: 'invalid',
    });
  });
});

describe('gates', () => {
  const GATED: StrategyOverrides = {
    steps: [
      { size: { count: 1 }, perRegion: true, pause: null, analysis: true },
      { size: { percent: 100 }, perRegion: true, pause: null, analysis: false },
    ],
    minHealthyMs: 0,
    gates: { readings: 2, intervalMs: 10_000, windowMs: 60_000, minSamples: 100 },
  };
  /** Ten seconds, of a hundred streams a node; those on v2 answer so many times later. */
  const carry = async (slower: number): Promise<void> => {
    const random = seeded(m.now);
    for (const n of NODES) {
      const times = m.node(n).effective?.version === 'v2' ? slower : 1;
      const ttft = Array.from({ length: 100 }, () => latency(random, 420 * times, 0.3));
      m.services.agents.metrics(n as NodeName, reportOf([sliceOf('chat', { ttft, gap: ttft })], 10_000));
    }
    await m.pass(10, NODES);
  };

  it('pass where the new version is as the old one: the next step begins by itself', async () => {
    const id = await publish('v2', {}, GATED);
    await m.ackAll();
    for (let i = 0; i < 8 && rollout(id).step === 0; i++) await carry(1);
    expect(rollout(id)).toMatchObject({ step: 1, state: { kind: 'progressing' } });
    await applyAll();
    expect(stateOf(id)).toBe('succeeded');
  });

  it('fail where it answers later: it goes back everywhere, and the rest never saw it', async () => {
    const id = await publish('v2', {}, GATED);
    await m.ackAll();
    for (let i = 0; i < 8 && stateOf(id) === 'progressing'; i++) await carry(2);
    await applyAll();
    expect(rollout(id).state).toMatchObject({
      kind: 'rolled_back',
      why: expect.stringMatching(/TTFT/i) as string,
    });
    expect(wants()).toEqual(all('v1'));
    expect(offersOf('v2').sort()).toEqual(['hk-1', 'sg-1']);
  });

  it('without traffic it pauses and asks a person, and is never promoted by itself', async () => {
    const id = await publish('v2', {}, GATED);
    await m.ackAll();
    await m.pass(120, NODES);
    expect(rollout(id).state).toMatchObject({ kind: 'paused', reason: 'inconclusive' });
    expect(wants()).toEqual({ ...all('v1'), 'hk-1': 'v2', 'sg-1': 'v2' });
  });
});

describe('a master that begins anew', () => {
  /** The same store under another master; agents come back with what they run. */
  const restart = async (): Promise<void> => {
    const runs = new Map(NODES.map((n) => [n, m.node(n)]));
    m = await MemoryMaster.start(m.store, m.now);
    for (const n of NODES) {
      const was = runs.get(n);
      await m.connect(n, {
        effectiveHash: was?.effective?.hash ?? null,
        rejectedHash: was?.rejectedHash ?? null,
      });
    }
  };

  it('at any point: what was released stays so, what was not is not, and it is carried to its end', async () => {
    const id = await publish('v2');
    await restart();
    expect(wants()).toEqual({ ...all('v1'), 'hk-1': 'v2', 'sg-1': 'v2' });
    await m.ackAll();
    await m.pass(2, NODES);
    await restart();
    expect(rollout(id).state).toMatchObject({ kind: 'paused', reason: 'step' });
    await verb(id, 'promote');
    await restart();
    await applyAll();
    expect(stateOf(id)).toBe('succeeded');
    expect(wants()).toEqual(all('v2'));
  });

  it('in the middle of taking back', async () => {
    const id = await publish('v2');
    await m.ackAll();
    await verb(id, 'abort');
    await restart();
    await applyAll();
    expect(stateOf(id)).toBe('rolled_back');
    expect(wants()).toEqual(all('v1'));
  });
});

describe('what is kept', () => {
  it('ids count up, and the list has pages', async () => {
    const id = await publish('v2');
    await m.ackAll();
    await verb(id, 'abort');
    await applyAll();
    const page = m.services.rollouts.list({ limit: 1, before: null });
    expect(page.rollouts.map((r) => r.id)).toEqual([id]);
    expect(m.services.rollouts.list({ limit: 5, before: page.next }).rollouts.map((r) => r.id)).toEqual([
      '1',
    ]);
    expect(m.services.rollouts.list({ limit: 5, before: null, open: true }).rollouts).toEqual([]);
    expect(await publish('v2')).toBe('3');
  });

  it('targets of what is long over are forgotten, and the rollout after them', async () => {
    const id = await publish('v2');
    await m.ackAll();
    await verb(id, 'promote');
    await applyAll();
    m.now += 40 * 86_400_000;
    await m.pass(61);
    expect(m.store.snapshot().count('target')).toBe(0);
    expect(m.services.rollouts.list({ limit: 9, before: null }).rollouts).toHaveLength(2);
    m.now += 100 * 86_400_000;
    await m.pass(61);
    expect(m.store.snapshot().count('rollout')).toBe(0);
    expect(wants()).toEqual(all('v2'));
    await m.create('v3', edgeDocument(7003));
    expect(await publish('v3' as VersionLabel)).toBe('3');
  });
});

it('a rollout of hundreds is looked at as time passes, not again for each node that answers', async () => {
  const many = Array.from({ length: 501 }, (_, i) => `us-${i}`);
  for (const n of many) await m.join(n, {}, { region: 'us' });
  const id = await publish(
    'v2',
    { regions: ['us'] },
    { ...STEPS, maxParallel: 1000, steps: STEPS.steps?.slice(1) ?? [] },
  );
  const looks = (): number => rollout(id).modRevision;
  const begun = looks();
  for (const n of many) await m.ack(n, m.offers(n).at(-1)?.hash as never);
  expect(looks()).toBe(begun);
  expect(rollout(id).counts).toMatchObject({ offered: 501 });
  await m.pass(2, [...NODES, ...many]);
  expect(stateOf(id)).toBe('succeeded');
  expect(rollout(id).counts).toMatchObject({ healthy: 501 });
});
