import type { Rollout } from '../../../proto/vocab/rollout.ts';
import { closestGate, stateWords, stepSize } from '../../store/rollout-words.ts';
import { type AskedVerb, type VerbSheet, wantsReason } from '../../store/sheets/verb.ts';
import type { State } from '../../store/state.ts';
import type { Row } from '../../theme/row.ts';
import { type TypedSheetProps, typedSheetRows } from '../../views/sheets/typed.ts';
import type { Ui } from '../../views/ui.ts';
import { speak } from '../words.ts';
import { errorOf, type Pick2, picker, typedKeys } from './words.ts';

type Fact = TypedSheetProps['facts'][number];

const TITLE: Readonly<Record<AskedVerb, readonly [en: string, zh: string]>> = {
  promote: ['Promote', '推进'],
  promote_full: ['Promote in full', '推进到底'],
  abort: ['Roll back', '回滚'],
  undo: ['Undo', '撤销'],
  retry: ['Try again what failed of', '重试失败者'],
};

/** What comes of it, by verb. */
function then(r: Rollout, verb: AskedVerb, n: number, ui: Ui, say: Pick2): string {
  const next = r.strategy.steps[r.step + 1];
  const nodes = n === 1 ? '1 node' : `${n} nodes`;
  const more = n === 1 ? '1 more node gets' : `${n} more nodes get`;
  const back = n === 1 ? '1 node gets back what stood before' : `${n} nodes get back what stood before`;
  const pace = `${r.strategy.maxParallel} at once`;
  switch (verb) {
    case 'promote': {
      if (next === undefined) return say('it has succeeded: it was the last step', '即告成功：已是最后一步');
      const size = speak(stepSize(next), ui.theme);
      return say(
        `step ${r.step + 2}, ${size}: ${more} ${r.version}, ${pace}`,
        `第 ${r.step + 2} 步，${size}：再 ${n} 台获得 ${r.version}，同时 ${r.strategy.maxParallel} 台`,
      );
    }
    case 'promote_full':
      return say(
        `${more} ${r.version}, ${pace}: no step, gate or pause is left`,
        `再 ${n} 台获得 ${r.version}，同时 ${r.strategy.maxParallel} 台：不再有步骤、门限与暂停`,
      );
    case 'abort':
      return r.strategy.autoRevert
        ? say(
            `aborting, reverting, rolled_back: ${back}`,
            `中止、撤回：${n} 台恢复先前版本，同时 ${r.strategy.maxParallel} 台`,
          )
        : say(`aborting: nobody else gets it; ${back}`, `中止：不再下发；${n} 台恢复先前版本`);
    case 'undo':
      return say(
        `a new version with the content before, and a rollout that takes it to ${nodes}: 1, 1, then the rest`,
        `以先前内容建新版本，并以新发布送往 ${n} 台：1、1、其余`,
      );
    case 'retry':
      return say(
        `offered ${r.version} once more: ${nodes} that failed`,
        `失败的 ${n} 台再次下发 ${r.version}`,
      );
  }
}

export function verbRows(sheet: VerbSheet, state: State, ui: Ui): readonly Row[] {
  const say = picker(ui);
  const r = state.fleet.facts.rollout.get(sheet.rollout);
  const [en, zh] = TITLE[sheet.verb];
  const gate = closestGate(r?.readings.at(-1));
  const facts: readonly Fact[] =
    r === undefined
      ? []
      : [
          {
            label: say('rollout', '发布'),
            text: `${r.id}   ${r.version}   ${speak(stateWords(r), ui.theme)}`,
          },
          ...(gate === null ? [] : [{ label: say('gate', '门限'), text: gate.long }]),
          { label: say('then', '然后'), text: then(r, sheet.verb, sheet.nodes, ui, say) },
        ];
  const why = wantsReason(sheet.verb);
  return typedSheetRows(
    {
      title: say(`${en} rollout ${sheet.rollout}`, `${zh}发布 ${sheet.rollout}`),
      aside: sheet.sending ? say('sent, waiting for the master', '已发送，等待主控') : '',
      facts,
      reason: {
        label: why
          ? say('why (kept in the audit log)', '原因（记入审计）')
          : say('why (may be empty)', '原因（可空）'),
        typed: sheet.reason,
      },
      type:
        sheet.nodes === 0
          ? null
          : { want: String(sheet.nodes), what: say('the number of nodes', '节点数'), typed: sheet.typed },
      focus: sheet.focus,
      error: errorOf(sheet, ui),
      keys: typedKeys(say(en.toLowerCase(), zh), say, true),
      last: null,
    },
    ui,
  );
}
