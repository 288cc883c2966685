import { type CellRow, EMPTY_ROW, parseRow } from './cells.ts';
import { findScroll, rowDiff, scrollBytes, scrolled } from './diff.ts';
import { readSize, type SizeSource } from './size.ts';

const ESC = String.fromCharCode(27);
const BEGIN = `${ESC}[?2026h`;
const END = `${ESC}[?2026l`;

/** Where bytes go. `false`: busy, do not write until `onDrain` calls. */
export interface Sink {
  write(data: string): boolean;
  onDrain(fn: () => void): void;
}

export interface WriterStats {
  frames: number;
  /** Frames that a newer one replaced before they were written. */
  skipped: number;
  bytes: number;
}

/** What is believed to be on the screen. `unknown`: the next frame paints all of it. */
type Screen =
  | { readonly state: 'unknown' }
  | {
      readonly state: 'shown';
      readonly width: number;
      readonly height: number;
      readonly lines: readonly string[];
      readonly rows: readonly CellRow[];
    };

/**
 * Frames -> the fewest bytes that make the screen look like the newest one. One write a frame, inside a synchronized
 * update; while the sink is busy only the newest frame is kept, so a slow link skips pictures and never falls behind.
 */
export class FrameWriter {
  readonly #sink: Sink;
  readonly #size: Pick<SizeSource, 'columns' | 'rows'>;
  #screen: Screen = { state: 'unknown' };
  #waiting: string | null = null;
  #last: string | null = null;
  #busy = false;
  #open = true;
  #written: (() => void)[] = [];
  readonly stats: WriterStats = { frames: 0, skipped: 0, bytes: 0 };

  constructor(needs: { readonly sink: Sink; readonly size: Pick<SizeSource, 'columns' | 'rows'> }) {
    this.#sink = needs.sink;
    this.#size = needs.size;
  }

  /** `text`: lines with SGR, separated by `\n`. */
  draw(text: string): void {
    if (!this.#open) return;
    this.#last = text;
    if (this.#busy) {
      if (this.#waiting !== null) this.stats.skipped += 1;
      this.#waiting = text;
      return;
    }
    this.#paint(text);
  }

  /** The last frame once more: after `forget` there may be no new one for a while. */
  again(): void {
    if (this.#last !== null) this.draw(this.#last);
  }

  /** Somebody else wrote on the screen, or it is another one: the next frame is painted whole. */
  forget(): void {
    this.#screen = { state: 'unknown' };
  }

  /** Calls back once every frame drawn so far, or a newer one in its place, is out of our hands. */
  whenWritten(fn: () => void): void {
    if (this.#busy) this.#written.push(fn);
    else fn();
  }

  /** Nothing is written any more, and nobody waits for it. open -> closed */
  stop(): void {
    this.#open = false;
    this.#waiting = null;
    this.#release();
  }

  #release(): void {
    for (const fn of this.#written.splice(0)) fn();
  }

  #paint(text: string): void {
    const { width, height } = readSize(this.#size);
    const lines = text.split('\n', height);
    while (lines.length < height) lines.push('');
    const body = this.#diff(lines, width, height);
    if (body === '') return;
    const data = BEGIN + body + END;
    this.stats.frames += 1;
    this.stats.bytes += Buffer.byteLength(data);
    if (this.#sink.write(data)) return;
    this.#busy = true;
    this.#sink.onDrain(() => {
      this.#busy = false;
      const next = this.#waiting;
      this.#waiting = null;
      if (next !== null && this.#open) this.#paint(next);
      if (!this.#busy) this.#release();
    });
  }

  /** screen -> the frame's screen; the bytes between them. */
  #diff(lines: readonly string[], width: number, height: number): string {
    const was = this.#screen;
    const known = was.state === 'shown' && was.width === width && was.height === height;
    let out = known ? '' : `${ESC}[m${ESC}[H${ESC}[2J`;
    let before: readonly CellRow[] = known ? was.rows : [];
    let beforeLines: readonly string[] = known ? was.lines : [];
    if (known) {
      const s = findScroll(was.lines, lines);
      if (s !== null) {
        out += scrollBytes(s);
        before = scrolled(before, s, EMPTY_ROW);
        beforeLines = scrolled(beforeLines, s, '');
      }
    }
    const rows: CellRow[] = [];
    for (let y = 0; y < lines.length; y++) {
      const line = lines[y] ?? '';
      const old = before[y] ?? EMPTY_ROW;
      if (known && beforeLines[y] === line) {
        rows.push(old);
        continue;
      }
      const now = parseRow(line, width);
      rows.push(now);
      out += rowDiff(old, now, y, width);
    }
    this.#screen = { state: 'shown', width, height, lines, rows };
    return out;
  }
}
