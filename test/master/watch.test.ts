import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { Console, edgeDocument, MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});
const silence = async (comment = 'x'): Promise<void> => {
  await m.services.silences.create(m.m(), {
    matchers: [{ name: 'node', value: 'hk-1', isRegex: false, isEqual: true }],
    alert: null,
    startsAt: null,
    endsAt: m.now + 3_600_000,
    comment,
  });
};
/** It knows what a console that has just come is told; of events perhaps more: those are cut to the newest. */
const expectToKnowAll = (c: Console): void => {
  const other = new Console();
  m.watch(other).close();
  const { event, ...facts } = other.facts();
  expect(c.facts()).toMatchObject({ event: event ?? {} });
  const { event: _, ...known } = c.facts();
  expect(known).toEqual(facts);
  expect(c.state.revision).toBe(m.store.snapshot().revision);
};

describe('a watcher', () => {
  it('gets the whole state, then every commit under its own revision', async () => {
    await m.join('hk-1');
    const c = new Console();
    m.watch(c);
    expect(c.kinds().slice(0, 3)).toEqual(['begin', 'part', 'end']);
    const from = c.state.revision;
    await silence();
    await silence();
    const changes = c.events.flatMap((e) => (e.kind === 'change' ? [e] : []));
    expect(changes.map((e) => [e.revision, e.conflated])).toEqual([
      [from + 1, false],
      [from + 2, false],
    ]);
    expectToKnowAll(c);
  });

  it('that comes back gets what it missed, not the state again', async () => {
    await m.join('hk-1');
    const c = new Console();
    const first = m.watch(c);
    first.close();
    await silence();
    await m.join('hk-2');
    const seen = c.events.length;
    m.watch(c, { sinceRevision: c.state.revision, storeId: m.store.id });
    expect(c.kinds().slice(seen, seen + 2)).toEqual(['resumed', 'change']);
    expectToKnowAll(c);
    await silence();
    expect(c.state.stream.kind).toBe('following');
    expectToKnowAll(c);
  });

  it.each([
    ['of another store', { storeId: 'other', ahead: 0 }],
    ['from a future that was lost', { storeId: 'memory', ahead: 5 }],
  ])('with a revision %s reads anew', (_, { storeId, ahead }) => {
    const c = new Console();
    m.watch(c, { sinceRevision: m.store.snapshot().revision + ahead, storeId });
    expect(c.kinds().slice(0, 2)).toEqual(['compacted', 'begin']);
    expectToKnowAll(c);
  });

  it('from before the master began, with nothing kept of that, reads anew', async () => {
    await m.join('hk-1');
    const since = m.store.snapshot().revision - 2;
    const next = await MemoryMaster.start(m.store, m.now);
    const c = new Console();
    next.watch(c, { sinceRevision: since, storeId: m.store.id });
    expect(c.kinds().slice(0, 2)).toEqual(['compacted', 'begin']);
  });

  it('that comes back to a new master learns what time has done to silences meanwhile', async () => {
    await m.join('hk-1');
    await m.disconnect('hk-1');
    await m.pass(101);
    await silence();
    const c = new Console();
    m.watch(c);
    expect([...c.state.facts.alert.values()].map((a) => a.silencedBy)).toEqual([['S-1']]);
    const since = c.state.revision;
    const next = await MemoryMaster.start(m.store, m.now + 86_400_000);
    next.watch(c, { sinceRevision: since, storeId: m.store.id });
    expect(c.kinds()).toContain('resumed');
    expect([...c.state.facts.alert.values()].map((a) => a.silencedBy)).toEqual([[]]);
  });

  it('that is slow gets in one change what it missed, and the newest figures only', async () => {
    await m.join('hk-1');
    const c = new Console();
    const w = m.watch(c);
    c.room = 1;
    await silence('1');
    const seen = c.events.length;
    await silence('2');
    await silence('3');
    await m.pass(3, ['hk-1']);
    expect(c.events).toHaveLength(seen);
    c.room = Number.POSITIVE_INFINITY;
    w.drained();
    const late = c.events.slice(seen);
    expect(late.filter((e) => e.kind === 'change')).toMatchObject([{ conflated: true }]);
    expect(late.filter((e) => e.kind === 'vitals').length).toBeLessThanOrEqual(1);
    expectToKnowAll(c);
  });

  it('that takes nothing for half a minute is ended, in words; others are not', async () => {
    await m.join('hk-1');
    const slow = new Console();
    const quick = new Console();
    m.watch(slow);
    m.watch(quick);
    slow.room = 1;
    await m.pass(32, ['hk-1']);
    expect(slow.ended).toMatch(/slow/);
    expect(quick.ended).toBeNull();
  });

  it('reads anew what would be too large for one message', async () => {
    const c = new Console();
    const w = m.watch(c);
    c.room = 1;
    for (let i = 0; i < 300; i++) await silence(`${i}`);
    c.room = Number.POSITIVE_INFINITY;
    const seen = c.events.length;
    w.drained();
    expect(c.kinds().slice(seen)).toContain('begin');
    for (const e of c.events) expect(JSON.stringify(e).length).toBeLessThan(250 * 1024);
    expectToKnowAll(c);
    await silence();
    expectToKnowAll(c);
  });

  it('hears when the master stops', async () => {
    const c = new Console();
    m.watch(c);
    await m.services.stop();
    expect(c.ended).toMatch(/stopping/);
  });
});

