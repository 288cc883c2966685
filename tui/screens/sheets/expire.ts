import type { ExpireSheet } from '../../store/sheets/expire.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import { confirmSheetRows } from '../../views/sheets/confirm.ts';
import type { Ui } from '../../views/ui.ts';
import { errorOf, picker } from './words.ts';

export function expireRows(sheet: ExpireSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const item = state.alerts.silences.find((i) => i.silence.id === sheet.silence);
  const back =
    item === undefined || item.alerts === null || item.alerts === 0
      ? say('it suppresses nothing now', '目前未抑制任何告警')
      : say(
          `${item.alerts} ${item.alerts === 1 ? 'alert' : 'alerts'} it suppresses can notify again`,
          `其抑制的 ${item.alerts} 条告警将恢复通知`,
        );
  return confirmSheetRows(
    {
      title: say(`End silence ${ui.theme.text(sheet.silence)}`, `结束静默 ${ui.theme.text(sheet.silence)}`),
      aside: sheet.sending ? say('sent, waiting for the master', '已发送，等待主控') : '',
      lines: [
        { text: item === undefined ? '' : `${item.matchers}   ${item.silence.comment}` },
        { text: errorOf(sheet, ui) ?? back, loud: sheet.error !== null },
      ],
      question: say(`End ${sheet.silence} now?`, `现在结束 ${sheet.silence}？`),
      yes: say('yes', '是'),
      no: say('no', '否'),
      keys: [
        { key: 'y', label: say('end it', '结束') },
        { key: 'n', label: say('no; Enter and Esc too', '否；Enter、Esc 亦然') },
      ],
    },
    ui,
  );
}
