import type { Refusal } from '../vocab/node.ts';
import { safeText } from '../vocab/safe-text.ts';
import type { Lines } from './lines.ts';

export const MAX_PROBLEMS = 50;

type Words = Pick<Refusal, 'message'> & { readonly code?: string; readonly hint?: string };

/** Everything wrong with one text, and where each path of it stands. */
export class Problems {
  readonly #lines: Lines;
  readonly #found: Refusal[] = [];
  readonly #warnings: Refusal[] = [];
  readonly #excused = new Set<string>();
  readonly #starts: Map<string, number>;

  constructor(lines: Lines, starts = new Map<string, number>()) {
    this.#lines = lines;
    this.#starts = starts;
  }

  /** Of a text in which each path stands where it stands in this one; nothing is wrong with it yet. */
  ofTwin(): Problems {
    return new Problems(this.#lines, this.#starts);
  }

  get full(): boolean {
    return this.#found.length >= MAX_PROBLEMS;
  }

  get none(): boolean {
    return this.#found.length === 0;
  }

  /** Remembers where a path stands. */
  place(path: string, offset: number): void {
    this.#starts.set(path, offset);
  }

  /** A follow-up at this path needs no saying: what is written in its place has been refused. */
  excuse(path: string): void {
    this.#excused.add(path);
  }

  excused(path: string): boolean {
    return this.#excused.has(path);
  }

  /** Whether something is written at this path. */
  has(path: string): boolean {
    return this.#starts.has(path);
  }

  refuse(path: string, offset: number, words: Words): void {
    if (!this.full) this.#found.push(this.#refusal(path, offset, words));
  }

  /** Refuses by path; a follow-up of something already refused there, above or below is not said again. */
  refuseAt(path: string, words: Words): void {
    if (!this.#touched(path)) this.refuse(path, this.#startOf(path), words);
  }

  warnAt(path: string, words: Words): void {
    if (this.#warnings.length < MAX_PROBLEMS)
      this.#warnings.push(this.#refusal(path, this.#startOf(path), words));
  }

  /** In the order of the text. */
  refusals(): readonly Refusal[] {
    return inOrder(this.#found);
  }

  warnings(): readonly Refusal[] {
    return inOrder(this.#warnings);
  }

  lineOf(offset: number): number {
    return this.#lines.at(offset).line;
  }

  /** Whether something is refused at exactly this path. */
  refused(path: string): boolean {
    return this.#found.some((r) => r.path === path);
  }

  #touched(path: string): boolean {
    if (this.#excused.has(path)) return true;
    return this.#found.some((r) => r.path !== undefined && (within(r.path, path) || within(path, r.path)));
  }

  /** Of the path itself, or of the nearest thing around it that is written. */
  #startOf(path: string): number {
    for (let p = path; p !== ''; p = p.slice(0, Math.max(p.lastIndexOf('.'), p.lastIndexOf('['), 0))) {
      const at = this.#starts.get(p);
      if (at !== undefined) return at;
    }
    return this.#starts.get('') ?? 0;
  }

  #refusal(path: string, offset: number, { message, code = 'invalid', hint }: Words): Refusal {
    const { line, column } = this.#lines.at(offset);
    return {
      code,
      message,
      line,
      column,
      ...(path === '' ? {} : { path }),
      ...(hint === undefined ? {} : { hint }),
    };
  }
}

function within(outer: string, path: string): boolean {
  return path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`);
}

function inOrder(refusals: readonly Refusal[]): readonly Refusal[] {
  return refusals.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}

/** `services[0]` and `addr` -> `services[0].addr`; a key is an outside text. */
export function keyPath(path: string, key: string): string {
  const shown = safeText(key, { max: 60 });
  return path === '' ? shown : `${path}.${shown}`;
}
