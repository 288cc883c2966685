import { ends, type Row, row, seg } from '../../theme/row.ts';
import { cutEnd, padTo, width } from '../../theme/width.ts';
import { wrapped } from '../describe-body.ts';
import { type KeyHint, keybarRow } from '../foot.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';
import { ruleRow } from './parts.ts';

/** An error from the master: what, where with the line it is about, what to do. */
export interface RefusalSheetProps {
  readonly title: string;
  readonly at: string;
  readonly code: string;
  readonly what: string;
  /** `line 63, column 106: hops[0]…` */
  readonly where: string | null;
  /** The line it is about, with its number. */
  readonly source: { readonly line: number; readonly column: number; readonly text: string } | null;
  readonly todo: string;
  readonly trace: string | null;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export function refusalSheetRows(p: RefusalSheetProps, ui: Ui): readonly Row[] {
  const { text, say, sym } = ui.theme;
  const line = (label: string, words: string, loud = false): Row[] =>
    wrapped(text(words), ui.width - 10).map((part, i) =>
      row(' ', seg(padTo(i === 0 ? label : '', 8), 'quiet'), seg(part, loud ? 'strong' : 'text')),
    );
  const out: Row[] = [
    ruleRow(ui),
    ends(
      [seg(' '), verdictSeg('wrong', ui), seg(` ${text(p.title)}`, 'crit', { bold: true })],
      [seg(` ${text(p.at)}  ${text(p.code)} `, 'quiet')],
      ui.width,
      sym.cut,
    ),
    ...line(say('sheet.what'), p.what, true),
  ];
  if (p.where !== null) out.push(...line(say('sheet.where'), p.where));
  if (p.source !== null) out.push(row(`         ${sourceLine(p.source, ui.width - 10, ui)}`));
  out.push(...line(say('sheet.do'), p.todo));
  if (p.trace !== null) out.push(...line(say('sheet.trace'), p.trace));
  out.push(keybarRow({ keys: p.keys, last: p.last, roomy: true }, ui));
  return out;
}

/** The line it is about with its number; a long one is cut around the column, so that the place stays in view. */
function sourceLine(s: NonNullable<RefusalSheetProps['source']>, cells: number, ui: Ui): string {
  const { text, sym } = ui.theme;
  const number = `${s.line} `;
  const room = Math.max(8, cells - number.length);
  const whole = text(s.text.trimEnd());
  if (width(whole) <= room) return number + whole;
  const points = [...s.text];
  const from = Math.max(0, s.column - 1 - Math.floor(room / 2));
  const part = text(points.slice(from).join(''));
  return number + cutEnd(from > 0 ? sym.cut + part : part, room, sym.cut);
}
