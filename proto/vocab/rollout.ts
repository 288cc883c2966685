import type { Target } from './config-version.ts';
import type { Millis, NodeName, Revision, RolloutId, VersionLabel } from './ids.ts';

// A rollout takes a publication to its nodes in steps and watches what becomes of them [Argo Rollouts, Nomad, AWS IoT Jobs].

/** One step: so many nodes in all are to be healthy on the new version before it is over. */
export interface RolloutStep {
  /** Nodes, or per cent of those targeted, rounded up; of each region where `perRegion`. */
  readonly size: { readonly count: number } | { readonly percent: number };
  readonly perRegion: boolean;
  /** After the step: `manual` waits for a person, a number waits so many ms, `null` goes on. The last step has no pause. */
  readonly pause: 'manual' | Millis | null;
  /** Whether the gates must pass before the step is over. */
  readonly analysis: boolean;
}

/** When a gate has seen enough, and what it lets pass. */
export interface Gates {
  /** Readings in a row that must pass. */
  readonly readings: number;
  readonly intervalMs: number;
  /** Each reading looks back so far, but never before the step's switch. */
  readonly windowMs: number;
  /** Per cent that a canary's quantile may be over its stable peers'. */
  readonly ttft95Pct: number;
  readonly gap99Pct: number;
  /** Percentage points that a canary's ratio may be over its stable peers'. */
  readonly errorPoints: number;
  readonly abortedPoints: number;
  /** Samples a side below which a reading is inconclusive. */
  readonly minSamples: number;
}

/** How a rollout goes. Durations in ms. */
export interface Strategy {
  /** `standard`, `unattended`, `quick`, `at-once`, or what the caller called it. */
  readonly name: string;
  readonly steps: readonly RolloutStep[];
  /** Nodes offered and not yet settled, at most. */
  readonly maxParallel: number;
  /** Nodes of the target that may be out of reach, or not healthy, before nothing more is offered. */
  readonly maxUnavailable: number;
  readonly minHealthyMs: Millis;
  /** A node that is not healthy so long after its offer has failed. */
  readonly healthyDeadlineMs: Millis;
  /** A step that makes no progress for so long aborts. */
  readonly progressDeadlineMs: Millis;
  /** From the second step: more failed than `thresholdPct` of at least `minExecuted` aborts. In the first any failure does. */
  readonly abort: { readonly thresholdPct: number; readonly minExecuted: number };
  /** An abort puts back what ran before. */
  readonly autoRevert: boolean;
  /** Commit confirmed: a node that does not reach the master within this after its switch reverts by itself. */
  readonly rollbackMs: Millis;
  readonly gates: Gates;
}

/** What a caller wants otherwise than the strategy of that name has it. */
export interface StrategyOverrides extends Partial<Omit<Strategy, 'name' | 'abort' | 'gates'>> {
  readonly abort?: Partial<Strategy['abort']>;
  readonly gates?: Partial<Gates>;
}

/**
 * A step takes no less: so many nodes that are here, `maxParallel` at a time, soak for `minHealthyMs` each, then come the
 * gate's readings and the pause. What a node takes to apply it, and what a person is waited for, come on top.
 */
export function stepAtLeastMs(strategy: Strategy, step: RolloutStep, nodes: number): Millis {
  const turns = Math.ceil(nodes / Math.max(1, strategy.maxParallel));
  const read = step.analysis ? strategy.gates.readings * strategy.gates.intervalMs : 0;
  return turns * strategy.minHealthyMs + read + (typeof step.pause === 'number' ? step.pause : 0);
}

export type PauseReason = 'manual' | 'step' | 'inconclusive' | 'master_suspect';

/** What a rollout does within a step. */
export type StepPhase = 'offering' | 'soaking' | 'analysing';

export type RolloutState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'validating' }
  | { readonly kind: 'progressing'; readonly phase: StepPhase }
  /** `why` in words for a person: `sg aborted: 612 of 1,000 samples`. `until`: it goes on by itself then. */
  | {
      readonly kind: 'paused';
      readonly reason: PauseReason;
      readonly why: string;
      readonly phase: StepPhase;
      readonly until: Millis | null;
    }
  | { readonly kind: 'aborting'; readonly why: string }
  | { readonly kind: 'reverting'; readonly why: string }
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'rolled_back'; readonly why: string }
  | { readonly kind: 'revert_failed'; readonly why: string }
  | { readonly kind: 'superseded'; readonly by: RolloutId }
  | { readonly kind: 'cancelled'; readonly why: string };

export type RolloutKind = RolloutState['kind'];
/** Those after which nothing more happens. */
export const OVER: readonly RolloutKind[] = [
  'succeeded',
  'rolled_back',
  'revert_failed',
  'superseded',
  'cancelled',
];

export const TARGET_STATES = [
  'waiting',
  'offered',
  'applying',
  'soaking',
  'healthy',
  'failed',
  'reverted',
  'deferred_offline',
  'excluded',
  'held_by_streams',
] as const;
export type TargetState = (typeof TARGET_STATES)[number];

