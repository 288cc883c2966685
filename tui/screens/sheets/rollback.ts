import type { RollbackSheet } from '../../store/sheets/rollback.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import { typedSheetRows } from '../../views/sheets/typed.ts';
import type { Ui } from '../../views/ui.ts';
import { clock } from '../words.ts';
import { dryRun, errorOf, picker, someOf, typedKeys } from './words.ts';

export function rollbackRows(sheet: RollbackSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const p = sheet.preview;
  const asking = say('asking the master …', '正在询问主控 …');
  const published = state.fleet.facts.version.get(sheet.label)?.publications.at(-1);
  const by =
    published === undefined
      ? ''
      : `${published.publishedBy.replace(/\(\d+\)$/, '')} ${clock(published.publishedAt)}`;
  // Nothing to take back, or not by you: the master says why, and there is nothing to type.
  const refusedAtOnce = p === null && sheet.error !== null;
  const none = refusedAtOnce ? '-' : asking;
  const facts = [
    {
      label: say('takes back', '撤回'),
      text:
        published === undefined
          ? sheet.label
          : say(`${sheet.label}, published by ${by}`, `${sheet.label}，${by} 发布`),
    },
    {
      label: say('puts back', '恢复'),
      text:
        p === null
          ? none
          : say(
              `the content of ${p.toLabel} as a new version ${p.newLabel}, byte for byte`,
              `${p.toLabel} 的内容，作为新版本 ${p.newLabel}，逐字节相同`,
            ),
    },
    {
      label: say('hits', '影响'),
      text:
        p === null
          ? '-'
          : say(
              `${p.nodes.length} ${p.nodes.length === 1 ? 'node' : 'nodes'}: ${someOf(p.nodes, say)}`,
              `${p.nodes.length} 台：${someOf(p.nodes, say)}`,
            ),
    },
    {
      label: say('streams', '流'),
      text:
        p === null
          ? '-'
          : say(
              `${p.streams.toLocaleString('en')} live on them; those on listeners that stay are kept`,
              `现有 ${p.streams.toLocaleString('en')} 条；监听不变者保留`,
            ),
    },
  ];
  return typedSheetRows(
    {
      title: say(`Roll back ${sheet.label}`, `回滚 ${sheet.label}`),
      aside: dryRun(sheet, ui),
      facts,
      reason: refusedAtOnce
        ? null
        : { label: say('why (kept in the audit log)', '原因（记入审计）'), typed: sheet.reason },
      type:
        p === null
          ? null
          : {
              want: String(p.nodes.length),
              what: say('the number of nodes', '节点数'),
              typed: sheet.typed,
            },
      focus: sheet.focus,
      error: errorOf(sheet, ui),
      keys: refusedAtOnce
        ? [{ key: 'Esc', label: say('close', '关闭') }]
        : typedKeys(say('roll back', '回滚'), say, true),
      last: null,
    },
    ui,
  );
}
