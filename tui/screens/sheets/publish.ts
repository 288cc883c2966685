import { targetWords } from '../../store/configs-view.ts';
import { type PublishSheet, STRATEGIES } from '../../store/sheets/publish.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import { type PublishPageProps, publishPageRows } from '../../views/sheets/publish.ts';
import type { Ui } from '../../views/ui.ts';
import { clock, person } from '../words.ts';
import { publishChecks, publishWarns } from './publish-checks.ts';
import { publishFacts } from './publish-facts.ts';
import { errorOf, type Pick2, picker } from './words.ts';

function diffProps(sheet: PublishSheet, say: Pick2): PublishPageProps['diff'] {
  const { diff: d, preview } = sheet;
  if (d === null) {
    // Nothing to compare with: the nodes run nothing, or this very version.
    if (preview === null) return null;
    return {
      ...{ label: sheet.label, added: 0, removed: 0, bases: [], focused: false, scroll: 0 },
      lines: [],
    };
  }
  const of = preview?.nodes.length ?? 0;
  const bases = sheet.bases.map((b) => ({
    text:
      b.nodes === 0
        ? say(`${b.label}, its parent`, `${b.label}，父版本`)
        : say(`${b.label}, runs on ${b.nodes} of the ${of}`, `${b.label}，${b.nodes}/${of} 台在用`),
    chosen: b.label === d.from,
  }));
  return {
    label: sheet.label,
    added: d.added,
    removed: d.removed,
    bases,
    focused: sheet.focus === 'base',
    lines: d.lines,
    scroll: sheet.scroll,
  };
}

export function publishRows(sheet: PublishSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const p = sheet.preview;
  const version = state.fleet.facts.version.get(sheet.label);
  const refused = p === null && sheet.error !== null;
  const asking = {
    label: say('nodes', '节点'),
    text: refused ? '-' : say('asking the master …', '正在询问主控 …'),
  };
  const to = targetWords(sheet.choices[sheet.chosen] ?? {});
  const by =
    version === undefined
      ? ''
      : `${sheet.label} ${say('by', '由')} ${person(version.createdBy)} ${clock(version.createdAt)}${version.description === '' ? '' : `: "${version.description}"`}   ${version.bodyHash.slice(0, 7)}`;
  const own = say("the master's", '主控默认');
  const names = STRATEGIES.map(
    (s) => s ?? (p !== null && sheet.pace === 0 ? `${own}: ${p.plan.strategy.name}` : own),
  );
  return publishPageRows(
    {
      title: say(`publish ${sheet.label} to ${to}`, `将 ${sheet.label} 发布到 ${to}`),
      aside: by,
      facts: p === null ? [asking] : publishFacts(p, state, ui),
      diff: diffProps(sheet, say),
      checks: p === null ? [] : publishChecks(p, say),
      warns: p === null ? [] : publishWarns(p, say),
      choices: [
        {
          label: say('to', '目标'),
          options: sheet.choices.map(targetWords),
          chosen: sheet.chosen,
          focused: sheet.focus === 'to',
        },
        {
          label: say('steps', '步骤'),
          options: names,
          chosen: sheet.pace,
          focused: sheet.focus === 'strategy',
        },
      ],
      reason: { label: say('why', '原因'), typed: sheet.reason, focused: sheet.focus === 'reason' },
      type:
        p === null
          ? null
          : { want: String(p.nodes.length), typed: sheet.typed, focused: sheet.focus === 'type' },
      error: sheet.sending ? null : errorOf(sheet, ui),
      keys: [
        { key: 'Enter', label: say('publish', '发布') },
        { key: 'Tab', label: say('next field', '下一栏') },
        { key: 'Left Right', label: say('choose', '选择') },
        { key: 'Up Down PgUp PgDn', label: say('the diff', '差异'), short: say('diff', '差异'), spare: true },
        { key: 'Esc', label: say('cancel', '取消') },
      ],
      last: {
        key: '',
        label: sheet.sending
          ? say('sent, waiting for the master', '已发送，等待主控')
          : say('dry run again every 5 s', '每 5 s 再试运行'),
        short: sheet.sending ? say('sent', '已发送') : '',
      },
    },
    ui,
  );
}
