import { BLANK, type Row, row, seg } from '../../theme/row.ts';
import { type KeyHint, keybarRow } from '../foot.ts';
import type { Ui } from '../ui.ts';
import { ruleRow, titleRow } from './parts.ts';

/** A question answered by one letter: Enter and Esc say no. */
export interface ConfirmSheetProps {
  readonly title: string;
  readonly aside: string;
  readonly lines: readonly { readonly text: string; readonly loud?: boolean }[];
  readonly question: string;
  readonly yes: string;
  readonly no: string;
  readonly keys: readonly KeyHint[];
}
export function confirmSheetRows(p: ConfirmSheetProps, ui: Ui): readonly Row[] {
  const { text } = ui.theme;
  const out: Row[] = [ruleRow(ui), titleRow(p.title, p.aside, ui)];
  for (const l of p.lines) out.push(row(seg(` ${text(l.text)}`, l.loud === true ? 'crit' : 'text')));
  out.push(
    BLANK,
    row(
      ' ',
      seg(`${text(p.question)}   `),
      seg('y', 'strong'),
      ` ${text(p.yes)}   `,
      seg('n', 'strong'),
      ` ${text(p.no)}`,
    ),
    keybarRow({ keys: p.keys, last: null, roomy: true }, ui),
  );
  return out;
}
