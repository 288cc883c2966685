import type { NodeName } from '../../../proto/vocab/ids.ts';
import { hit } from '../hit.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules, TYPE_OVER } from './base.ts';

/** A marked set; from `TYPE_OVER` nodes on the count is typed instead of `y`. */
export interface ReloadSheet extends SheetBase {
  readonly kind: 'reload';
  readonly nodes: readonly NodeName[];
  readonly typed: string;
}

const wanted = (s: ReloadSheet): string | null =>
  s.nodes.length > TYPE_OVER ? String(s.nodes.length) : null;

export const reloadRules: SheetRules<ReloadSheet> = {
  ...PLAIN,
  yesNo: (s) => wanted(s) === null,
  takesText: (s) => wanted(s) !== null,
  edited: (s, edit) => ({ ...s, typed: edit(s.typed) }),
  wanted,
  effect: (s) => ({ kind: 'reload', nodes: s.nodes }),
  closes: true,
};

/** One node acts at once: a reload cuts nothing, and the message line follows it. A set asks. */
export function reload(state: State): Step {
  const nodes = hit(state);
  if (nodes.length === 0) return stay(state);
  const marked = state.place.kind === 'screen' && state.nodes.marks.size > 0;
  if (!marked) return stay(state, { kind: 'reload', nodes });
  return open(state, { ...base(state), kind: 'reload', nodes, typed: '' });
}
