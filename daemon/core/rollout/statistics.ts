import { BUCKETS_MS, type Histogram } from '../../../proto/vocab/metrics.ts';

// Whether two sides differ by more than chance. Everything here takes counts and gives numbers.

/** P(Z >= z) of the standard normal distribution, to 1e-7 (Abramowitz & Stegun 26.2.17). */
export function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const poly =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return Math.max(0, (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly);
}

/** Where a quantile lies, and how far chance may have moved it: a standard error on the log scale. */
export interface Located {
  readonly ms: number;
  readonly logError: number;
}

/** Nine tenths and more in two neighbouring buckets: the buckets no longer say where in them, the exact mean does. */
const NARROW = 0.9;
/** A factor of 1.41 is as wide as two buckets are. */
const NARROW_SPREAD = 0.1;

/** Whether a side's samples lie so close together that its quantile is its mean, as far as buckets can tell. */
export function isNarrow(h: Histogram, q: number): boolean {
  const at = bucketAt(h, q);
  return at >= 0 && ((h.counts[at] ?? 0) + (h.counts[at - 1] ?? 0)) / h.total >= NARROW;
}

function bucketAt(h: Histogram, q: number): number {
  let seen = 0;
  for (let i = 0; i < h.counts.length; i++) {
    seen += h.counts[i] ?? 0;
    if (seen > 0 && seen >= q * h.total) return i;
  }
  return -1;
}

/**
 * The q-quantile of a histogram of at least one sample.
 * @param independent how many of its samples count as independent of each other
 */
export function located(h: Histogram, q: number, narrow: boolean, independent: number): Located | null {
  if (h.total === 0 || !(independent > 0)) return null;
  const ms = narrow ? meanWithin(h, q) : smoothQuantile(h, q);
  if (narrow) return { ms, logError: NARROW_SPREAD / Math.sqrt(independent) };
  // Ranks are binomial whatever the distribution is: one standard error of rank, read back as times.
  const rank = Math.sqrt((q * (1 - q)) / independent);
  const [lo, hi] = [smoothQuantile(h, Math.max(0, q - rank)), smoothQuantile(h, Math.min(1, q + rank))];
  return { ms, logError: Math.log(hi / lo) / 2 };
}

/**
 * By a monotone cubic through the bucket bounds, over log time [Fritsch-Carlson]. A straight line through a bucket in
 * which the density falls steeply, as it does in a tail that few buckets hold, is off by up to a tenth, one way on one
 * side and the other way on the other; the curve is off by a hundredth or two.
 */
export function smoothQuantile(h: Histogram, q: number): number {
  const at = Math.max(0, bucketAt(h, q));
  const last = BUCKETS_MS.length - 1;
  if (at === 0 || at > last) return h.quantile(q) ?? 0;
  let below = 0;
  for (let i = 0; i < at; i++) below += h.counts[i] ?? 0;
  const share = (i: number): number => (h.counts[i] ?? 0) / h.total;
  // Slopes of the distribution in each bucket; bounds are evenly apart on the log scale.
  const [before, own, after] = [share(at - 1), share(at), share(at + 1)];
  const slope = (a: number, b: number): number => (a > 0 && b > 0 ? (2 * a * b) / (a + b) : 0);
  const [m0, m1] = [slope(before, own), slope(own, after)];
  const y0 = below / h.total;
  const cdf = (t: number): number =>
    y0 + own * t * t * (3 - 2 * t) + m0 * t * (1 - t) * (1 - t) - m1 * t * t * (1 - t);
  let [lo, hi] = [0, 1];
  for (let i = 0; i < 40; i++) {
    const mid = (lo + hi) / 2;
    if (cdf(mid) < q) lo = mid;
    else hi = mid;
  }
  const [x0, x1] = [BUCKETS_MS[at - 1] as number, BUCKETS_MS[at] as number];
  return x0 * (x1 / x0) ** ((lo + hi) / 2);
}

/** The exact mean, kept within the bucket of the quantile and the one below. */
function meanWithin(h: Histogram, q: number): number {
  const at = bucketAt(h, q);
  const hi = BUCKETS_MS[at] ?? (BUCKETS_MS.at(-1) as number);
  const lo = BUCKETS_MS[at - 2] ?? 0;
  return Math.min(hi, Math.max(lo, h.sumMs / h.total));
}

/**
 * P(at least `hits` of `tries` happen on this side, of all that happened on both), if both sides are the same: exact,
 * so that 3 of 1,000 against 0 of 1,000 is judged as what it is.
 */
export function chanceOfRatio(hits: number, tries: number, otherHits: number, otherTries: number): number {
  const k = Math.round(hits + otherHits);
  const from = Math.round(hits);
  const p = tries / (tries + otherTries);
  if (k === 0 || from <= 0) return 1;
  if (!(p > 0 && p < 1)) return 1;
  if (k > 5000) return upperTail((from - 0.5 - k * p) / Math.sqrt(k * p * (1 - p)));
  let log = k * Math.log1p(-p);
  let sum = from === 0 ? Math.exp(log) : 0;
  for (let i = 1; i <= k; i++) {
    log += Math.log((k - i + 1) / i) + Math.log(p) - Math.log1p(-p);
    if (i >= from) sum += Math.exp(log);
  }
  return Math.min(1, sum);
}
