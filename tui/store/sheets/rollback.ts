import type { Target } from '../../../proto/vocab/config-version.ts';
import type { Millis, NodeName, VersionLabel } from '../../../proto/vocab/ids.ts';
import { lookedAt } from '../configs-view.ts';
import type { Effect } from '../effect.ts';
import { hit } from '../hit.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { words } from '../words.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules } from './base.ts';

export interface RollbackPreview {
  readonly toLabel: VersionLabel;
  readonly newLabel: VersionLabel;
  readonly nodes: readonly NodeName[];
  readonly streams: number;
}

export interface RollbackSheet extends SheetBase {
  readonly kind: 'rollback';
  readonly label: VersionLabel;
  readonly target: Target;
  readonly reason: string;
  readonly typed: string;
  readonly focus: 'reason' | 'type';
  readonly preview: RollbackPreview | null;
  /** When the master was last asked who is hit. */
  readonly askedAt: Millis;
}

const ask = (s: RollbackSheet): Effect => ({
  kind: 'preview-rollback',
  sheet: s.id,
  label: s.label,
  target: s.target,
});

export const rollbackRules: SheetRules<RollbackSheet> = {
  ...PLAIN,
  yesNo: () => false,
  takesText: () => true,
  edited: (s, edit) =>
    s.focus === 'reason' ? { ...s, reason: edit(s.reason) } : { ...s, typed: edit(s.typed) },
  nextField: (s) => ({ ...s, focus: s.focus === 'reason' ? 'type' : 'reason' }),
  missing(s) {
    if (s.preview === null) return words('the master has not said yet who is hit', '主控尚未给出影响范围');
    return s.reason.trim() === '' ? words('a reason is wanted', '必须填写原因') : null;
  },
  wanted: (s) => (s.preview === null ? null : String(s.preview.nodes.length)),
  effect: (s) => ({
    kind: 'roll-back',
    sheet: s.id,
    label: s.label,
    target: s.target,
    reason: s.reason.trim(),
    confirmNodes: s.preview?.nodes.length ?? 0,
  }),
  ask,
};

/** The version under the cursor, or the one that the node under it should run. */
function versionMeant(state: State): VersionLabel | null {
  if (state.place.kind === 'screen' && state.place.screen === 'rollouts') {
    return lookedAt(state.configs)?.version.label ?? null;
  }
  const name = hit(state)[0];
  return (name === undefined ? undefined : state.picture.facts.node.get(name))?.target?.version ?? null;
}

export function openRollback(state: State): Step {
  const label = versionMeant(state);
  if (label === null) return stay(state);
  const sheet: RollbackSheet = {
    ...base(state),
    kind: 'rollback',
    label,
    target: {},
    reason: '',
    typed: '',
    focus: 'reason',
    preview: null,
    askedAt: state.now,
  };
  return open(state, sheet, ask(sheet));
}
