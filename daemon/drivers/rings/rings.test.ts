import { describe, expect, it } from 'vitest';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { Histogram, type MetricsReport, type ServiceSlice } from '../../../proto/vocab/metrics.ts';
import { createRings } from './rings.ts';

const HK1 = 'hk-1' as NodeName;
const HK2 = 'hk-2' as NodeName;
const HK = { region: 'hk', nodeType: 'edge' as const };
const BEGAN = Date.UTC(2026, 10, 24, 3, 0, 0);
const times = (n: number, ms: number) => {
  const h = new Histogram();
  for (let i = 0; i < n; i++) h.observe(ms);
  return h.toSparse();
};
const slice = (over: Partial<ServiceSlice>): ServiceSlice => ({
  service: 'chat',
  streams: 0,
  opened: 0,
  closed: 0,
  errors: 0,
  abortedClient: 0,
  abortedOrigin: 0,
  abortedTunnel: 0,
  bytesIn: 0,
  bytesOut: 0,
  requests: 0,
  connect: times(0, 0),
  ttft: times(0, 0),
  gap: times(0, 0),
  ...over,
});
const report = (services: readonly ServiceSlice[], sliceMs = 1000): MetricsReport => ({
  engineInstance: 'e',
  from: BEGAN,
  sliceMs,
  services,
  host: { cpuPct: 12, memPct: 34, openFiles: null, diskFreeBytes: null },
  log: [],
});
const near = (got: number | null | undefined, wanted: number): void => {
  // A bucket is 19 % wide.
  expect(Math.abs((got ?? Number.NaN) - wanted) / wanted).toBeLessThan(0.2);
};

describe('figures of a node', () => {
  it('are nothing before there is a report, and nothing again after a silent minute', () => {
    const rings = createRings();
    expect(rings.figures(HK1, BEGAN)).toBeNull();
    rings.take(HK1, report([slice({ streams: 3 })]), BEGAN);
    expect(rings.figures(HK1, BEGAN)).toMatchObject({ streams: 3, cpuPct: 12, memPct: 34 });
    expect(rings.figures(HK1, BEGAN + 61_000)).toBeNull();
  });

  it('nothing asked is no percentage and no quantile, rather than 0', () => {
    const rings = createRings();
    rings.take(HK1, report([slice({})]), BEGAN);
    const none = { errPct: null, abortedPct: null, ttft95Ms: null, p99Ms: null, gap99Ms: null, rps: 0 };
    expect(rings.figures(HK1, BEGAN)).toMatchObject(none);
  });

  it('a TTFT that becomes slower shows within ten seconds of reports each second, and goes as fast', () => {
    const rings = createRings();
    let at = BEGAN;
    const run = (seconds: number, ms: number): void => {
      for (let i = 0; i < seconds; i++) {
        at += 1000;
        rings.take(HK1, report([slice({ requests: 2, ttft: times(2, ms) })]), at);
      }
    };
    run(60, 200);
    near(rings.figures(HK1, at)?.ttft95Ms, 200);
    expect(rings.figures(HK1, at)?.rps).toBeCloseTo(2, 1);
    run(3, 500);
    near(rings.figures(HK1, at)?.ttft95Ms, 500);
    run(10, 200);
    near(rings.figures(HK1, at)?.ttft95Ms, 200);
  });

  it('reports every ten seconds are read over three of them', () => {
    const rings = createRings();
    for (let i = 0; i < 4; i++) {
      const ttft = times(5, i === 0 ? 4000 : 100);
      rings.take(HK1, report([slice({ requests: 5, ttft })], 10_000), BEGAN + i * 10_000);
    }
    near(rings.figures(HK1, BEGAN + 30_000)?.ttft95Ms, 100);
    expect(rings.figures(HK1, BEGAN + 30_000)?.rps).toBeCloseTo(0.5, 2);
  });

  it('what the client broke off is no fault here', () => {
    const rings = createRings();
    const broken = { requests: 98, errors: 2, abortedClient: 40, abortedOrigin: 1, abortedTunnel: 1 };
    rings.take(HK1, report([slice(broken)]), BEGAN);
    expect(rings.figures(HK1, BEGAN)).toMatchObject({ errPct: 2, abortedPct: 2 });
  });
});

