import type { NodeType } from './node.ts';

// One table of histogram buckets and one list of names: master, agent, engine and console read the same.

const STEPS_PER_OCTAVE = 4;
const OCTAVES = 17; // 1 ms x 2^17 = 131 s

/** Upper bounds in milliseconds: 1 ms x 2^(k/4) up to 131 s (69 of them); one more bucket takes what is above. */
export const BUCKETS_MS: readonly number[] = Array.from(
  { length: OCTAVES * STEPS_PER_OCTAVE + 1 },
  (_, k) => 2 ** (k / STEPS_PER_OCTAVE),
);

/** Index of the bucket whose upper bound is the first >= ms; `BUCKETS_MS.length` when above all. */
export function bucketOf(ms: number): number {
  if (!(ms > 1)) return 0;
  const k = Math.ceil(Math.log2(ms) * STEPS_PER_OCTAVE - 1e-9);
  return Math.min(k, BUCKETS_MS.length);
}

/** Sparse: `index[i]` holds `count[i]` samples; indices ascending. */
export interface SparseHistogram {
  readonly index: readonly number[];
  readonly count: readonly number[];
  readonly sumMs: number;
}

/** A mergeable histogram over `BUCKETS_MS`. Fleet percentiles come from merged buckets, never from averages. */
export class Histogram {
  readonly counts: Float64Array = new Float64Array(BUCKETS_MS.length + 1);
  sumMs = 0;
  total = 0;

  /** A reading that is no time (NaN, negative, endless) is left out. */
  observe(ms: number): void {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) return;
    const i = bucketOf(ms);
    this.counts[i] = (this.counts[i] ?? 0) + 1;
    this.sumMs += ms;
    this.total += 1;
  }

  /** Comes from other machines: what is no bucket or no count is left out. */
  merge(h: SparseHistogram): void {
    for (let i = 0; i < h.index.length; i++) {
      const at = h.index[i] ?? -1;
      const n = h.count[i] ?? 0;
      if (!Number.isInteger(at) || at < 0 || at >= this.counts.length) continue;
      if (!(n > 0 && n < Number.POSITIVE_INFINITY)) continue;
      this.counts[at] = (this.counts[at] ?? 0) + n;
      this.total += n;
    }
    if (Number.isFinite(h.sumMs)) this.sumMs += h.sumMs;
  }

  /** Sparse copy; with `since`, the difference to an earlier one. */
  toSparse(since?: Histogram): SparseHistogram {
    const index: number[] = [];
    const count: number[] = [];
    for (let i = 0; i < this.counts.length; i++) {
      const n = (this.counts[i] ?? 0) - (since?.counts[i] ?? 0);
      if (n > 0) {
        index.push(i);
        count.push(n);
      }
    }
    return { index, count, sumMs: this.sumMs - (since?.sumMs ?? 0) };
  }

  /** The q-quantile in ms by linear interpolation inside its bucket (as Prometheus does); `null` without samples. */
  quantile(q: number): number | null {
    if (this.total === 0) return null;
    const rank = q * this.total;
    let seen = 0;
    for (let i = 0; i < this.counts.length; i++) {
      const n = this.counts[i] ?? 0;
      if (n > 0 && seen + n >= rank) {
        const hi = BUCKETS_MS[i] ?? (BUCKETS_MS.at(-1) as number);
        const lo = i === 0 ? 0 : (BUCKETS_MS[i - 1] ?? hi);
        return lo + (hi - lo) * Math.max(0, Math.min(1, (rank - seen) / n));
      }
      seen += n;
    }
    return BUCKETS_MS.at(-1) as number;
  }
}

/** One service's deltas over a slice; `streams` is the count now. */
export interface ServiceSlice {
  readonly service: string;
  readonly streams: number;
  readonly opened: number;
  readonly closed: number;
  readonly errors: number;
  readonly abortedClient: number;
  readonly abortedOrigin: number;
  readonly abortedTunnel: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
  /** Client accepted -> the tunnel stands. */
  readonly connect: SparseHistogram;
  /** Last byte of a request -> first body byte that is not an SSE comment. */
  readonly ttft: SparseHistogram;
  /** Between chunks of an answer. */
  readonly gap: SparseHistogram;
}

export interface HostFigures {
  readonly cpuPct: number | null;
  readonly memPct: number | null;
  readonly openFiles: number | null;
  readonly diskFreeBytes: number | null;
  /** Of the processes whose open files are counted, together. Absent, as all below: not told. */
  readonly openFilesLimit?: number | null;
  readonly diskBytes?: number | null;
  /** Since the report before, all interfaces but loopback and bridges. */
  readonly netInBytes?: number | null;
  readonly netOutBytes?: number | null;
}

export interface LogLine {
  readonly at: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
}

/** One report of an agent. */
export interface MetricsReport {
  readonly engineInstance: string;
  readonly from: number;
  readonly sliceMs: number;
  readonly services: readonly ServiceSlice[];
  readonly host: HostFigures;
  readonly log: readonly LogLine[];
}

/** What happened in a time, of a node or of several together. `null` is unknown, never 0. */
export interface RangePoint {
  /** When the time begins. */
  readonly at: number;
  /** Of a node the last in the time; of several the mean. */
  readonly streams: number | null;
  readonly rps: number | null;
  readonly requests: number | null;
  readonly errors: number | null;
  readonly abortedClient: number | null;
  readonly abortedOrigin: number | null;
  readonly abortedTunnel: number | null;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  readonly ttft50Ms: number | null;
  readonly ttft95Ms: number | null;
  readonly gap99Ms: number | null;
  readonly connect99Ms: number | null;
  /** Of a node only. */
  readonly cpuPct: number | null;
  readonly memPct: number | null;
  /** What the quantiles are of; `null` where it is not kept any more. */
  readonly buckets: {
    readonly ttft: SparseHistogram;
    readonly gap: SparseHistogram;
    readonly connect: SparseHistogram;
  } | null;
}

/** All since counting began; only grows. */
export interface Totals {
  readonly requests: number;
  readonly errors: number;
  readonly abortedClient: number;
  readonly abortedOrigin: number;
  readonly abortedTunnel: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly opened: number;
  readonly closed: number;
}

/** What happened between two moments, of some nodes together: what a gate compares. */
export interface MetricsWindow {
  readonly requests: number;
  readonly errors: number;
  /** By origin or tunnel: a client's own leaving is nobody's fault here. */
  readonly aborted: number;
  readonly ttft: SparseHistogram;
  readonly gap: SparseHistogram;
  readonly connect: SparseHistogram;
}

/** TTFT p95 of a place over time, from merged buckets, oldest first, ms; `null`: nothing is known of it. */
export interface RegionSeries {
  /** `region: null`: every region. */
  readonly place: { readonly region: string | null; readonly nodeType: NodeType };
  readonly ttft95Ms: readonly (number | null)[];
}
