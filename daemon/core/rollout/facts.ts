import type { ConfigHash, Millis, NodeName, RolloutId } from '../../../proto/vocab/ids.ts';
import type { MetricsWindow } from '../../../proto/vocab/metrics.ts';
import type { ConfigFailure, ConfigSync, NodeStatus, NodeType } from '../../../proto/vocab/node.ts';
import type { Reading, Rollout, RolloutTarget } from '../../../proto/vocab/rollout.ts';

// What the core of a rollout is told, and what it answers. All of it is data: who has it acts on it.

export type StoredRollout = Omit<Rollout, 'modRevision'>;
export type StoredTarget = Omit<RolloutTarget, 'modRevision'>;

/** What the registry knows of a node, seen from one rollout. */
export interface NodeFacts {
  readonly name: NodeName;
  readonly region: string;
  readonly nodeType: NodeType;
  /** Kind of its engine, `embedded`; nodes of another kind are no peers for a gate. */
  readonly engine: string;
  readonly status: NodeStatus;
  readonly eligible: boolean;
  /** Of this rollout's version, rendered for this node; `null`: it cannot be rendered, `unfit` says why. */
  readonly hash: ConfigHash | null;
  /** What is wrong and where, when the node cannot take the version. */
  readonly unfit: string | null;
  readonly effectiveHash: ConfigHash | null;
  /** `null` as well where a person asked for one more try of it, by this rollout's publication or by `retry`. */
  readonly rejectedHash: ConfigHash | null;
  readonly configSync: ConfigSync;
  readonly failure: ConfigFailure | null;
  /** Live streams that the change would cut; 0: it cuts none. */
  readonly wouldCut: number;
  readonly streams: number;
}

export interface World {
  /** Since when this master looks: what went by while there was none counts towards no deadline. */
  readonly since: Millis;
  /** Why the master doubts itself rather than its nodes [MasterSuspect]; `null`: it does not. */
  readonly suspect: string | null;
  /** What was read for the request of the advance before, or `null`. */
  readonly reading: Reading | null;
}

export type Side = 'canary' | 'stable' | 'past';

/** A window that a reading needs. `past`: of a canary, before the step's switch. */
export interface WindowAsk {
  readonly side: Side;
  readonly node: NodeName;
  /** Nodes of one group are compared with each other: the region, with the type where both are in the rollout. */
  readonly group: string;
  readonly since: Millis;
  readonly until: Millis;
}

export interface ReadingRequest {
  readonly rollout: RolloutId;
  /** From 0. */
  readonly step: number;
  /** From 1. */
  readonly number: number;
  readonly asks: readonly WindowAsk[];
}

/** `MetricsRings.window`: what is known of a node between two moments; `null`: nothing. */
export type WindowOf = (node: NodeName, since: Millis, until: Millis) => MetricsWindow | null;

export interface Said {
  readonly level: 'info' | 'warn' | 'error';
  readonly text: string;
}

export interface Advance {
  /** The very same object when nothing changed. */
  readonly rollout: StoredRollout;
  /** Those that changed. */
  readonly targets: readonly StoredTarget[];
  /** Their `released` is true from now on: they get the version. */
  readonly release: readonly NodeName[];
  /** Their `released` is false from now on: they get what stands without it. */
  readonly takeBack: readonly NodeName[];
  /** To be read now, and given to the next advance. */
  readonly wantsReading: ReadingRequest | null;
  readonly events: readonly Said[];
}

export interface VerbDone {
  readonly rollout: StoredRollout;
  /** Those that changed. */
  readonly targets: readonly StoredTarget[];
  readonly takeBack: readonly NodeName[];
  /** Who refused it and is to be asked once more: their rejection is to be forgotten in the same commit. */
  readonly retry: readonly NodeName[];
  readonly events: readonly Said[];
}

export interface By {
  readonly actor: string;
  readonly reason: string;
}