/** One node of a rollout. `kind: 'target'` of the store, key `<rollout>/<node>`. */
export interface RolloutTarget {
  readonly rollout: RolloutId;
  readonly node: NodeName;
  readonly region: string;
  /** The step in which its turn comes, from 0. */
  readonly step: number;
  readonly state: TargetState;
  readonly since: Millis;
  /** It gets the new version: it was offered, and not taken back. */
  readonly released: boolean;
  /** In words: the refusal, why it waits, what it does. */
  readonly why: string;
  /** When its turn came last: its deadline counts from here. */
  readonly offeredAt: Millis | null;
  /** When it confirmed the new version. */
  readonly switchedAt: Millis | null;
  readonly modRevision: Revision;
}

export type GateName = 'ttft95' | 'gap99' | 'errors' | 'aborted';
export type Verdict = 'pass' | 'close' | 'fail' | 'inconclusive';

/** One measure in one region: canary against stable. Quantiles in ms, ratios in per cent; `null`: cannot be said. */
export interface GateReading {
  readonly gate: GateName;
  readonly region: string;
  readonly canary: number | null;
  readonly stable: number | null;
  /** Per cent for quantiles, points for ratios. */
  readonly change: number | null;
  readonly limit: number;
  readonly canarySamples: number;
  readonly stableSamples: number;
  readonly canaryNodes: number;
  /** 0: compared with the canaries' own past. */
  readonly stableNodes: number;
  readonly verdict: Verdict;
}

export interface Reading {
  readonly at: Millis;
  /** Of the step, from 1. */
  readonly number: number;
  readonly step: number;
  readonly verdict: Verdict;
  readonly gates: readonly GateReading[];
  /** Who contributes most to the worst gate, and what that gate would be without it. */
  readonly largest: {
    readonly node: NodeName;
    readonly gate: GateName;
    readonly region: string;
    readonly value: number;
    readonly without: number | null;
    readonly changeWithout: number | null;
  } | null;
  /** In words, when it is no pass: `hk TTFT p95 +31.0 % of +25 %`. */
  readonly why: string;
}

/** How a step went. */
export interface StepProgress {
  /** Nodes on the new version when it is over, all steps before included. */
  readonly targets: number;
  readonly startedAt: Millis | null;
  readonly endedAt: Millis | null;
  /** What happened in words: `waited for a person: lin promoted`. */
  readonly note: string;
}

/** `kind: 'rollout'` of the store, key: the id. What is said of single nodes is in its targets. */
export interface Rollout {
  readonly id: RolloutId;
  readonly version: VersionLabel;
  readonly target: Target;
  /** Of the publication that it carries out. */
  readonly revision: Revision;
  /** The rollout whose content this one takes back, or `null`. */
  readonly reverts: RolloutId | null;
  readonly strategy: Strategy;
  readonly state: RolloutState;
  /** Index of the step, from 0. */
  readonly step: number;
  readonly steps: readonly StepProgress[];
  /** Nodes by state. */
  readonly counts: Readonly<Record<TargetState, number>>;
  /** Of this step, newest last, at most `gates.readings`. */
  readonly readings: readonly Reading[];
  readonly nextReadingAt: Millis | null;
  /** Why nothing more happens at the moment, for a person; empty: it goes on. */
  readonly waits: readonly string[];
  /** How many more failed nodes abort it; 1: the next one does. `null`: it is over, or takes back. */
  readonly failuresLeft: number | null;
  /** When it aborts unless there is progress; `null`: nothing is awaited that could be late. */
  readonly deadline: Millis | null;
  readonly createdBy: string;
  readonly reason: string;
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  readonly endedAt: Millis | null;
  readonly modRevision: Revision;
}

export const ROLLOUT_VERBS = [
  'pause',
  'resume',
  'promote',
  'promote_full',
  'abort',
  'retry',
  'undo',
] as const;
export type RolloutVerb = (typeof ROLLOUT_VERBS)[number];

/** Whether a verb may be given now; `why` not, and what would make it possible. */
export interface LegalVerb {
  readonly verb: RolloutVerb;
  readonly ok: boolean;
  readonly why: string;
}

/** How a publication would go as a rollout. */
export interface RolloutPlan {
  readonly strategy: Strategy;
  /** Nodes on the new version after each step, steps before included; steps that come to the same nodes are one. */
  readonly steps: readonly {
    readonly step: RolloutStep;
    readonly targets: number;
    /** See `stepAtLeastMs`. */
    readonly atLeastMs: Millis;
  }[];
  /** Rollouts that are not over and share nodes with it: each stops where it is. */
  readonly supersedes: readonly {
    readonly id: RolloutId;
    readonly version: VersionLabel;
    /** From 0, of `steps`. */
    readonly step: number;
    readonly steps: number;
    /** Who keeps its version. */
    readonly regions: readonly {
      readonly region: string;
      readonly released: number;
      readonly targets: number;
    }[];
  }[];
  /** All steps: it takes no less unless it ends early. */
  readonly atLeastMs: Millis;
}

/** What taking back the last publication would do. */
export interface RevertPreview {
  readonly rollout: Rollout;
  /** `abort`: it is not over, its nodes get back what stands without it; `undo`: a new version with the content before. */
  readonly by: 'abort' | 'undo';
  readonly toLabel: VersionLabel | null;
  readonly newLabel: VersionLabel | null;
  readonly nodes: readonly NodeName[];
  readonly regions: readonly { readonly region: string; readonly nodes: number; readonly streams: number }[];
  readonly streams: number;
  readonly batches: number;
  /** Listeners that would close, by service. */
  readonly closes: readonly { readonly service: string; readonly nodes: number; readonly streams: number }[];
}
