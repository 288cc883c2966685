import { expect, it } from 'vitest';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { BUCKETS_MS, bucketOf, Histogram, type SparseHistogram } from '../../../proto/vocab/metrics.ts';
import { latency, reportOf, seeded, sliceOf } from '../../../test/fakes/traffic.ts';
import { createRings } from './rings.ts';

const BEGAN = Date.UTC(2026, 10, 24, 3, 0, 0);
const EDGES = { region: 'hk', nodeType: 'edge' } as const;

/** Thirty nodes, some slow and some busy; ten minutes; every sample of it kept beside. */
function fleet() {
  const random = seeded(11);
  const rings = createRings();
  const raw = { ttft: [] as number[], gap: [] as number[], connect: [] as number[] };
  const names = Array.from({ length: 30 }, (_, i) => `hk-${i}` as NodeName);
  for (let at = BEGAN + 10_000; at <= BEGAN + 600_000; at += 10_000) {
    names.forEach((name, i) => {
      const many = (into: number[], n: number, median: number, spread: number): number[] => {
        const values = Array.from({ length: n }, () => latency(random, median, spread));
        into.push(...values);
        return values;
      };
      const slow = i % 7 === 0 ? 6 : 1;
      const samples = {
        ttft: many(raw.ttft, 3 * (1 + (i % 5)), 300 * slow, 0.7),
        gap: many(raw.gap, 40, 25, 0.9),
        connect: many(raw.connect, 1 + (i % 3), 12 * slow, 0.5),
      };
      rings.take(name, reportOf([sliceOf('chat', samples)]), at - 1, EDGES);
    });
  }
  return { rings, raw, names, now: BEGAN + 600_000 };
}

/** The exact one: the sample that so many are not above [nearest rank]. */
function exact(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] as number;
}

function quantile(h: SparseHistogram | undefined, q: number): number {
  const all = new Histogram();
  if (h) all.merge(h);
  return all.quantile(q) ?? Number.NaN;
}

const { rings, raw, names, now } = fleet();
const [ten] = rings.rangeOf(EDGES, { service: null, start: BEGAN, end: now, stepMs: 600_000, now });

it.each(['ttft', 'gap', 'connect'] as const)('%s of the whole fleet is exact to its bucket', (of) => {
  expect(ten?.buckets?.[of].count.reduce((n, c) => n + c, 0)).toBe(raw[of].length);
  for (const q of [0.5, 0.9, 0.95, 0.99, 0.999]) {
    const sample = exact(raw[of], q);
    const bucket = bucketOf(sample);
    const told = quantile(ten?.buckets?.[of], q);
    expect(told).toBeGreaterThanOrEqual(bucket === 0 ? 0 : (BUCKETS_MS[bucket - 1] as number));
    expect(told).toBeLessThanOrEqual(BUCKETS_MS[bucket] as number);
  }
});

it('the mean of nodes’ own percentiles would be far from it', () => {
  const own = names.map((n) => rings.figures(n, now)?.ttft95Ms ?? 0);
  const mean = own.reduce((sum, v) => sum + v, 0) / own.length;
  expect(Math.abs(mean / exact(raw.ttft, 0.95) - 1)).toBeGreaterThan(0.2);
});

it('minutes of nodes, of the place, and all that was ever counted are the same samples', () => {
  const args = { service: null, start: BEGAN, end: now, stepMs: 60_000, now };
  const count = (points: ReturnType<typeof rings.range>): number =>
    points.reduce((n, p) => n + (p.buckets?.ttft.count.reduce((sum, c) => sum + c, 0) ?? 0), 0);
  expect(names.reduce((n, name) => n + count(rings.range(name, args)), 0)).toBe(raw.ttft.length);
  expect(count(rings.rangeOf(EDGES, args))).toBe(raw.ttft.length);
  expect(rings.totalsByPlace()[0]?.all.ttft.total).toBe(raw.ttft.length);
  expect(names.reduce((n, name) => n + (rings.totals(name)?.all.ttft.total ?? 0), 0)).toBe(raw.ttft.length);
});
