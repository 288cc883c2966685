import type { BlastRadius } from '../../../proto/vocab/config-version.ts';
import { targetWords, unfit } from '../../store/configs-view.ts';
import type { PublishSheet } from '../../store/sheets/publish.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import { type TypedSheetProps, typedSheetRows } from '../../views/sheets/typed.ts';
import type { Ui } from '../../views/ui.ts';
import { dryRun, errorOf, type Pick2, picker, someOf } from './words.ts';

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
      aside: dryRun(sheet, ui),
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
      error: errorOf(sheet, ui),
      keys: [
        { key: 'Enter', label: say('publish', '发布') },
        { key: 'Tab', label: say('next field', '下一栏') },
        { key: 'Left Right', label: say('to whom', '换目标') },
        { key: 'Esc', label: say('cancel', '取消') },
      ],
      last: null,
    },
    ui,
  );
}
