export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Offsets in a text -> lines and columns, both 1-based; columns count UTF-16 units. */
export class Lines {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1);
  }

  at(offset: number): Place {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if ((this.#starts[mid] ?? 0) <= offset) low = mid;
      else high = mid - 1;
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }

  offset({ line, column }: Place): number {
    return (this.#starts[Math.min(line, this.#starts.length) - 1] ?? 0) + column - 1;
  }
}
