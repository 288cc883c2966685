import type { RolloutId } from '../../../proto/vocab/ids.ts';
import type { Rollout, RolloutVerb } from '../../../proto/vocab/rollout.ts';
import type { Facts } from '../fleet.ts';
import { released } from '../rollouts-view.ts';
import type { State } from '../state.ts';
import type { Step } from '../step.ts';
import { words } from '../words.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules } from './base.ts';

/** The verbs that ask; pause and resume touch no node. */
export type AskedVerb = Exclude<RolloutVerb, 'pause' | 'resume'>;

/** A word to a rollout: the number of nodes it reaches is typed; what takes back wants a reason. */
export interface VerbSheet extends SheetBase {
  readonly kind: 'verb';
  readonly rollout: RolloutId;
  readonly verb: AskedVerb;
  /** Nodes that it reaches, as the rollout stands now. */
  readonly nodes: number;
  readonly reason: string;
  readonly typed: string;
  readonly focus: 'reason' | 'type';
}

/** What takes something back is answered for. */
export function wantsReason(verb: AskedVerb): boolean {
  return verb === 'abort' || verb === 'undo';
}

/** Nodes that a verb reaches: those of the steps to come, those that have the version, those that failed. */
export function reach(r: Rollout, verb: AskedVerb): number {
  const had = r.steps[r.step]?.targets ?? 0;
  switch (verb) {
    case 'promote':
      return Math.max(0, (r.steps[r.step + 1]?.targets ?? had) - had);
    case 'promote_full':
      return Math.max(0, (r.steps.at(-1)?.targets ?? had) - had);
    case 'retry':
      return r.counts.failed;
    case 'abort':
    case 'undo':
      return released(r);
  }
}

export const verbRules: SheetRules<VerbSheet> = {
  ...PLAIN,
  yesNo: () => false,
  takesText: () => true,
  edited: (s, edit) =>
    s.focus === 'reason' ? { ...s, reason: edit(s.reason) } : { ...s, typed: edit(s.typed) },
  nextField: (s) => ({ ...s, focus: s.focus === 'reason' ? 'type' : 'reason' }),
  missing: (s) =>
    wantsReason(s.verb) && s.reason.trim() === '' ? words('a reason is wanted', '必须填写原因') : null,
  wanted: (s) => String(s.nodes),
  effect: (s) => ({
    kind: 'rollout-verb',
    sheet: s.id,
    id: s.rollout,
    verb: s.verb,
    reason: s.reason.trim(),
  }),
};

export function openVerb(state: State, r: Rollout, verb: AskedVerb): Step {
  return open(state, {
    ...base(state),
    kind: 'verb',
    rollout: r.id,
    verb,
    nodes: reach(r, verb),
    reason: '',
    typed: '',
    focus: wantsReason(verb) ? 'reason' : 'type',
  });
}

/** `u`: one that goes on is aborted, one that has succeeded is undone. */
export function backVerb(r: Rollout): 'abort' | 'undo' {
  return r.state.kind === 'succeeded' ? 'undo' : 'abort';
}

/** The number follows the rollout: if it changes while it is typed the field empties. */
export function verbNow(sheet: VerbSheet, facts: Facts): VerbSheet {
  const r = facts.rollout.get(sheet.rollout);
  const nodes = r === undefined ? sheet.nodes : reach(r, sheet.verb);
  return nodes === sheet.nodes ? sheet : { ...sheet, nodes };
}
