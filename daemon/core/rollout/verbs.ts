import type { Millis, RolloutId } from '../../../proto/vocab/ids.ts';
import type { RolloutVerb } from '../../../proto/vocab/rollout.ts';
import type { By, StoredRollout, StoredTarget, VerbDone } from './facts.ts';

/**
 * A person's word. `undo` of one in progress is `abort`; of one that succeeded it is a new rollout: the service's.
 * @throws AppError `precondition` naming the state and what would make it possible
 */
export function verb(
  _rollout: StoredRollout,
  _targets: readonly StoredTarget[],
  _verb: RolloutVerb,
  _by: By,
  _now: Millis,
): VerbDone {
  throw new Error('not yet');
}

/** Every verb with whether it is possible now, and if not why. */
export function legalVerbs(
  _rollout: StoredRollout,
  _targets: readonly StoredTarget[],
): readonly { readonly verb: RolloutVerb; readonly ok: boolean; readonly why: string }[] {
  throw new Error('not yet');
}

/** any -> superseded: it stops where it is; one that takes back gives up all it has still released. */
export function supersede(
  _rollout: StoredRollout,
  _targets: readonly StoredTarget[],
  _by: RolloutId,
  _now: Millis,
): VerbDone {
  throw new Error('not yet');
}
