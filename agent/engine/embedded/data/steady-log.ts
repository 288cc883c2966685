import type { LogLevel } from '../control/logs.ts';

const WINDOW_MS = 10_000;
const LINES = 5;

interface Window {
  since: number;
  lines: number;
  held: number;
}

/** Some lines a window for each subject; the rest are counted and said with the next one. */
export class SteadyLog {
  readonly #write: (level: LogLevel, text: string) => void;
  readonly #now: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(needs: { write: (level: LogLevel, text: string) => void; now: () => number }) {
    this.#write = needs.write;
    this.#now = needs.now;
  }

  say(level: LogLevel, subject: string, text: string): void {
    const now = this.#now();
    let w = this.#windows.get(subject);
    if (w === undefined) {
      w = { since: now, lines: 0, held: 0 };
      this.#windows.set(subject, w);
    }
    if (now - w.since >= WINDOW_MS) {
      w.since = now;
      w.lines = 0;
    }
    if (w.lines >= LINES) {
      w.held += 1;
      return;
    }
    w.lines += 1;
    const held = w.held > 0 ? ` (${w.held} more before this one)` : '';
    w.held = 0;
    this.#write(level, `${subject}: ${text}${held}`);
  }
}
