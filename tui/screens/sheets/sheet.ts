import type { Sheet } from '../../store/sheet.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import type { Ui } from '../../views/ui.ts';
import { errorRows } from './error.ts';
import { expireRows } from './expire.ts';
import { orderRows } from './order.ts';
import { publishRows } from './publish.ts';
import { reloadRows } from './reload.ts';
import { revertRows } from './revert.ts';
import { rollbackRows } from './rollback.ts';
import { silenceRows } from './silence.ts';
import { verbRows } from './verb.ts';

/** The sheet that is open, as rows; it rises over what it is about. */
export function sheetRows(sheet: Sheet, state: State, ui: Ui): readonly Row[] {
  switch (sheet.kind) {
    case 'silence':
      return silenceRows(sheet, state, ui);
    case 'rollback':
      return rollbackRows(sheet, state, ui);
    case 'publish':
      return publishRows(sheet, state, ui);
    case 'verb':
      return verbRows(sheet, state, ui);
    case 'revert':
      return revertRows(sheet, ui);
    case 'order':
      return orderRows(sheet, state, ui);
    case 'reload':
      return reloadRows(sheet, state, ui);
    case 'expire':
      return expireRows(sheet, state, ui);
    case 'error':
      return errorRows(sheet, ui);
  }
}
