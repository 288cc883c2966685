import { beforeEach, describe, expect, it } from 'vitest';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import { Console, MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
  for (const name of ['hk-1', 'hk-2', 'hk-3']) await m.join(name);
});
const is = (name: string, value: string): Matcher => ({ name, value, isRegex: false, isEqual: true });
const alerts = () => m.services.alerts.list().map((a) => `${a.labels['node']} ${a.state}`);
const silence = (matchers: Matcher[], over: { startsAt?: number; endsAt?: number } = {}) =>
  m.services.silences.create(m.m(), {
    matchers,
    alert: null,
    startsAt: null,
    endsAt: m.now + 3_600_000,
    comment: 'known',
    ...over,
  });

describe('NodeDown', () => {
  it('pending after four silent intervals, firing a minute later, resolved when it is back', async () => {
    await m.disconnect('hk-1');
    const rest = ['hk-2', 'hk-3'];
    await m.pass(39, rest);
    expect(alerts()).toEqual([]);
    await m.pass(1, rest);
    expect(alerts()).toEqual(['hk-1 pending']);
    await m.pass(59, rest);
    expect(alerts()).toEqual(['hk-1 pending']);
    await m.pass(1, rest);
    expect(alerts()).toEqual(['hk-1 firing']);
    await m.connect('hk-1');
    await m.pass(1, rest);
    expect(alerts()).toEqual(['hk-1 resolved']);
  });

  it('a label that changes while it fires leaves no second alert behind', async () => {
    await m.disconnect('hk-1');
    await m.pass(101, ['hk-2', 'hk-3']);
    await m.connect('hk-1', { labels: { rack: 'b7' } });
    await m.pass(1, ['hk-2', 'hk-3']);
    expect(alerts()).toEqual(['hk-1 resolved']);
  });

  it('a master that begins anew neither fires nor resolves before nodes had the time to come back', async () => {
    await m.disconnect('hk-1');
    await m.pass(101, ['hk-2', 'hk-3']);
    const next = await MemoryMaster.start(m.store, m.now + 3_600_000);
    await next.pass(39);
    const states = () => next.services.alerts.list().map((a) => `${a.labels['node']} ${a.state}`);
    expect(states()).toEqual(['hk-1 firing']);
    expect(next.services.nodes.list().vitals.map((v) => v.status)).toEqual(['unknown', 'unknown', 'unknown']);
    await next.connect('hk-1');
    await next.pass(1);
    expect(states()).toEqual(['hk-1 resolved', 'hk-2 pending', 'hk-3 pending']);
  });

  it('a master that was stopped itself holds it against nobody', async () => {
    await m.disconnect('hk-1');
    await m.pass(35, ['hk-2', 'hk-3']);
    m.now += 3_600_000;
    m.services.tick();
    await m.services.settled();
    expect(m.services.nodes.list().vitals.map((v) => v.status)).toEqual(['unknown', 'unknown', 'unknown']);
    await m.pass(39, ['hk-2']);
    expect(alerts()).toEqual([]);
    await m.pass(1, ['hk-2']);
    expect(alerts()).toEqual(['hk-1 pending', 'hk-3 pending']);
  });

  it('a heartbeat never touches the disk', async () => {
    await m.pass(2, ['hk-1', 'hk-2', 'hk-3']);
    const { revision } = m.store.snapshot();
    for (let i = 0; i < 50; i++) m.heartbeat('hk-1');
    await m.pass(30, ['hk-1', 'hk-2', 'hk-3']);
    expect(m.store.snapshot().revision).toBe(revision);
  });
});

describe('silences', () => {
  beforeEach(async () => {
    await m.disconnect('hk-1');
    await m.disconnect('hk-2');
    await m.pass(101, ['hk-3']);
  });

  it.each<[string, Matcher[]]>([
    ['one node', [is('node', 'hk-1')]],
    ['a regex', [{ name: 'node', value: 'hk-(1|2)', isRegex: true, isEqual: true }]],
    ['a rule of the others', [is('alertname', 'NodeDown'), { ...is('node', 'hk-1'), isEqual: false }]],
    ['nothing that fires', [is('node', 'hk-3')]],
  ])('the preview of %s is what it then silences', async (_, matchers) => {
    const p = m.services.silences.preview(matchers);
    const { silence: made } = await silence(matchers);
    const by = (silenced: boolean) =>
      m.services.alerts
        .list()
        .filter((a) => a.silencedBy.includes(made.id) === silenced)
        .map((a) => a.fingerprint);
    expect(by(true)).toEqual(p.wouldSilence.map((a) => a.fingerprint));
    expect(by(false)).toEqual(p.wouldNotSilence.map((a) => a.fingerprint));
  });

  it('asks twice over half the fleet', () => {
    const of = (value: string) =>
      m.services.silences.preview([{ name: 'node', value, isRegex: true, isEqual: true }]);
    expect(of('hk-1')).toMatchObject({ nodes: ['hk-1'], totalNodes: 3, asksTwice: false });
    expect(of('hk-(1|2)')).toMatchObject({ asksTwice: true });
  });

  it('by an alert: its exact labels', async () => {
    const [first, second] = m.services.alerts.list();
    if (!first || !second) throw new Error('no alerts');
    const args = {
      matchers: [],
      alert: first.fingerprint,
      startsAt: null,
      endsAt: m.now + 60_000,
      comment: '',
    };
    const { silence: made } = await m.services.silences.create(m.m(), args);
    expect(made.matchers.map((x) => x.name)).toEqual(['alertname', 'node', 'region', 'type']);
    expect(m.services.alerts.list().map((a) => a.silencedBy)).toEqual([[made.id], []]);
  });

  it('a console sees it begin and end by time alone', async () => {
    const console = new Console();
    m.watch(console);
    const shown = () => [...console.state.facts.alert.values()].map((a) => a.silencedBy.length);
    await silence([is('node', 'hk-1')], { startsAt: m.now + 5000, endsAt: m.now + 10_000 });
    expect(shown()).toEqual([0, 0]);
    await m.pass(5, ['hk-3']);
    expect(shown()).toEqual([1, 0]);
    await m.pass(5, ['hk-3']);
    expect(shown()).toEqual([0, 0]);
  });

  it('ended by hand it is over at once, and said once', async () => {
    const { silence: made } = await silence([is('node', 'hk-1')]);
    await m.services.silences.expire(m.m(), made.id);
    await m.pass(3, ['hk-3']);
    expect(m.services.alerts.list().flatMap((a) => a.silencedBy)).toEqual([]);
    const said = m.store
      .snapshot()
      .list('event')
      .filter((e) => e.subject === made.id);
    expect(said).toHaveLength(2);
  });
});
