import { type Row, type Seg, seg } from '../theme/row.ts';
import { cutEnd, padTo, width } from '../theme/width.ts';
import type { Ui } from './ui.ts';

/** A column of a plain table. Cells. */
export interface Place {
  readonly x: number;
  readonly width: number;
  readonly align?: 'right';
}

/** Segments put where they belong; each is cut to its place. A cell may be several segments. */
export function place(cells: readonly (readonly [Place, Seg | readonly Seg[]])[], ui: Ui): readonly Seg[] {
  const out: Seg[] = [];
  let x = 0;
  for (const [at, what] of cells) {
    if (at.width <= 0) continue;
    if (at.x > x) out.push(seg(' '.repeat(at.x - x)));
    const segs = Array.isArray(what) ? (what as readonly Seg[]) : [what as Seg];
    let left = at.width;
    segs.forEach((s, i) => {
      const text = cutEnd(s.text, left, ui.theme.sym.cut);
      const last = i === segs.length - 1;
      out.push({ ...s, text: last ? padTo(text, left, at.align ?? 'left') : text });
      left -= last ? left : width(text);
    });
    x = at.x + at.width;
  }
  return out;
}

export interface Head {
  readonly label: string;
  readonly sorted?: 'down' | 'up';
}

/** Column heads; only the words are underlined. */
export function heads(cells: readonly (readonly [Place, Head])[], ui: Ui): Row {
  const out: Seg[] = [];
  let x = 0;
  for (const [at, head] of cells) {
    if (at.width <= 0) continue;
    const label = cutEnd(head.label, at.width, ui.theme.sym.cut);
    const start = at.align === 'right' ? at.x + at.width - width(label) : at.x;
    if (start > x) out.push(seg(' '.repeat(start - x)));
    out.push(seg(label, 'head'));
    x = Math.max(x, start) + width(label);
    if (head.sorted !== undefined) {
      out.push(seg(head.sorted === 'down' ? ui.theme.sym.down : ui.theme.sym.up, 'strong'));
      x += 1;
    }
  }
  return { segs: out };
}
