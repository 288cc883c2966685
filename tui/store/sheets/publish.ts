import type { BlastRadius, Target } from '../../../proto/vocab/config-version.ts';
import type { Millis, VersionLabel } from '../../../proto/vocab/ids.ts';
import { cursorVersion, publishChoices } from '../configs-view.ts';
import type { Effect } from '../effect.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { words } from '../words.ts';
import { base, next, open, PLAIN, type SheetBase, type SheetRules } from './base.ts';

/** A version to where it is chosen to go: who is hit is asked of the master again for each choice. */
export interface PublishSheet extends SheetBase {
  readonly kind: 'publish';
  readonly label: VersionLabel;
  readonly choices: readonly Target[];
  /** Index into `choices`. */
  readonly chosen: number;
  readonly reason: string;
  readonly typed: string;
  readonly focus: 'to' | 'reason' | 'type';
  readonly preview: BlastRadius | null;
  readonly askedAt: Millis;
}

const FIELDS = ['to', 'reason', 'type'] as const;

/** Who would be hit, by the target that is chosen. */
const ask = (s: PublishSheet): Effect => ({
  kind: 'preview-publish',
  sheet: s.id,
  chosen: s.chosen,
  label: s.label,
  target: s.choices[s.chosen] ?? {},
});

export const publishRules: SheetRules<PublishSheet> = {
  ...PLAIN,
  yesNo: () => false,
  takesText: (s) => s.focus !== 'to',
  edited(s, edit) {
    if (s.focus === 'to') return s;
    return s.focus === 'reason' ? { ...s, reason: edit(s.reason) } : { ...s, typed: edit(s.typed) };
  },
  nextField: (s, by) => ({ ...s, focus: next(FIELDS, s.focus, by) }),
  /** Another target: what was typed was about the one before. */
  choose(s, by, state) {
    const n = s.choices.length;
    const chosen = (s.chosen + by + n) % n;
    const sheet: PublishSheet = { ...s, chosen, preview: null, typed: '', askedAt: state.now };
    return { sheet, effects: [ask(sheet)] };
  },
  missing(s) {
    if (s.preview === null) return words('the master has not said yet who is hit', '主控尚未给出影响范围');
    return s.reason.trim() === '' ? words('a reason is wanted', '必须填写原因') : null;
  },
  wanted: (s) => (s.preview === null ? null : String(s.preview.nodes.length)),
  effect(s) {
    const target = s.choices[s.chosen];
    if (target === undefined) return null;
    return { kind: 'publish', sheet: s.id, label: s.label, target, reason: s.reason.trim() };
  },
  ask,
};

export function openPublish(state: State): Step {
  const item = cursorVersion(state.configs);
  if (item === null) return stay(state);
  const sheet: PublishSheet = {
    ...base(state),
    kind: 'publish',
    label: item.version.label,
    choices: publishChoices(item.version, state.picture.facts),
    chosen: 0,
    reason: '',
    typed: '',
    focus: 'reason',
    preview: null,
    askedAt: state.now,
  };
  return open(state, sheet, ask(sheet));
}
