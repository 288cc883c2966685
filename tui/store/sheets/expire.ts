import type { SilenceId } from '../../../proto/vocab/ids.ts';
import { cursorSilence } from '../alerts-view.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules } from './base.ts';

export interface ExpireSheet extends SheetBase {
  readonly kind: 'expire';
  readonly silence: SilenceId;
}

export const expireRules: SheetRules<ExpireSheet> = {
  ...PLAIN,
  yesNo: () => true,
  effect: (s) => ({ kind: 'expire-silence', sheet: s.id, id: s.silence }),
};

export function openExpire(state: State): Step {
  const item = cursorSilence(state.alerts);
  if (item === null) return stay(state);
  return open(state, { ...base(state), kind: 'expire', silence: item.silence.id });
}
