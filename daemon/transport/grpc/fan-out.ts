// A document for thousands of agents is half a minute of nothing else when it is written in one go. So whoever has
// something to be sent stands in one line, and each turn of the loop serves as many as its time allows.

export interface Due {
  /** Sends what is the latest by now. */
  serve(): void;
}

export interface FanOutNeeds {
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** After what else is to be done in this turn of the loop. */
  later(work: () => void): void;
}

/** Of one turn of the loop; a heartbeat or a request waits no longer for it. */
const TURN_MS = 8;

/** First come, first served; who stands in the line already keeps its place. */
export class FanOut {
  private readonly line = new Set<Due>();
  private readonly needs: FanOutNeeds;
  private waits = false;

  constructor(needs: FanOutNeeds) {
    this.needs = needs;
  }

  get size(): number {
    return this.line.size;
  }

  add(due: Due): void {
    this.line.add(due);
    this.next();
  }

  remove(due: Due): void {
    this.line.delete(due);
  }

  private next(): void {
    if (this.waits || this.line.size === 0) return;
    this.waits = true;
    this.needs.later(() => {
      this.waits = false;
      this.turn();
    });
  }

  private turn(): void {
    const until = this.needs.monotonic() + TURN_MS;
    for (const due of this.line) {
      this.line.delete(due);
      due.serve();
      if (this.needs.monotonic() >= until) break;
    }
    this.next();
  }
}
