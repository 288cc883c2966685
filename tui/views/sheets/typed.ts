import { BLANK, type Row, row, seg } from '../../theme/row.ts';
import { padTo } from '../../theme/width.ts';
import { type KeyHint, keybarRow } from '../foot.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';
import { errorRows, field, ruleRow, titleRow } from './parts.ts';

/** A question whose answer is a typed word: reload of a set, roll back. */
export interface TypedSheetProps {
  readonly title: string;
  /** `dry run 03:12:10, again every 5 s` */
  readonly aside: string;
  /** Label and text; an empty label continues the one before. `loud`: what is cut. */
  readonly facts: readonly { readonly label: string; readonly text: string; readonly loud?: boolean }[];
  readonly reason: { readonly label: string; readonly typed: string } | null;
  /** `null`: nothing can be asked yet, or at all. */
  readonly type: { readonly want: string; readonly what: string | null; readonly typed: string } | null;
  readonly focus: 'reason' | 'type' | 'none';
  readonly error: string | null;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export function typedSheetRows(p: TypedSheetProps, ui: Ui): readonly Row[] {
  const { text } = ui.theme;
  const out: Row[] = [ruleRow(ui), titleRow(p.title, p.aside, ui)];
  for (const f of p.facts)
    out.push(
      row(' ', seg(padTo(text(f.label), 11), 'quiet'), seg(text(f.text), f.loud === true ? 'crit' : 'text')),
    );
  out.push(BLANK);
  if (p.reason !== null)
    out.push(
      row(
        ' ',
        seg(`${text(p.reason.label)}    `, 'quiet'),
        ...field(p.reason.typed, p.focus === 'reason', ui),
      ),
    );
  if (p.type !== null) out.push(questionRow(p.type, p.focus === 'type', ui));
  out.push(...errorRows(p.error, ui), keybarRow({ keys: p.keys, last: p.last, roomy: true }, ui));
  return out;
}

function questionRow(q: NonNullable<TypedSheetProps['type']>, focused: boolean, ui: Ui): Row {
  const { text, say } = ui.theme;
  const hit = q.typed === q.want;
  const verdict = hit
    ? [verdictSeg('well', ui), seg(` ${say('sheet.matches')}`)]
    : q.typed === ''
      ? []
      : [seg(say('sheet.notyet', { typed: text(q.typed), want: text(q.want) }), 'quiet')];
  const want = text(q.want);
  const ask = q.what === null ? say('sheet.word', { want }) : say('sheet.type', { want, what: text(q.what) });
  return row(` ${ask}     `, ...field(q.typed, focused, ui), '      ', ...verdict);
}
