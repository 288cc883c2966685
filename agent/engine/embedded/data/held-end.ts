import type { Leg } from './leg.ts';
import type { Turns } from './turns.ts';

/** Longer, and every client that closes its connection whole would keep its way to the origin for as long. */
const QUIET_MS = 1_000;

/**
 * The client's end, held back from an upstream that cannot hear it without losing the answer: a WebSocket to a peer
 * that is not ours knows only an end of both directions. It is told when the answer is over, or, where that cannot be
 * seen, when nothing has come for a while.
 */
export class HeldEnd {
  readonly #up: Leg;
  readonly #turns: Turns | null;
  #timer: NodeJS.Timeout | null = null;
  #heard = false;
  #told = false;

  constructor(up: Leg, turns: Turns | null) {
    this.#up = up;
    this.#turns = turns;
    if (this.#seen && !turns?.awaited) this.tell();
    else this.#wait();
  }

  /** After each chunk of an answer. */
  said(): void {
    this.#heard = true;
    if (this.#seen && !this.#turns?.awaited) this.tell();
  }

  tell(): void {
    if (this.#told) return;
    this.off();
    this.#up.end();
  }

  off(): void {
    this.#told = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Whether an answer is over can be seen. */
  get #seen(): boolean {
    return this.#turns !== null && !this.#turns.opaque;
  }

  #wait(): void {
    this.#heard = false;
    this.#timer = setTimeout(() => {
      if (this.#heard || this.#seen) this.#wait();
      else this.tell();
    }, QUIET_MS);
    this.#timer.unref();
  }
}
