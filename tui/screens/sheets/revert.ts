import type { RevertPreview } from '../../../proto/vocab/rollout.ts';
import { stateWords } from '../../store/rollout-words.ts';
import type { RevertSheet } from '../../store/sheets/revert.ts';
import type { Row } from '../../theme/row.ts';
import { count } from '../../views/format.ts';
import { type TypedSheetProps, typedSheetRows } from '../../views/sheets/typed.ts';
import type { Ui } from '../../views/ui.ts';
import { clock, person, speak } from '../words.ts';
import { dryRun, errorOf, type Pick2, picker, typedKeys } from './words.ts';

type Fact = TypedSheetProps['facts'][number];

function facts(p: RevertPreview, ui: Ui, say: Pick2): readonly Fact[] {
  const { rollout: r } = p;
  const n = p.nodes.length;
  const regions = p.regions.map((x) => `${x.region} ${count(x.nodes)}`).join('   ');
  const before = p.toLabel ?? say('what stands without it', '其余生效版本');
  const closes = p.closes.map((c, i) => ({
    label: i === 0 ? say('closes', '关闭') : '',
    text: say(
      `${c.service} on ${c.nodes}: its ${count(c.streams)} streams finish first`,
      `${c.nodes} 台的 ${c.service}：其 ${count(c.streams)} 条流先走完`,
    ),
    loud: true,
  }));
  const pace = r.strategy.maxParallel;
  return [
    {
      label: say('takes back', '撤回'),
      text: say(
        `${r.version}, published ${clock(r.createdAt)} by ${person(r.createdBy)}, rollout ${r.id} (${speak(stateWords(r), ui.theme)})`,
        `${r.version}，${person(r.createdBy)} ${clock(r.createdAt)} 发布，发布 ${r.id}（${speak(stateWords(r), ui.theme)}）`,
      ),
    },
    {
      label: say('puts back', '恢复'),
      text:
        p.by === 'undo'
          ? say(
              `${before} as a new version ${p.newLabel ?? ''}, byte for byte`,
              `${before}，作为新版本 ${p.newLabel ?? ''}，逐字节相同`,
            )
          : say(
              `${before}: it was not complete, so no new version is needed`,
              `${before}：发布未完成，无需新版本`,
            ),
    },
    {
      label: say('hits', '影响'),
      text: say(`${count(n)} ${n === 1 ? 'node' : 'nodes'}   ${regions}`, `${count(n)} 台   ${regions}`),
    },
    {
      label: say('streams', '流'),
      text: say(`${count(p.streams)} live on them`, `现有 ${count(p.streams)} 条`),
    },
    ...closes,
    {
      label: say('pace', '节奏'),
      text:
        p.by === 'undo'
          ? say(
              `${p.batches} batches: 1, 1, then the rest; a failure pauses it and asks`,
              `${p.batches} 批：1、1、其余；失败则暂停询问`,
            )
          : say(
              `${p.batches} ${p.batches === 1 ? 'batch' : 'batches'}, ${pace} at a time at most`,
              `${p.batches} 批，每批至多 ${pace} 台`,
            ),
    },
    {
      label: say('then', '然后'),
      text:
        p.by === 'undo'
          ? say('a rollout of its own, on screen 3', '独立的发布，见第 3 屏')
          : say(
              `rollout ${r.id} goes aborting, reverting, rolled_back`,
              `发布 ${r.id} 依次：中止、撤回、已撤回`,
            ),
    },
  ];
}

/** The fleet revert, with the figures of a dry run on the master. */
export function revertRows(sheet: RevertSheet, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const p = sheet.preview;
  // Nothing to take back, or not by you: the master says why, and there is nothing to type.
  const refused = p === null && sheet.error !== null;
  const asking = { label: '', text: say('asking the master …', '正在询问主控 …') };
  return typedSheetRows(
    {
      title: say('Fleet revert: take back the last publish', '全局回退：撤回上次发布'),
      aside: dryRun(sheet, ui),
      facts: p === null ? (refused ? [] : [asking]) : facts(p, ui, say),
      reason: refused
        ? null
        : { label: say('why (kept in the audit log)', '原因（记入审计）'), typed: sheet.reason },
      type: p === null ? null : { want: sheet.context, what: null, typed: sheet.typed },
      focus: sheet.focus,
      error: errorOf(sheet, ui),
      keys: refused
        ? [{ key: 'Esc', label: say('close', '关闭') }]
        : typedKeys(say('revert', '回退'), say, true),
      last: null,
    },
    ui,
  );
}
