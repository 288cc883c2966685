import type { Token } from '../theme/palette.ts';
import { type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { Ui } from './ui.ts';

const TOKEN: Readonly<Record<Verdict, Token>> = {
  wrong: 'crit',
  unseen: 'stale',
  warning: 'warn',
  changing: 'change',
  paused: 'warn',
  waiting: 'quiet',
  aside: 'quiet',
  well: 'ok',
};

export function verdictToken(v: Verdict): Token {
  return TOKEN[v];
}

/** Loud: only what is wrong, and warnings nobody took. */
export function isLoud(v: Verdict): boolean {
  return v === 'wrong' || v === 'warning';
}

export function verdictSeg(v: Verdict, ui: Ui): Seg {
  return seg(ui.theme.sym.verdict[v], TOKEN[v], isLoud(v) ? { bold: true } : {});
}
