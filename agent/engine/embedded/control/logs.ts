import { safeText } from '../../../../proto/vocab/safe-text.ts';
import type { EngineLogs } from '../../port.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, text: string) => void;

const KEPT = 1000;
const LONGEST = 1024;

/** The last thousand lines, numbered from 1. */
export class LogRing {
  readonly #now: () => number;
  readonly #write: (line: string) => void;
  #lines: EngineLogs['lines'][number][] = [];
  #seq = 0;

  /** `write` takes each line as JSON (stderr in the program, nothing in a test); `after`: where an earlier one ended. */
  constructor(needs: { now: () => number; write: (line: string) => void; after?: number }) {
    this.#seq = needs.after ?? 0;
    this.#now = needs.now;
    this.#write = needs.write;
  }

  get last(): number {
    return this.#seq;
  }

  readonly log: Log = (level, text) => {
    this.#seq += 1;
    const line = { seq: this.#seq, at: this.#now(), level, text: safeText(text, { max: LONGEST }) };
    this.#lines.push(line);
    // Cut in steps, so that a line does not cost a shift of a thousand.
    if (this.#lines.length >= 2 * KEPT) this.#lines = this.#lines.slice(-KEPT);
    this.#write(`${JSON.stringify({ time: line.at, level, seq: line.seq, msg: line.text })}\n`);
  };

  /** The oldest `max` of the lines after `after`; what fell out of the ring shows as a gap in `seq`. */
  after(after: number, max: number): EngineLogs {
    const kept = this.#lines.slice(-KEPT);
    const from = kept.findIndex((l) => l.seq > after);
    return { lines: from < 0 ? [] : kept.slice(from, from + Math.max(0, max)) };
  }
}
