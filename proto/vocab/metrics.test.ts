import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKETS_MS, bucketOf, Histogram } from './metrics.ts';

const time = fc.double({ min: 0, max: 200_000, noNaN: true });

function of(samples: readonly number[]): Histogram {
  const h = new Histogram();
  for (const s of samples) h.observe(s);
  return h;
}

describe('buckets', () => {
  it('are 69, four to a doubling, from 1 ms to 131 s', () => {
    expect(BUCKETS_MS).toHaveLength(69);
    expect([BUCKETS_MS[0], BUCKETS_MS[4], BUCKETS_MS[68]]).toEqual([1, 2, 131_072]);
  });

  it('every bound lies in its own bucket, what is just above in the next', () => {
    for (const [i, bound] of BUCKETS_MS.entries()) {
      expect(bucketOf(bound)).toBe(i);
      expect(bucketOf(bound * 1.000001)).toBe(i + 1);
    }
  });

  it.each([
    [0, 0],
    [-1, 0],
    [Number.NaN, 0],
    [1e12, 69],
    [Number.POSITIVE_INFINITY, 69],
  ])('%d is in %d', (ms, bucket) => {
    expect(bucketOf(ms)).toBe(bucket);
  });
});

describe('Histogram', () => {
  it('without samples knows no quantile', () => {
    expect(new Histogram().quantile(0.99)).toBeNull();
  });

  it('a quantile is within one bucket of the exact one', () => {
    const quantile = fc.constantFrom(0, 0.01, 0.5, 0.9, 0.95, 0.99, 1);
    fc.assert(
      fc.property(fc.array(time, { minLength: 1, maxLength: 300 }), quantile, (samples, q) => {
        const sorted = samples.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
        const got = of(samples).quantile(q) ?? Number.NaN;
        expect(Math.abs(bucketOf(got) - Math.min(bucketOf(exact), 68))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('merged from parts is the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.array(time)), (parts) => {
        const merged = new Histogram();
        for (const part of parts) merged.merge(of(part).toSparse());
        const whole = of(parts.flat());
        expect(merged.counts).toEqual(whole.counts);
        expect(merged.total).toBe(whole.total);
        expect(merged.sumMs).toBeCloseTo(whole.sumMs, 3);
      }),
    );
  });

  it('a delta is what came since, sparse and ascending', () => {
    const before = of([1, 5, 5]);
    const now = of([1, 5, 5, 5, 900]);
    expect(now.toSparse(before)).toEqual({ index: [bucketOf(5), bucketOf(900)], count: [1, 1], sumMs: 905 });
    expect(now.toSparse(now)).toEqual({ index: [], count: [], sumMs: 0 });
  });

  it('leaves out readings that are no time', () => {
    expect(of([Number.NaN, -1, Number.POSITIVE_INFINITY])).toMatchObject({ total: 0, sumMs: 0 });
  });

  it('leaves out buckets and counts that are none', () => {
    const h = new Histogram();
    h.merge({
      index: [-1, 70, 1.5, Number.NaN, 3, 4, 5, 6],
      count: [1, 1, 1, 1, -1, Number.NaN, Number.POSITIVE_INFINITY],
      sumMs: Number.NaN,
    });
    expect(h).toMatchObject({ total: 0, sumMs: 0 });
    expect(h.quantile(0.5)).toBeNull();
  });

  it('above all bounds is told as the last one', () => {
    expect(of([1e9]).quantile(0.5)).toBe(131_072);
  });
});
