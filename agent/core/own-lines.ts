import type { LogLine } from '../../proto/vocab/metrics.ts';

type Numbered = LogLine & { readonly seq: number };

/** Kept for those who follow; more than a report carries. */
const KEPT = 256;

/** The agent's own last lines: each goes into one report, and to everybody who follows. */
export class OwnLines {
  #lines: Numbered[] = [];
  #seq = 0;
  #reported = 0;

  push(line: LogLine): void {
    this.#seq += 1;
    this.#lines.push({ ...line, seq: this.#seq });
    if (this.#lines.length >= 2 * KEPT) this.#lines = this.#lines.slice(-KEPT);
  }

  /** Those that no report has had. */
  take(): readonly LogLine[] {
    const lines = this.after(this.#reported);
    this.#reported = this.#seq;
    return lines.map(({ seq: _, ...line }) => line);
  }

  after(seq: number): readonly Numbered[] {
    return this.#lines.filter((l) => l.seq > seq);
  }
}