describe('what somebody looks at', () => {
  it('reports each second, also when it comes later, until nobody does', async () => {
    await m.join('hk-1');
    const [a, b] = [m.watch(new Console()), m.watch(new Console())];
    const hk1 = ['hk-1'] as NodeName[];
    m.services.watch.look(a.watchId, hk1);
    m.services.watch.look(b.watchId, hk1);
    m.services.watch.look(a.watchId, []);
    await m.disconnect('hk-1');
    await m.connect('hk-1');
    b.close();
    const told = m.said.flatMap((s) => (s.kind === 'interval' ? [s.ms] : []));
    expect(told).toEqual([1000, 1000, 10_000]);
  });

  it('is nobody’s business of a watch that is not there', () => {
    m.services.watch.look('gone', ['hk-1'] as NodeName[]);
    expect(m.said).toEqual([]);
  });
});

describe('vitals', () => {
  it('say each second what time decides, under no revision', async () => {
    await m.join('hk-1');
    const c = new Console();
    m.watch(c);
    const { revision } = c.state;
    await m.pass(1, ['hk-1']);
    expect(c.state.vitals.get('hk-1')).toMatchObject({ status: 'initializing', lastSeen: m.now });
    await m.pass(19);
    expect(c.state.vitals.get('hk-1')?.status).toBe('initializing');
    await m.pass(1);
    expect(c.state.vitals.get('hk-1')?.status).toBe('disconnected');
    expect(c.state.revision).toBe(revision);
  });

  it('say of all edges, then of each region’s nodes by type', async () => {
    await m.join('hk-1');
    const c = new Console();
    m.watch(c);
    await m.pass(1, ['hk-1']);
    const last = c.events.findLast((e) => e.kind === 'vitals');
    const unknown = { streams: 0, rps: null, ttft95Ms: null, errPct: null };
    expect(last?.regions).toMatchObject([
      { region: null, nodeType: 'edge', ...unknown },
      { region: 'hk', nodeType: 'edge', ...unknown },
    ]);
  });
});

type Step =
  | { readonly do: 'silence' | 'join' | 'leave' | 'create' | 'publish' | 'expire' | 'restart' | 'resume' }
  | { readonly do: 'pass'; readonly seconds: number }
  | { readonly do: 'room'; readonly room: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('silence', 'join', 'leave', 'create', 'publish', 'expire', 'restart', 'resume'),
  }) as fc.Arbitrary<Step>,
  fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 45 }) }),
  fc.record({ do: fc.constant('room' as const), room: fc.integer({ min: 1, max: 4 }) }),
);

it('whatever happens, and however slowly it reads: once drained, a console knows what the store holds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      m = await MemoryMaster.start();
      const c = new Console();
      let w = m.watch(c);
      let n = 0;
      const resume = (): void => {
        const at = c.state.stream.kind === 'following' ? c.state.revision : null;
        w = m.watch(c, { sinceRevision: at, storeId: at === null ? null : m.store.id });
      };
      const node = (): string | undefined => m.store.snapshot().list('node').at(-1)?.name;
      const act = async (s: Step): Promise<void> => {
        n += 1;
        const name = node();
        if (s.do === 'silence') await silence(`${n}`);
        else if (s.do === 'join') await m.join(`hk-${n}`);
        else if (s.do === 'leave' && name) await m.disconnect(name);
        else if (s.do === 'create') await m.create(`v${n}`, edgeDocument(7000 + n));
        else if (s.do === 'publish') {
          const label = m.services.configs.list().at(-1)?.label;
          if (label) await m.publish(label);
        } else if (s.do === 'expire') {
          const id = m.services.silences.list().at(-1)?.id;
          if (id) await m.services.silences.expire(m.m(), id).catch(() => {});
        } else if (s.do === 'pass') await m.pass(s.seconds);
        else if (s.do === 'room') c.room = s.room;
        else if (s.do === 'resume') {
          w.close();
          c.room = Number.POSITIVE_INFINITY;
          resume();
        } else if (s.do === 'restart') {
          w.close();
          m = await MemoryMaster.start(m.store, m.now);
          c.room = Number.POSITIVE_INFINITY;
          resume();
        }
      };
      for (const s of steps) {
        await act(s);
        if (c.ended !== null) {
          c.ended = null;
          c.room = Number.POSITIVE_INFINITY;
          resume();
        }
      }
      c.room = Number.POSITIVE_INFINITY;
      w.drained();
      // The start of a silence by time is told by the next tick.
      await m.pass(1);
      expect(c.state.stream.kind).toBe('following');
      expectToKnowAll(c);
    }),
    { numRuns: 150 },
  );
});
