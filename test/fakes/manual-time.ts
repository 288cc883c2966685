/** A clock that stands still until it is told; timers fire in their order. */
export class ManualTime {
  #now: number;
  #timers: { at: number; n: number; fn: () => void }[] = [];
  #n = 0;

  constructor(now = 1_795_547_527_000) {
    this.#now = now;
  }

  readonly now = (): number => this.#now;

  readonly after = (ms: number, fn: () => void): (() => void) => {
    const timer = { at: this.#now + ms, n: this.#n++, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  };

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter((t) => t.at <= until).sort((a, b) => a.at - b.at || a.n - b.n)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((t) => t !== next);
      this.#now = next.at;
      next.fn();
    }
    this.#now = until;
  }
}
