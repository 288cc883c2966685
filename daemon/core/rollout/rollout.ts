import type { Target } from '../../../proto/vocab/config-version.ts';
import type { Millis, NodeName, Revision, RolloutId, VersionLabel } from '../../../proto/vocab/ids.ts';
import type { Strategy } from '../../../proto/vocab/rollout.ts';
import type { Advance, NodeFacts, StoredRollout, StoredTarget, World } from './facts.ts';

export interface Begin {
  readonly id: RolloutId;
  readonly version: VersionLabel;
  readonly target: Target;
  readonly revision: Revision;
  readonly reverts: RolloutId | null;
  readonly strategy: Strategy;
  readonly nodes: readonly NodeFacts[];
  readonly createdBy: string;
  readonly reason: string;
  readonly now: Millis;
}

/** -> pending. Nothing is released; the first advance goes on from here. */
export function begin(_args: Begin): {
  readonly rollout: StoredRollout;
  readonly targets: readonly StoredTarget[];
} {
  throw new Error('not yet');
}

/**
 * What has become of it, and what is to be done now. Called on every tick and after every change of one of its nodes;
 * the same input gives the same output, and nothing is remembered but what is in rollout and targets.
 */
export function advance(
  _rollout: StoredRollout,
  _targets: readonly StoredTarget[],
  _facts: ReadonlyMap<NodeName, NodeFacts>,
  _world: World,
  _now: Millis,
): Advance {
  throw new Error('not yet');
}
