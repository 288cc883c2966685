import { beforeEach, describe, expect, it } from 'vitest';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import { Console, edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

// RegionDown and MasterSuspect as the master says them: in its list, its events and its consoles.

const of = (region: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${region}-${i + 1}`);
const HK = of('hk', 8);
const SG = of('sg', 8);

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
  for (const name of HK) await m.join(name);
  for (const name of SG) await m.join(name, {}, { region: 'sg' });
  await m.create('v1', edgeDocument(8090));
  await m.publish('v1');
  for (const name of [...HK, ...SG]) await m.ack(name, m.node(name).target?.hash as ConfigHash);
});

/** These go silent; the others stay. Until the last of them counts as down, and one tick. */
async function lose(names: readonly string[]): Promise<void> {
  for (const name of names) await m.disconnect(name);
  await m.pass(40, rest(names));
}
const rest = (lost: readonly string[]): string[] => [...HK, ...SG].filter((n) => !lost.includes(n));

/** `rule subject state`, and what holds it back. */
function alerts(master = m): string[] {
  const all = master.services.alerts.list();
  return all
    .map((a) => {
      const by = a.inhibitedBy.map((id) => all.find((x) => x.fingerprint === id)?.rule ?? id);
      return [a.rule, a.labels['node'] ?? a.labels['region'], a.state, ...by].filter((t) => t).join(' ');
    })
    .sort();
}
const events = (master = m): string[] =>
  master.store
    .snapshot()
    .list('event')
    .filter((e) => e.kind === 'alert' && !e.text.startsWith('NodeDown'))
    .map((e) => `${e.level} ${e.subject}: ${e.text}`);

describe('a region', () => {
  const lost = HK.slice(0, 6);

  it('is one notice at once, its nodes are held back by it', async () => {
    await lose(lost);
    expect(alerts()).toEqual([
      ...lost.map((n) => `NodeDown ${n} pending RegionDown`),
      'RegionDown hk firing',
    ]);
    await m.pass(60, rest(lost));
    expect(alerts()).toEqual([...lost.map((n) => `NodeDown ${n} firing RegionDown`), 'RegionDown hk firing']);
    expect(events()).toEqual(['error hk: RegionDown hk firing, 6 of 8 nodes lost']);
    expect(m.services.suspicion()).toBeNull();
  });

  it('resolves a minute after they are back, with one event', async () => {
    await lose(lost);
    for (const n of lost) await m.connect(n);
    await m.pass(60, [...HK, ...SG]);
    expect(alerts()).toContain('RegionDown hk firing');
    await m.pass(1, [...HK, ...SG]);
    expect(alerts()).toContain('RegionDown hk resolved');
    expect(events()).toEqual([
      'error hk: RegionDown hk firing, 6 of 8 nodes lost',
      'info hk: RegionDown hk resolved, 6 of 8 nodes lost',
    ]);
  });

  it('a silence of the region silences it, and its nodes with their own labels', async () => {
    await lose(lost);
    await m.services.silences.create(m.m(), {
      matchers: [{ name: 'region', value: 'hk', isRegex: false, isEqual: true }],
      alert: null,
      startsAt: null,
      endsAt: m.now + 3_600_000,
      comment: 'the provider knows',
    });
    const all = m.services.alerts.list();
    expect(all).toHaveLength(7);
    expect(all.every((a) => a.silencedBy.length === 1)).toBe(true);
  });
});

describe('the master in doubt', () => {
  const lost = [...HK.slice(0, 3), ...SG.slice(0, 3)];

  it('pages by itself, freezes, and holds NodeDown back for three minutes, in the console too', async () => {
    const console = new Console();
    m.watch(console);
    const shown = (): string[] =>
      [...console.state.facts.alert.values()]
        .map((a) => `${a.rule} ${a.state} ${a.inhibitedBy.length}`)
        .sort();
    await lose(lost);
    const value = '6 of 16 nodes lost, in hk and sg';
    expect(m.services.suspicion()).toEqual({ why: `MasterSuspect: ${value}; NodeDown held back` });
    await m.pass(179, rest(lost));
    // Nothing tells an address here: there is nothing to dial.
    expect(m.services.suspicion()).toEqual({
      why: `MasterSuspect: ${value}; none tells an address to dial; NodeDown held back`,
    });
    expect(shown()).toEqual(['MasterSuspect firing 0', ...lost.map(() => 'NodeDown firing 1')]);
    await m.pass(1, rest(lost));
    expect(shown()).toEqual(['MasterSuspect firing 0', ...lost.map(() => 'NodeDown firing 0')]);
    expect(m.services.suspicion()).toBeNull();
    expect(events()).toEqual([`error master: MasterSuspect master firing, ${value}; NodeDown held back`]);
  });

  it('freezes a rollout where it is: nothing is offered until the doubt is over, then it goes on by itself', async () => {
    await m.create('v2', edgeDocument(8091));
    const step = { perRegion: true, pause: null, analysis: false };
    const { rollout } = await m.services.configs.publish(m.m(), {
      label: 'v2',
      target: {},
      dryRun: false,
      strategy: 'standard',
      overrides: {
        steps: [
          { ...step, size: { count: 1 } },
          { ...step, size: { percent: 100 } },
        ],
        minHealthyMs: 90_000,
      },
    });
    if (!rollout) throw new Error('no rollout');
    const state = () => m.services.rollouts.get({ id: rollout.id, targets: 0 }).rollout.state;
    const offered = () =>
      m.said.filter((s) => s.kind === 'offer' && s.offer.version === 'v2' && !first.includes(s.node));
    const first = m.said.flatMap((s) => (s.kind === 'offer' && s.offer.version === 'v2' ? [s.node] : []));
    await m.ackAll();
    const gone = [...HK, ...SG].filter((n) => !first.includes(n));
    const six = [
      ...gone.filter((n) => HK.includes(n)).slice(0, 3),
      ...gone.filter((n) => SG.includes(n)).slice(0, 3),
    ];
    await lose(six);
    await m.pass(1, rest(six));
    expect(state()).toMatchObject({
      kind: 'paused',
      reason: 'master_suspect',
      why: expect.stringContaining('6 of 16 nodes lost, in hk and sg'),
    });
    // Long enough for its step to be over.
    await m.pass(120, rest(six));
    expect(state()).toMatchObject({ kind: 'paused', reason: 'master_suspect' });
    expect(offered()).toEqual([]);
    for (const n of six) await m.connect(n, { effectiveHash: m.node(n).effective?.hash ?? null });
    await m.pass(62, [...HK, ...SG]);
    expect(state().kind).toBe('progressing');
    await m.pass(95, [...HK, ...SG]);
    expect(offered().length).toBeGreaterThan(0);
  });

  it('stays so over its own restart, and pages nobody meanwhile', async () => {
    await lose(lost);
    await m.pass(70, rest(lost));
    const next = await MemoryMaster.start(m.store, m.now + 5_000);
    expect(next.services.suspicion()).not.toBeNull();
    const all = [...lost.map((n) => `NodeDown ${n} firing MasterSuspect`)];
    expect(alerts(next)).toEqual(['MasterSuspect firing', ...all]);
    // Of those that were here, all find back; they were the master's own trouble, and so do the lost.
    for (const n of [...HK, ...SG]) await next.connect(n);
    await next.pass(60, [...HK, ...SG]);
    expect(alerts(next)).toContain('MasterSuspect firing');
    await next.pass(2, [...HK, ...SG]);
    expect(alerts(next)).toEqual(['MasterSuspect resolved', ...lost.map((n) => `NodeDown ${n} resolved`)]);
    expect(next.services.suspicion()).toBeNull();
  });

  it('a master that begins while half of its fleet does not find it doubts itself', async () => {
    const next = await MemoryMaster.start(m.store, m.now + 3_600_000);
    const back = [...HK.slice(4), ...SG.slice(4)];
    for (const n of back) await next.connect(n);
    await next.pass(39, back);
    expect(alerts(next)).toEqual([]);
    await next.pass(1, back);
    expect(alerts(next).filter((a) => !a.startsWith('NodeDown'))).toEqual(['MasterSuspect firing']);
  });

  it('a node that is removed is no more lost', async () => {
    await lose(lost);
    for (const name of lost.slice(0, 2)) await m.services.nodes.remove(m.m(), { name, keep: false });
    await m.pass(62, rest(lost));
    expect(alerts()).toContain('MasterSuspect resolved');
  });
});

it('a large fleet that loses nobody writes nothing, and neither does one whose suspicion stands', async () => {
  await m.pass(5, [...HK, ...SG]);
  const { revision } = m.store.snapshot();
  await m.pass(60, [...HK, ...SG]);
  expect(m.store.snapshot().revision).toBe(revision);
  await lose(HK.slice(0, 6));
  await m.pass(61, rest(HK.slice(0, 6)));
  const standing = m.store.snapshot().revision;
  await m.pass(60, rest(HK.slice(0, 6)));
  expect(m.store.snapshot().revision).toBe(standing);
});
