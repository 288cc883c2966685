import type { Refusal } from '../vocab/node.ts';
import { Lines } from './lines.ts';

/** A run of a rendered text and where in the template it comes from. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  /** Copied as it stands; otherwise the value of a variable, all of which stands at `from`. */
  readonly copied: boolean;
}

/** Where the value of a variable stands in a rendered text. */
export interface Hole {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** A text put together of pieces of another one; knows the way back. */
export class Pieces {
  readonly #template: string;
  readonly #pieces: Piece[] = [];
  readonly #holes: Hole[] = [];
  #text = '';

  constructor(template: string) {
    this.#template = template;
  }

  get text(): string {
    return this.#text;
  }

  copy(from: number, to: number): void {
    if (to > from) this.#add(this.#template.slice(from, to), from, true);
  }

  /** Something else in the place of what stands at `from`. */
  put(text: string, from: number): void {
    if (text !== '') this.#add(text, from, false);
  }

  /** The value of this variable in the place of what stands at `from`. */
  fill(name: string, value: string, from: number): void {
    const start = this.#text.length;
    this.put(value, from);
    this.#holes.push({ start, end: start + value.length, name });
  }

  get holes(): readonly Hole[] {
    return this.#holes;
  }

  /** A place in this text -> the place in the template it came from. */
  toTemplate(): (r: Refusal) => Refusal {
    const own = new Lines(this.#text);
    const template = new Lines(this.#template);
    return (r) => {
      if (r.line === undefined || r.column === undefined) return r;
      return { ...r, ...template.at(this.#origin(own.offset({ line: r.line, column: r.column }))) };
    };
  }

  #add(text: string, from: number, copied: boolean): void {
    const start = this.#text.length;
    this.#text += text;
    this.#pieces.push({ start, end: start + text.length, from, copied });
  }

  #origin(offset: number): number {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const mid = (low + high) >> 1;
      if ((this.#pieces[mid]?.end ?? 0) > offset) high = mid;
      else low = mid + 1;
    }
    const piece = this.#pieces[low];
    if (!piece) return 0;
    return piece.copied ? piece.from + (offset - piece.start) : piece.from;
  }
}