it('services are kept apart', () => {
  const rings = createRings();
  const a = slice({ service: 'svc-a', streams: 2, requests: 9, ttft: times(9, 800) });
  const b = slice({ service: 'svc-b', streams: 1, requests: 9, ttft: times(9, 100) });
  rings.take(HK1, report([a, b]), BEGAN);
  const [first, second] = rings.services(HK1, BEGAN);
  expect([first?.service, first?.streams, second?.service]).toEqual(['svc-a', 2, 'svc-b']);
  near(first?.ttft95Ms, 800);
  near(second?.ttft95Ms, 100);
});

it('the fleet’s percentile is of all samples, never of percentiles', () => {
  const rings = createRings();
  rings.take(HK1, report([slice({ streams: 1, requests: 990, ttft: times(990, 100) })]), BEGAN);
  rings.take(HK2, report([slice({ streams: 2, requests: 10, ttft: times(10, 10_000) })]), BEGAN);
  const merged = rings.merged([HK1, HK2], BEGAN);
  expect(merged.streams).toBe(3);
  near(merged.ttft95Ms, 100);
  near(rings.figures(HK2, BEGAN)?.ttft95Ms, 10_000);
  expect(rings.merged([], BEGAN)).toMatchObject({ streams: 0, rps: null, ttft95Ms: null, errPct: null });
});

describe('the last hour', () => {
  it('has a value a minute, and a gap where nothing came', () => {
    const rings = createRings();
    const minute = (i: number): number => BEGAN + i * 60_000;
    for (const i of [0, 1, 3]) {
      const s = slice({ requests: 60, errors: 6, connect: times(60, 10 * (i + 1)), ttft: times(60, 100) });
      rings.take(HK1, report([s]), minute(i) + 5000);
    }
    const series = Object.fromEntries(rings.series(HK1, minute(3) + 6000).map((s) => [s.name, s.values]));
    const p99 = series['p99'] ?? [];
    expect(p99).toHaveLength(60);
    near(p99.at(-1), 40);
    expect(p99.at(-2)).toBeNaN();
    near(p99.at(-3), 20);
    expect(series['rps']?.at(-1)).toBe(1);
    expect(
      rings
        .figures(HK1, minute(3) + 6000)
        ?.p99Minutes.slice(-3)
        .map((x) => x === null),
    ).toEqual([false, true, false]);
  });

  it('forgets what is older, and what it is told to forget', () => {
    const rings = createRings();
    rings.take(HK1, report([slice({ connect: times(1, 9) })]), BEGAN);
    const later = (minutes: number) =>
      rings.series(HK1, BEGAN + minutes * 60_000).flatMap((s) => s.values.filter((v) => !Number.isNaN(v)));
    expect(later(59).length).toBeGreaterThan(0);
    expect(later(60)).toEqual([]);
    rings.forget(HK1);
    expect(later(0)).toEqual([]);
  });
});

it('of the log the newest lines are kept', () => {
  const rings = createRings();
  const lines = Array.from({ length: 900 }, (_, i) => ({ at: i, level: 'info' as const, text: `${i}` }));
  rings.addLog(HK1, lines);
  expect(rings.log(HK1, 3).map((l) => l.text)).toEqual(['897', '898', '899']);
  expect(rings.log(HK1, 10_000).length).toBeLessThan(900);
});

