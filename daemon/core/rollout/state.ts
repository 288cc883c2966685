import { AppError } from '../../../proto/vocab/errors.ts';
import type { Millis, RolloutId } from '../../../proto/vocab/ids.ts';
import {
  OVER,
  type PauseReason,
  type RolloutKind,
  type RolloutState,
  type StepPhase,
} from '../../../proto/vocab/rollout.ts';
import type { StoredRollout } from './facts.ts';

// The arrows of a rollout's state: one function each. What must hold before one is taken is its caller's to know; that
// it is one at all is known here.

const ARROWS: Readonly<Record<RolloutKind, readonly RolloutKind[]>> = {
  pending: ['validating', 'cancelled', 'superseded'],
  validating: ['progressing', 'cancelled', 'superseded'],
  progressing: ['progressing', 'paused', 'aborting', 'succeeded', 'cancelled', 'superseded'],
  paused: ['progressing', 'paused', 'aborting', 'succeeded', 'cancelled', 'superseded'],
  aborting: ['reverting', 'cancelled', 'superseded'],
  reverting: ['rolled_back', 'revert_failed', 'superseded'],
  succeeded: [],
  rolled_back: [],
  revert_failed: [],
  superseded: [],
  cancelled: [],
};

export function isOver(r: StoredRollout): boolean {
  return OVER.includes(r.state.kind);
}

function arrow(r: StoredRollout, state: RolloutState, now: Millis): StoredRollout {
  const from = r.state.kind;
  if (!ARROWS[from].includes(state.kind)) {
    throw new AppError('precondition', `rollout ${r.id}: ${from} -> ${state.kind} is not an arrow`);
  }
  return { ...r, state, endedAt: OVER.includes(state.kind) ? now : null };
}

/** pending -> validating. */
export function validating(r: StoredRollout, now: Millis): StoredRollout {
  return arrow(r, { kind: 'validating' }, now);
}

/** validating | paused -> progressing; progressing -> progressing in another phase. */
export function progressing(r: StoredRollout, phase: StepPhase, now: Millis): StoredRollout {
  if (r.state.kind === 'progressing' && r.state.phase === phase) return r;
  return arrow(r, { kind: 'progressing', phase }, now);
}

/** progressing -> paused; paused -> paused for another reason. `until`: it goes on by itself then. */
export function paused(
  r: StoredRollout,
  reason: PauseReason,
  why: string,
  until: Millis | null,
  now: Millis,
): StoredRollout {
  const { state } = r;
  const phase = state.kind === 'progressing' || state.kind === 'paused' ? state.phase : 'offering';
  return arrow(r, { kind: 'paused', reason, why, phase, until }, now);
}

/** progressing | paused -> aborting. */
export function aborting(r: StoredRollout, why: string, now: Millis): StoredRollout {
  return arrow(r, { kind: 'aborting', why }, now);
}

/** aborting -> reverting. */
export function reverting(r: StoredRollout, why: string, now: Millis): StoredRollout {
  return arrow(r, { kind: 'reverting', why }, now);
}

/** reverting -> rolled_back. */
export function rolledBack(r: StoredRollout, why: string, now: Millis): StoredRollout {
  return arrow(r, { kind: 'rolled_back', why }, now);
}

/** reverting -> revert_failed. */
export function revertFailed(r: StoredRollout, why: string, now: Millis): StoredRollout {
  return arrow(r, { kind: 'revert_failed', why }, now);
}

/** progressing | paused -> succeeded. */
export function succeeded(r: StoredRollout, now: Millis): StoredRollout {
  return arrow(r, { kind: 'succeeded' }, now);
}

/** any unfinished -> cancelled: nothing is released, or what is stays as it is. */
export function cancelled(r: StoredRollout, why: string, now: Millis): StoredRollout {
  return arrow(r, { kind: 'cancelled', why }, now);
}

/** any unfinished -> superseded. */
export function superseded(r: StoredRollout, by: RolloutId, now: Millis): StoredRollout {
  return arrow(r, { kind: 'superseded', by }, now);
}
