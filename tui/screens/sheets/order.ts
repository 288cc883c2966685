import { wantedWord } from '../../store/sheet.ts';
import type { OrderSheet } from '../../store/sheets/order.ts';
import type { State } from '../../store/state.ts';
import { countedOnce } from '../../store/task-words.ts';
import type { Row } from '../../theme/row.ts';
import { confirmSheetRows } from '../../views/sheets/confirm.ts';
import { typedSheetRows } from '../../views/sheets/typed.ts';
import type { Ui } from '../../views/ui.ts';
import { errorOf, picker, someOf, typedKeys } from './words.ts';

const figure = (n: number): string => n.toLocaleString('en');

const WORDS = {
  restart: ['Restart', '重启'],
  drain: ['Drain', '排空'],
  undrain: ['End the drain of', '结束排空'],
} as const;

export function orderRows(sheet: OrderSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const n = sheet.nodes.length;
  const [en, zh] = WORDS[sheet.type];
  const one = sheet.region ?? sheet.nodes[0] ?? '';
  const title = say(
    `${en} ${n === 1 || sheet.region !== null ? one : `${n} nodes`}`,
    `${zh} ${n === 1 || sheet.region !== null ? one : `${n} 个节点`}`,
  );
  const isCore = (name: string) => state.fleet.facts.node.get(name)?.nodeType === 'core';
  const streams = countedOnce(sheet.nodes, isCore).reduce(
    (sum, name) => sum + (state.fleet.vitals.get(name)?.streams ?? 0),
    0,
  );
  const s = figure(streams);
  const what = {
    restart: say(
      `cuts those of ${s} streams that do not end in time; x drains first`,
      `${s} 条流中未及时结束者会断；可先 x 排空`,
    ),
    drain: say(
      `takes no new streams; ${s} go on to their end; x again takes it back`,
      `不再接新流；现有 ${s} 条走完；再按 x 撤回`,
    ),
    undrain: say('takes new streams again', '重新接受新流'),
  }[sheet.type];
  const error = errorOf(sheet, ui);
  if (wantedWord(sheet) !== null) {
    return typedSheetRows(
      {
        title,
        aside: '',
        facts: [
          { label: say('hits', '影响'), text: someOf(sheet.nodes, say) },
          { label: say('streams', '流'), text: what, loud: sheet.type === 'restart' },
        ],
        reason: null,
        type: { want: String(n), what: say('the number of nodes', '节点数'), typed: sheet.typed },
        focus: 'type',
        error,
        keys: typedKeys(say(sheet.type, zh), say, false),
        last: null,
      },
      ui,
    );
  }
  return confirmSheetRows(
    {
      title,
      aside: '',
      lines: [
        { text: someOf(sheet.nodes, say) },
        { text: error ?? what, loud: sheet.type === 'restart' || error !== null },
      ],
      question: `${title}${say('?', '？')}`,
      yes: say('yes', '是'),
      no: say('no', '否'),
      keys: [
        { key: 'y', label: say(sheet.type, zh) },
        { key: 'n', label: say('no; Enter and Esc too', '否；Enter、Esc 亦然') },
      ],
    },
    ui,
  );
}