describe('what happened between two moments', () => {
  const filled = () => {
    const rings = createRings();
    // Ten minutes of reports every ten seconds; each minute is as slow as its number.
    for (let at = BEGAN + 10_000; at <= BEGAN + 600_000; at += 10_000) {
      const minute = Math.floor((at - 1 - BEGAN) / 60_000);
      const told = { requests: 9, errors: 1, abortedClient: 5, abortedOrigin: 1, abortedTunnel: 2 };
      const slow = times(9, 100 * (minute + 1));
      rings.take(HK1, report([slice({ ...told, ttft: slow, gap: times(90, 20) })], 10_000), at);
    }
    return rings;
  };
  const minute = (n: number): number => BEGAN + n * 60_000;

  it('counts each report once, the client’s own leaving not at all', () => {
    expect(filled().window(HK1, minute(7), minute(10))).toMatchObject({
      requests: 162,
      errors: 18,
      aborted: 54,
    });
  });

  it('is of whole reports: one that began before is left out', () => {
    const rings = filled();
    expect(rings.window(HK1, minute(10) - 10_000, minute(10))?.requests).toBe(9);
    expect(rings.window(HK1, minute(10) - 19_999, minute(10))?.requests).toBe(9);
    expect(rings.window(HK1, minute(10) - 20_000, minute(10))?.requests).toBe(18);
    expect(rings.window(HK1, minute(10) - 5000, minute(10))).toBeNull();
  });

  it('before the last minutes it is of whole minutes, and none is counted twice', () => {
    const w = filled().window(HK1, minute(0), minute(10));
    // A minute in which reports are still apart is not told as a minute: what came before them in it is left out.
    expect(w?.requests).toBeGreaterThan(9 * 54);
    expect(w?.requests).toBeLessThanOrEqual(9 * 60);
  });

  it('has histograms that can be merged with other nodes’', () => {
    const ttft = new Histogram();
    const w = filled().window(HK1, minute(9), minute(10));
    if (w) ttft.merge(w.ttft);
    expect(ttft.total).toBe(54);
    near(ttft.quantile(0.95), 1000);
  });

  it('nothing known is null, nothing asked is zero', () => {
    const rings = filled();
    expect(rings.window(HK2, minute(0), minute(10))).toBeNull();
    expect(rings.window(HK1, minute(20), minute(30))).toBeNull();
    rings.take(HK2, report([slice({})], 10_000), minute(10));
    expect(rings.window(HK2, minute(0), minute(10))).toMatchObject({ requests: 0, errors: 0, aborted: 0 });
  });
});

describe('figures of a region', () => {
  const groups = (...names: NodeName[]) => [{ region: 'hk', nodeType: 'edge' as const, names }];

  it('are of all samples of its nodes, live ones', () => {
    const rings = createRings();
    const fast = slice({ streams: 1, requests: 990, ttft: times(990, 100), gap: times(10, 20) });
    rings.take(HK1, report([fast]), BEGAN, HK);
    const slow = { streams: 2, requests: 10, errors: 10, abortedOrigin: 5, ttft: times(10, 10_000) };
    rings.take(HK2, report([slice({ ...slow, connect: times(4, 40) })]), BEGAN, HK);
    const [both] = rings.regions(groups(HK1, HK2), BEGAN);
    expect(both).toMatchObject({ region: 'hk', nodeType: 'edge', streams: 3 });
    near(both?.ttft95Ms, 100);
    near(both?.gap99Ms, 20);
    near(both?.p99Ms, 40);
    expect(both?.errPct).toBeCloseTo(100 * (10 / 1010), 5);
    expect(both?.abortedPct).toBeCloseTo(100 * (5 / 1010), 5);
    const gone = rings.regions(groups(HK1, HK2), BEGAN + 61_000)[0];
    expect(gone).toMatchObject({ streams: 0, rps: null, ttft50Ms: null, ttft95Ms: null, errPct: null });
  });

  it('have the last half hour by the minute, also of a minute in which a node was there that has gone since', () => {
    const rings = createRings();
    const at = (m: number): number => BEGAN + m * 60_000 + 5000;
    rings.take(HK1, report([slice({ ttft: times(10, 100) })]), at(0), HK);
    rings.take(HK2, report([slice({ ttft: times(90, 900) })]), at(0), HK);
    rings.take(HK1, report([slice({ ttft: times(10, 100) })]), at(2), HK);
    const minutes = rings.regions(groups(HK1, HK2), at(2))[0]?.ttft95Minutes ?? [];
    expect(minutes).toHaveLength(30);
    near(minutes.at(-3), 900);
    expect(minutes.at(-2)).toBeNull();
    near(minutes.at(-1), 100);
    expect(minutes.slice(0, 27).every((m) => m === null)).toBe(true);
    rings.forget(HK2);
    near(rings.regions(groups(HK1), at(3))[0]?.ttft95Minutes.at(-4), 900);
  });

  it('no group at all has them unknown', () => {
    const [none] = createRings().regions([{ region: null, nodeType: 'edge', names: [] }], BEGAN);
    expect(none).toMatchObject({ region: null, streams: 0, rps: null, ttft95Ms: null, gap99Ms: null });
  });
});
