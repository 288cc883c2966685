import type { Millis } from '../../../proto/vocab/ids.ts';
import type { RevertPreview } from '../../../proto/vocab/rollout.ts';
import type { Effect } from '../effect.ts';
import type { State } from '../state.ts';
import type { Step } from '../step.ts';
import { words } from '../words.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules } from './base.ts';

/** The last publication taken back, whatever it was: the context's name is typed, for the wrong context is the mistake. */
export interface RevertSheet extends SheetBase {
  readonly kind: 'revert';
  readonly context: string;
  readonly reason: string;
  readonly typed: string;
  readonly focus: 'reason' | 'type';
  readonly preview: RevertPreview | null;
  readonly askedAt: Millis;
}

const ask = (s: RevertSheet): Effect => ({ kind: 'preview-revert', sheet: s.id });

export const revertRules: SheetRules<RevertSheet> = {
  ...PLAIN,
  yesNo: () => false,
  takesText: () => true,
  edited: (s, edit) =>
    s.focus === 'reason' ? { ...s, reason: edit(s.reason) } : { ...s, typed: edit(s.typed) },
  nextField: (s) => ({ ...s, focus: s.focus === 'reason' ? 'type' : 'reason' }),
  missing: (s) =>
    s.preview === null ? words('the master has not said yet who is hit', '主控尚未给出影响范围') : null,
  wanted: (s) => s.context,
  effect: (s) => ({
    kind: 'revert-last',
    sheet: s.id,
    reason: s.reason.trim(),
    confirmNodes: s.preview?.nodes.length ?? 0,
  }),
  ask,
};

export function openRevert(state: State): Step {
  const sheet: RevertSheet = {
    ...base(state),
    kind: 'revert',
    context: state.picture.begin?.context ?? '',
    reason: '',
    typed: '',
    focus: 'type',
    preview: null,
    askedAt: state.now,
  };
  return open(state, sheet, ask(sheet));
}
