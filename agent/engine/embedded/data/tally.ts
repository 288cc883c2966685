/** One limit a connection has to fit under. */
export interface Want {
  /** A place among `limit`, held until it leaves, or one entry of `limit` a second. */
  readonly kind: 'place' | 'rate';
  /** Who counts under one key counts together. */
  readonly key: string;
  readonly limit: number;
  /** A cap nobody wrote: who counts for several may let the first of a key in without having asked. */
  readonly loose?: true;
}

/** All of it taken, to be given back by `leave`; or nothing, because of that one. */
export type Entry = { readonly leave: () => void } | { readonly refusedBy: Want };

/** What is counted for a node as a whole, by key: in this process while it carries alone, else in one place for all. */
export interface Tally {
  /** All wants or none; a refusal costs nothing. A promise where somebody else has to be asked; it never rejects. */
  enter(wants: readonly Want[]): Entry | Promise<Entry>;
  /** `amount` at `rate` a second: taken at once, the answer is how many ms early. Debts are paid in their order. */
  spend(key: string, amount: number, rate: number): number;
}

/** A rate lets through what a second of it would, at once. */
const BURST_MS = 1_000;
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

  enter(wants: readonly Want[]): Entry {
    const refusedBy = this.take(wants);
    if (refusedBy !== null) return { refusedBy };
    let places: readonly Want[] = wants.filter((w) => w.kind === 'place');
    return {
      leave: () => {
        for (const { key } of places) this.give(key);
        places = [];
      },
    };
  }

  /** All of them, `null`; or none, and which could not be had. */
  take(wants: readonly Want[]): Want | null {
    const refusedBy = wants.find((w) => !this.#has(w));
    if (refusedBy !== undefined) return refusedBy;
    for (const { kind, key, limit } of wants) {
      if (kind === 'place') this.hold(key);
      else this.spend(key, 1, limit);
    }
    return null;
  }

  /** Places, whether there were any left or not. */
  hold(key: string, places = 1): void {
    this.#taken.set(key, (this.#taken.get(key) ?? 0) + places);
  }

  give(key: string, places = 1): void {
    const left = (this.#taken.get(key) ?? 0) - places;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }

  held(key: string): number {
    return this.#taken.get(key) ?? 0;
  }

  spend(key: string, amount: number, rate: number): number {
    const now = this.#clock();
    const until = Math.max(now, this.#paid.get(key) ?? 0) + (amount * 1000) / rate;
    this.#owe(key, until, now);
    return until - now;
  }

  /** At least so many ms early from now on. */
  owe(key: string, ms: number): void {
    const now = this.#clock();
    if (now + ms > (this.#paid.get(key) ?? 0)) this.#owe(key, now + ms, now);
  }

  /** How many ms early it would be, taking nothing. */
  early(key: string): number {
    return Math.max(0, (this.#paid.get(key) ?? 0) - this.#clock());
  }

  get places(): readonly (readonly [key: string, places: number])[] {
    return [...this.#taken];
  }

  /** How many ms early each is. */
  get debts(): readonly (readonly [key: string, ms: number])[] {
    return [...this.#paid.keys()].map((key) => [key, this.early(key)] as const).filter(([, ms]) => ms > 0);
  }

  #has({ kind, key, limit }: Want): boolean {
    if (kind === 'place') return this.held(key) < limit;
    return this.early(key) <= Math.max(0, BURST_MS - 1000 / limit);
  }

  #owe(key: string, until: number, now: number): void {
    this.#paid.set(key, until);
    if (this.#paid.size > this.#sweepAt) this.#sweep(now);
  }

  /** What is paid for needs no memory. */
  #sweep(now: number): void {
    for (const [key, until] of this.#paid) if (until <= now) this.#paid.delete(key);
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#paid.size);
  }
}
