import type { Millis } from '../../../proto/vocab/ids.ts';

/** After `free` failures each next one makes the wait twice as long, from `baseMs` to `maxMs`. */
export interface ThrottleRule {
  readonly free: number;
  readonly baseMs: number;
  readonly maxMs: number;
  /** So long after its last wait a key is as good as new. */
  readonly forgetMs: number;
  /** Keys remembered: the one heard of least recently goes first. */
  readonly most: number;
}

interface Bucket {
  readonly failures: number;
  /** No attempt before. */
  readonly until: Millis;
  /** Somebody was turned away in this wait already. */
  readonly told: boolean;
}

export interface Refusal {
  readonly waitMs: number;
  /** The first one turned away in this wait. */
  readonly first: boolean;
}

/** Counts failures by key and says how long to wait. In memory, bounded. */
export class Throttle {
  private readonly rule: ThrottleRule;
  private readonly buckets = new Map<string, Bucket>();

  constructor(rule: ThrottleRule) {
    this.rule = rule;
  }

  get size(): number {
    return this.buckets.size;
  }

  /** `null`: it may be tried now. */
  refusal(key: string, now: Millis): Refusal | null {
    const b = this.buckets.get(key);
    if (!b || now >= b.until) return null;
    this.put(key, { ...b, told: true });
    return { waitMs: b.until - now, first: !b.told };
  }

  /**
   * An attempt begins. It counts as failed until it is known to have succeeded: a thousand at once are a thousand.
   * @returns takes it back: it did not fail; the others of the key stand
   */
  attempt(key: string, now: Millis): () => void {
    const { free, baseMs, maxMs, forgetMs, most } = this.rule;
    const before = this.buckets.get(key);
    const failures = (before && now < before.until + forgetMs ? before.failures : 0) + 1;
    const wait = failures < free ? 0 : Math.min(maxMs, baseMs * 2 ** Math.min(failures - free, 30));
    const mine: Bucket = { failures, until: now + wait, told: false };
    this.put(key, mine);
    if (this.buckets.size > most) {
      const [oldest] = this.buckets.keys();
      if (oldest !== undefined) this.buckets.delete(oldest);
    }
    return () => {
      const b = this.buckets.get(key);
      if (b === mine && before) this.put(key, before);
      else if (b === mine) this.buckets.delete(key);
      else if (b) this.put(key, { ...b, failures: Math.max(0, b.failures - 1) });
    };
  }

  /** The right password: what was counted for the key is forgotten. */
  clear(key: string): void {
    this.buckets.delete(key);
  }

  private put(key: string, b: Bucket): void {
    this.buckets.delete(key);
    this.buckets.set(key, b);
  }
}
