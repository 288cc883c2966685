import type { BlastRadius } from '../../proto/vocab/config-version.ts';
import { targetWords, unfit } from '../store/configs-view.ts';
import { type OrderSheet, type PublishSheet, wantsCount } from '../store/sheet.ts';
import type { State } from '../store/state.ts';
import { countedOnce } from '../store/task-words.ts';
import type { Row } from '../theme/row.ts';
import { confirmSheetRows, type TypedSheetProps, typedSheetRows } from '../views/sheets.ts';
import type { Ui } from '../views/ui.ts';
import { type Pick2, picker, someOf, typedKeys } from './sheet-words.ts';
import { clock, speak } from './words.ts';

type Fact = TypedSheetProps['facts'][number];

const figure = (n: number): string => n.toLocaleString('en');

/** The targets around the chosen one, that one in brackets; what does not fit is left out from the far end. */
function choicesText(sheet: PublishSheet, cells: number): string {
  const words = sheet.choices.map((t, i) => (i === sheet.chosen ? `[${targetWords(t)}]` : targetWords(t)));
  let from = 0;
  while (from < sheet.chosen && words.slice(from, sheet.chosen + 1).join('  ').length > cells) from += 1;
  return words.slice(from).join('  ');
}

function blastFacts(p: BlastRadius, say: Pick2): readonly Fact[] {
  const names = p.nodes.map((n) => n.name);
  const regions = p.regions.map((r) => `${r.region} ${r.nodes}`).join('  ');
  const closes = p.nodes.flatMap((n) => n.closes.map((c) => `${c.service} ${c.addr}`));
  const bad = unfit(p);
  const first = bad[0];
  const same = p.nodes.filter((n) => n.change === 'unchanged').length;
  return [
    {
      label: say('hits', '影响'),
      text:
        names.length === 0
          ? say('no node yet; those that join get it', '暂无节点；新加入者将获得')
          : say(
              `${names.length} ${names.length === 1 ? 'node' : 'nodes'}: ${someOf(names, say)}${same > 0 ? `; ${same} unchanged` : ''}`,
              `${names.length} 台：${someOf(names, say)}${same > 0 ? `；${same} 台不变` : ''}`,
            ),
    },
    { label: say('regions', '地区'), text: regions === '' ? '-' : regions },
    {
      label: say('streams', '流'),
      text: say(`${figure(p.streams)} live on them`, `现有 ${figure(p.streams)} 条`),
    },
    {
      label: say('closes', '关闭'),
      text:
        p.listenersClosed === 0
          ? say('no listener', '无监听关闭')
          : say(
              `${p.listenersClosed} listeners: ${someOf([...new Set(closes)], say)}`,
              `${p.listenersClosed} 个监听：${someOf([...new Set(closes)], say)}`,
            ),
      loud: p.listenersClosed > 0,
    },
    ...(first === undefined
      ? []
      : [
          {
            label: say('cannot', '无法运行'),
            text: `${someOf(
              bad.map((n) => n.name),
              say,
            )}: ${first.why}`,
            loud: true,
          },
        ]),
  ];
}

export function publishRows(sheet: PublishSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const p = sheet.preview;
  const version = state.fleet.facts.version.get(sheet.label);
  const refusedAtOnce = p === null && sheet.error !== null;
  const to = {
    label: sheet.focus === 'to' ? say('> to', '> 目标') : say('to', '目标'),
    text: choicesText(sheet, ui.width - 14),
  };
  const asking: Fact = {
    label: say('hits', '影响'),
    text: refusedAtOnce ? '-' : say('asking the master …', '正在询问主控 …'),
  };
  return typedSheetRows(
    {
      title: say(`Publish ${sheet.label}`, `发布 ${sheet.label}`),
      aside: sheet.sending
        ? say('sent, waiting for the master', '已发送，等待主控')
        : p === null
          ? ''
          : say(
              `dry run ${clock(sheet.askedAt)}, again every 5 s`,
              `试运行 ${clock(sheet.askedAt)}，每 5 s 更新`,
            ),
      facts: [
        {
          label: say('version', '版本'),
          text: `${sheet.label}, ${say('parent', '父版本')} ${version?.parent ?? '-'}${version?.description ? `: ${version.description}` : ''}`,
        },
        to,
        ...(p === null ? [asking] : blastFacts(p, say)),
      ],
      reason: { label: say('why (kept in the audit log)', '原因（记入审计）'), typed: sheet.reason },
      type:
        p === null
          ? null
          : { want: String(p.nodes.length), what: say('the number of nodes', '节点数'), typed: sheet.typed },
      focus: sheet.focus === 'to' ? 'none' : sheet.focus,
      error: sheet.error === null ? null : speak(sheet.error, ui.theme),
      keys: [
        ...typedKeys(say('publish', '发布'), say, true).slice(0, 2),
        { key: 'Left Right', label: say('to whom', '换目标') },
        { key: 'Esc', label: say('cancel', '取消') },
      ],
      last: null,
    },
    ui,
  );
}

const WORDS = {
  restart: ['Restart', '重启'],
  drain: ['Drain', '排空'],
  undrain: ['End the drain of', '结束排空'],
} as const;

export function orderRows(sheet: OrderSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const n = sheet.nodes.length;
  const [en, zh] = WORDS[sheet.type];
  const one = sheet.nodes[0] ?? '';
  const title = say(`${en} ${n === 1 ? one : `${n} nodes`}`, `${zh} ${n === 1 ? one : `${n} 个节点`}`);
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
  const error = sheet.error === null ? null : speak(sheet.error, ui.theme);
  if (wantsCount(sheet)) {
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
