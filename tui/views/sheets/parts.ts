import { BLANK, ends, type Row, row, type Seg, seg } from '../../theme/row.ts';
import { wrapped } from '../describe-body.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';

// Sheets rise from the bottom under one rule and end with their own key row. Every view here gives all its rows.

export function ruleRow(ui: Ui): Row {
  return row(seg(ui.theme.sym.rule.repeat(ui.width), 'quiet'));
}

export function titleRow(title: string, aside: string, ui: Ui): Row {
  const { text, sym } = ui.theme;
  const right = aside === '' ? [] : [seg(` ${text(aside)} `, 'quiet')];
  return ends([seg(' '), seg(text(title), 'strong')], right, ui.width, sym.cut);
}

/** What is typed, with the caret when the next key goes there. */
export function field(typed: string, focused: boolean, ui: Ui): readonly Seg[] {
  const words = seg(ui.theme.text(typed), 'strong');
  return focused ? [words, seg(ui.theme.sym.caret, 'text', { accent: true })] : [words];
}

/** A refusal in the master's words, whole; one row even when there is none. */
export function errorRows(error: string | null, ui: Ui): readonly Row[] {
  if (error === null) return [BLANK];
  const [first = '', ...more] = wrapped(ui.theme.text(error), ui.width - 4);
  return [errorRow(first, ui), ...more.slice(0, 3).map((part) => row(seg(`   ${part}`, 'crit')))];
}

export function errorRow(error: string | null, ui: Ui): Row {
  if (error === null) return BLANK;
  return row(' ', verdictSeg('wrong', ui), seg(` ${ui.theme.text(error)}`, 'crit'));
}
