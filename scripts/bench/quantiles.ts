const WIDTH = Math.log(1.02);
/** From a microsecond on; what is shorter counts as one. */
const LEAST_MS = 0.001;

/** Times in buckets 2 % wide: as many as come, in as little room. */
export class Quantiles {
  private readonly counts = new Map<number, number>();
  count = 0;
  maxMs = 0;

  observe(ms: number): void {
    const k = Math.ceil(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / WIDTH);
    this.counts.set(k, (this.counts.get(k) ?? 0) + 1);
    this.count += 1;
    this.maxMs = Math.max(this.maxMs, ms);
  }

  /** @returns within 2 % above the exact one; `null` without a sample */
  at(q: number): number | null {
    let left = Math.ceil(q * this.count);
    for (const [k, n] of [...this.counts].sort(([a], [b]) => a - b)) {
      left -= n;
      if (left <= 0) return Math.min(this.maxMs, LEAST_MS * Math.exp(k * WIDTH));
    }
    return null;
  }

  summary(): {
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
    readonly max: number | null;
  } {
    const round = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 100) / 100);
    return {
      p50: round(this.at(0.5)),
      p95: round(this.at(0.95)),
      p99: round(this.at(0.99)),
      max: this.count === 0 ? null : round(this.maxMs),
    };
  }
}
