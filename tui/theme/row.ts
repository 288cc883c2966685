import type { Ink, Token } from './palette.ts';
import type { Theme } from './theme.ts';
import { cutEnd, width } from './width.ts';

/** A run of cells of one look. `text` holds no control character: it passed `theme.text` or is our own word. */
export interface Seg {
  readonly text: string;
  readonly token: Token;
  readonly bold?: boolean;
  readonly accent?: boolean;
}

/** One row of the screen, left to right; painted to exactly the screen's width. */
export interface Row {
  readonly segs: readonly Seg[];
  /** The cursor row: every cell inverse over its own colour. */
  readonly accent?: boolean;
}

export const BLANK: Row = { segs: [] };

export function seg(
  text: string,
  token: Token = 'text',
  more: { bold?: boolean; accent?: boolean } = {},
): Seg {
  return { text, token, ...more };
}

/** A row of segments; plain strings are `text`. */
export function row(...parts: readonly (Seg | string)[]): Row {
  return { segs: parts.map((p) => (typeof p === 'string' ? seg(p) : p)) };
}

export function segsWidth(segs: readonly Seg[]): number {
  let w = 0;
  for (const s of segs) w += width(s.text);
  return w;
}

/** `left` from the first cell, `right` flush with `cells`; the left gives way. */
export function ends(left: readonly Seg[], right: readonly Seg[], cells: number, cut: string): Row {
  const r = segsWidth(right);
  const head = clip(left, Math.max(0, cells - r), cut);
  const gap = Math.max(0, cells - r - segsWidth(head));
  return { segs: gap > 0 ? [...head, seg(' '.repeat(gap)), ...right] : [...head, ...right] };
}

/** The segments within `cells` cells, a cut mark where something was left out. */
export function clip(segs: readonly Seg[], cells: number, cut: string): readonly Seg[] {
  let used = 0;
  const out: Seg[] = [];
  for (const s of segs) {
    const w = width(s.text);
    if (used + w > cells) {
      const text = cutEnd(s.text, cells - used, cut);
      if (text !== '') out.push({ ...s, text });
      // A mark is owed where the run before ended exactly at the edge and this one vanished.
      return out;
    }
    out.push(s);
    used += w;
  }
  return out;
}

// The last line of defence, for what a view forgot to make safe: nothing below this point looks at characters again.
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const PLAIN = /^[\x20-\x7e]*$/;

function safe(segs: readonly Seg[]): readonly Seg[] {
  if (segs.every((s) => PLAIN.test(s.text))) return segs;
  return segs.map((s) => (PLAIN.test(s.text) ? s : { ...s, text: s.text.replace(FORBIDDEN, '?') }));
}

function wrap(text: string, inks: readonly Ink[]): string {
  let out = text;
  for (const i of inks) if (i.open !== '') out = i.open + out + i.close;
  return out;
}

/** The row as a string with SGR, exactly `cells` cells wide. */
export function paint(r: Row, cells: number, theme: Theme): string {
  const p = theme.palette;
  const segs = clip(safe(r.segs), cells, theme.sym.cut);
  const gap = cells - segsWidth(segs);
  let out = '';
  const all = gap > 0 ? [...segs, seg(' '.repeat(gap))] : segs;
  for (const s of all) {
    const inks: Ink[] = [p.token[s.token]];
    if (s.bold === true) inks.push(p.bold);
    if (s.accent === true || r.accent === true) inks.push(p.accent);
    out += wrap(s.text, inks);
  }
  return out;
}

/** The row without its looks, for tests and copying. */
export function plain(r: Row, cells: number, theme: Theme): string {
  const segs = clip(safe(r.segs), cells, theme.sym.cut);
  const text = segs.map((s) => s.text).join('');
  return text + ' '.repeat(Math.max(0, cells - width(text)));
}
