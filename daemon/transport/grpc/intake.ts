import type { Millis } from '../../../proto/vocab/ids.ts';

/** A session as it is seen from here. Never throws. */
export interface Taker {
  take(message: Buffer, at: Millis): void;
}

export interface IntakeNeeds {
  /** @returns takes it back */
  readonly later: (ms: number, work: () => void) => () => void;
}

/** Nobody waits for a heartbeat or a report so short a time. */
const TOGETHER_MS = 50;
/** So much is not kept waiting. */
const MOST_BYTES = 1024 * 1024;

/**
 * What agents say all the time, heartbeats and reports, taken some twenty times a second together. Of a large fleet each
 * comes alone, every two milliseconds, when whatever reads it has left the processor's caches since the one before. With
 * caches that were emptied, a report costs a fifth where 25 are taken one after the other. What a session says
 * beside them is taken at once, after what it said before.
 */
export class Intake {
  private readonly needs: IntakeNeeds;
  private waiting: { readonly to: Taker; readonly message: Buffer; readonly at: Millis }[] = [];
  private bytes = 0;
  private cancel: (() => void) | null = null;

  constructor(needs: IntakeNeeds) {
    this.needs = needs;
  }

  add(to: Taker, message: Buffer, at: Millis): void {
    this.waiting.push({ to, message, at });
    this.bytes += message.length;
    if (this.bytes > MOST_BYTES) this.flush();
    else this.cancel ??= this.needs.later(TOGETHER_MS, () => this.flush());
  }

  /** All that waits, in the order in which it came. */
  flush(): void {
    this.cancel?.();
    this.cancel = null;
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    this.bytes = 0;
    for (const { to, message, at } of waiting) to.take(message, at);
  }
}
