/**
 * What is counted for a node as a whole, by key. In this process while it carries alone; whoever has several data
 * processes counts in one place for all of them.
 */
export interface Tally {
  /** Takes one of `limit`; false: none is left. Every one taken is given back. */
  take(key: string, limit: number): boolean;
  give(key: string): void;
  /** `amount` at `rate` a second: taken at once, the answer is how many ms early. Debts are paid in their order. */
  spend(key: string, amount: number, rate: number): number;
  /** How many ms early it would be, taking nothing. */
  early(key: string): number;
}

const SWEEP_AT = 1024;

export class LocalTally implements Tally {
  readonly #clock: () => number;
  readonly #taken = new Map<string, number>();
  /** When all that was spent under a key is paid for. */
  readonly #paid = new Map<string, number>();
  #sweepAt = SWEEP_AT;

  /** `clock`: milliseconds that only grow. */
  constructor(needs: { clock: () => number }) {
    this.#clock = needs.clock;
  }

  /** How much is remembered. */
  get size(): number {
    return this.#taken.size + this.#paid.size;
  }

  take(key: string, limit: number): boolean {
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= limit) return false;
    this.#taken.set(key, taken + 1);
    return true;
  }

  give(key: string): void {
    const taken = this.#taken.get(key) ?? 0;
    if (taken > 1) this.#taken.set(key, taken - 1);
    else this.#taken.delete(key);
  }

  spend(key: string, amount: number, rate: number): number {
    const now = this.#clock();
    const from = Math.max(now, this.#paid.get(key) ?? 0);
    const until = from + (amount * 1000) / rate;
    this.#paid.set(key, until);
    if (this.#paid.size > this.#sweepAt) this.#sweep(now);
    return until - now;
  }

  early(key: string): number {
    return Math.max(0, (this.#paid.get(key) ?? 0) - this.#clock());
  }

  /** What is paid for needs no memory. */
  #sweep(now: number): void {
    for (const [key, until] of this.#paid) if (until <= now) this.#paid.delete(key);
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#paid.size);
  }
}
