import type { RolloutId } from '../../../proto/vocab/ids.ts';
import type { Rollout, RolloutVerb } from '../../../proto/vocab/rollout.ts';
import { isOver, type RolloutsView, released } from '../rollouts-view.ts';
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
  /** The number is the master's own: it holds the verb to it. */
  readonly exact: boolean;
  readonly reason: string;
  readonly typed: string;
  readonly focus: 'reason' | 'type';
}

/** What takes something back is answered for. */
export function wantsReason(verb: AskedVerb): boolean {
  return verb === 'abort' || verb === 'undo';
}

/** Nodes that a verb reaches, as the master counts them: of the steps to come, those that have it, those that failed. */
function reach(
  v: RolloutsView,
  r: Rollout,
  verb: AskedVerb,
): { readonly n: number; readonly exact: boolean } {
  const has = released(v, r);
  const all = Object.values(r.counts).reduce((sum, n) => sum + n, 0);
  switch (verb) {
    case 'promote':
      return { ...has, n: Math.max(0, (r.steps[r.step + 1]?.targets ?? has.n) - has.n) };
    case 'promote_full':
      return { ...has, n: all - has.n };
    case 'retry':
      return { n: r.counts.failed, exact: true };
    case 'abort':
      return has;
    case 'undo':
      // Of one that is over: the master decides then whom the old content reaches.
      return { ...has, exact: has.exact && !isOver(r) };
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
  // One that reaches nobody has no number to be sure of.
  wanted: (s) => (s.nodes === 0 ? null : String(s.nodes)),
  effect: (s) => ({
    kind: 'rollout-verb',
    sheet: s.id,
    id: s.rollout,
    verb: s.verb,
    reason: s.reason.trim(),
    confirmNodes: s.exact ? s.nodes : null,
  }),
};

export function openVerb(state: State, r: Rollout, verb: AskedVerb): Step {
  const { n, exact } = reach(state.rollouts, r, verb);
  return open(state, {
    ...base(state),
    kind: 'verb',
    rollout: r.id,
    verb,
    nodes: n,
    exact,
    reason: '',
    typed: '',
    focus: wantsReason(verb) || n === 0 ? 'reason' : 'type',
  });
}

/** `u`: one that goes on is aborted, one that has succeeded is undone. */
export function backVerb(r: Rollout): 'abort' | 'undo' {
  return r.state.kind === 'succeeded' ? 'undo' : 'abort';
}

/** The number follows the rollout: if it changes while it is typed the field empties. */
export function verbNow(sheet: VerbSheet, { rollouts, fleet }: State): VerbSheet {
  const r = fleet.facts.rollout.get(sheet.rollout);
  if (r === undefined) return sheet;
  const { n, exact } = reach(rollouts, r, sheet.verb);
  return n === sheet.nodes && exact === sheet.exact ? sheet : { ...sheet, nodes: n, exact };
}
