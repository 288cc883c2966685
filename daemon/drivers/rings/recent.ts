import type { Millis } from '../../../proto/vocab/ids.ts';
import { CellReader, type Packed } from './cell.ts';
import type { Part } from './part.ts';
import type { Tools } from './tools.ts';

const SECOND = 1000;
/** Reports are kept apart so long: at first as they came, then services together and half a minute at once. */
const RECENT_MS = 6 * 60 * SECOND;
const WHOLE_MS = 30 * SECOND;
const COARSE_MS = 30 * SECOND;
/** Bytes as they came; of more, those that are old enough are made coarse, half a minute of them at once. */
const MOST_FINE_BYTES = 2_500;
const AT_ONCE_MS = 15 * SECOND;

/** The reports of one node's last minutes. */
export class Recent {
  private cells: Packed[] = [];
  /** How many of them are coarse. */
  private aged = 0;
  private fineBytes = 0;
  /** When the oldest ended, and the oldest that is as it came; only what is not later matters. */
  private oldestEnd: Millis = 0;
  private fineEnd: Millis = 0;

  get size(): number {
    return this.cells.length;
  }

  /** As they lie in a file. */
  get kept(): readonly Packed[] {
    return this.cells;
  }

  static from(cells: readonly Packed[]): Recent {
    const recent = new Recent();
    recent.cells = [...cells];
    recent.aged = cells.length;
    recent.read();
    return recent;
  }

  /** The last one, if it and another so long are a second together: what nodes are asked for at the least. */
  short(ms: number): Packed | null {
    if (ms >= SECOND || this.cells.length <= this.aged) return null;
    const last = this.cells.at(-1) as Packed;
    return spanOf(last) + ms <= SECOND ? last : null;
  }

  /** @param instead of the last one, which is in it */
  add(cell: Packed, at: Millis, instead: boolean, tools: Tools): void {
    if (instead) this.fineBytes -= (this.cells.pop() as Packed).length;
    this.cells.push(cell);
    this.fineBytes += cell.length;
    if (this.cells.length === 1) this.oldestEnd = at;
    if (this.cells.length === this.aged + 1) this.fineEnd = at;
    this.age(at, tools);
  }

  /** A clock that was set back: what is told of a later time is of no time. */
  forgetAfter(at: Millis): void {
    this.cells = this.cells.filter((c) => endOf(c) <= at);
    this.aged = Math.min(this.aged, this.cells.length);
    this.read();
  }

  /** Those of which `counts` says so, the newest first, until one ended at `after` or earlier; how much time they tell of. */
  addTo(
    into: Part,
    after: Millis,
    counts: (to: Millis, from: Millis) => boolean,
    add: (reader: CellReader, into: Part) => void,
  ): number {
    let ms = 0;
    let streams: number | null = null;
    for (let i = this.cells.length - 1; i >= 0; i--) {
      const reader = new CellReader(this.cells[i] as Packed);
      const { from, to } = reader.head();
      if (to <= after) break;
      if (!counts(to, from)) continue;
      const before = into.streams;
      add(reader, into);
      // Of the newest only: they are not added up over time.
      streams ??= into.streams;
      into.streams = before;
      ms += to - from;
    }
    into.streams = streams ?? into.streams;
    return ms;
  }

  /** Readers behind the head of those that ended after `after`, the oldest first. */
  *after(after: Millis): Generator<CellReader> {
    for (const packed of this.cells) {
      const reader = new CellReader(packed);
      if (reader.head().to > after) yield reader;
    }
  }

  /** When the first ended that ended after `after`; `otherwise`: none did. */
  oldestSince(after: Millis, otherwise: Millis): Millis {
    let oldest = otherwise;
    for (let i = this.cells.length - 1; i >= 0; i--) {
      const to = endOf(this.cells[i] as Packed);
      if (to <= after) break;
      oldest = to;
    }
    return oldest;
  }

  /** When the first began; `null`: there is none. */
  since(): Millis | null {
    const first = this.cells[0];
    return first === undefined ? null : startOf(first);
  }

  private age(at: Millis, tools: Tools): void {
    while (this.cells.length > 0 && this.oldestEnd <= at - RECENT_MS) {
      const gone = this.cells.shift() as Packed;
      if (this.aged > 0) this.aged -= 1;
      else this.fineBytes -= gone.length;
      const first = this.cells[0];
      this.oldestEnd = first === undefined ? 0 : endOf(first);
      if (this.aged === 0) this.fineEnd = this.oldestEnd;
    }
    if (this.fineBytes > MOST_FINE_BYTES && this.fineEnd <= at - WHOLE_MS - AT_ONCE_MS) {
      this.coarsen(at, tools);
      this.read();
    }
  }

  private coarsen(at: Millis, { gather, writer }: Tools): void {
    const coarse = this.cells.slice(0, this.aged);
    let next = this.aged;
    // The last of them may not be half a minute yet.
    let group: Packed[] = coarse.length > 0 ? [coarse.pop() as Packed] : [];
    const close = (): void => {
      if (group.length === 0) return;
      gather.clear();
      for (const cell of group) gather.cell(cell);
      gather.reduce(false);
      coarse.push(gather.pack(writer));
      group = [];
    };
    for (; next < this.cells.length; next++) {
      const cell = this.cells[next] as Packed;
      if (endOf(cell) > at - WHOLE_MS) break;
      const [first, last] = [group[0], group.at(-1)];
      const together =
        first !== undefined &&
        last !== undefined &&
        endOf(cell) - startOf(first) <= COARSE_MS &&
        startOf(cell) - endOf(last) < SECOND;
      if (!together) close();
      group.push(cell);
    }
    close();
    this.aged = coarse.length;
    this.cells = [...coarse, ...this.cells.slice(next)];
  }

  /** What is known beside the cells, from them. */
  private read(): void {
    const [oldest, fine] = [this.cells[0], this.cells[this.aged]];
    this.oldestEnd = oldest === undefined ? 0 : endOf(oldest);
    this.fineEnd = fine === undefined ? 0 : endOf(fine);
    this.fineBytes = this.cells.slice(this.aged).reduce((n, c) => n + c.length, 0);
  }
}

const startOf = (c: Packed): Millis => new CellReader(c).head().from;
export const endOf = (c: Packed): Millis => new CellReader(c).head().to;

function spanOf(c: Packed): number {
  const { from, to } = new CellReader(c).head();
  return to - from;
}
