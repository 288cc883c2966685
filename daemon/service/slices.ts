import type { Clock, Turns } from './ports.ts';

/** So long nobody else has a turn. */
const SLICE_MS = 8;

/** Whoever works through thousands asks after each: `if (slices.over) await slices.next()`. */
export class Slices {
  private readonly clock: Clock;
  private readonly turns: Turns;
  private began: number;

  constructor(needs: { readonly clock: Clock; readonly turns: Turns }) {
    this.clock = needs.clock;
    this.turns = needs.turns;
    this.began = needs.clock.now();
  }

  get over(): boolean {
    // A clock that was set back must not make the slice an hour.
    return Math.abs(this.clock.now() - this.began) >= SLICE_MS;
  }

  async next(): Promise<void> {
    await this.turns.next();
    this.began = this.clock.now();
  }
}
