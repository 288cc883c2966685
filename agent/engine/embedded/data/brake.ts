import type { Leg } from './leg.ts';

/** Keeps one direction of a stream to its pace: what came too early goes on at once, then its source is not read for a while. */
export class Brake {
  readonly #from: Leg;
  readonly #to: Leg;
  readonly #early: (bytes: number) => number;
  #timer: NodeJS.Timeout | null = null;

  constructor(of: { from: Leg; to: Leg; early: (bytes: number) => number }) {
    this.#from = of.from;
    this.#to = of.to;
    this.#early = of.early;
  }

  /** The source must not be read now. */
  get on(): boolean {
    return this.#timer !== null;
  }

  after(bytes: number): void {
    const ms = this.#early(bytes);
    if (ms <= 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#from.pause();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#to.full) this.#from.resume();
    }, ms);
    this.#timer.unref();
  }

  off(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
