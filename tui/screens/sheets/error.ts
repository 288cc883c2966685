import type { Refusal } from '../../../proto/vocab/node.ts';
import type { ErrorSheet } from '../../store/sheets/error.ts';
import type { Row } from '../../theme/row.ts';
import { refusalSheetRows } from '../../views/sheets/refusal.ts';
import type { Ui } from '../../views/ui.ts';
import { clock } from '../words.ts';
import { picker } from './words.ts';

function place(r: Refusal): string | null {
  const at = r.line === undefined ? '' : `line ${r.line}, column ${r.column ?? 1}`;
  const both = [at, r.path ?? ''].filter((x) => x !== '').join(': ');
  return both === '' ? null : both;
}

export function errorRows(sheet: ErrorSheet, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const first = sheet.refusals[0];
  const more = sheet.refusals.length - 1;
  const also = more > 0 ? say(`; ${more} more`, `；另有 ${more} 处`) : '';
  return refusalSheetRows(
    {
      title: say(`${sheet.title.en} was refused by the master`, `${sheet.title.zh}被主控拒绝`),
      at: clock(sheet.at),
      code: sheet.code,
      what: `${first?.message ?? sheet.message}${also}`,
      where: first === undefined ? null : place(first),
      source: null,
      todo: first?.hint ?? say('nothing was saved and nothing was sent', '未保存，也未下发'),
      trace: null,
      keys: [{ key: 'Esc', label: say('close', '关闭') }],
      last: null,
    },
    ui,
  );
}
