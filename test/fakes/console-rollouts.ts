import type { RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import {
  type LegalVerb,
  OVER,
  ROLLOUT_VERBS,
  type Rollout,
  type RolloutState,
  type RolloutStep,
  type RolloutTarget,
  type RolloutVerb,
  type Strategy,
  TARGET_STATES,
} from '../../proto/vocab/rollout.ts';

const step = (size: RolloutStep['size'], perRegion: boolean, pause: RolloutStep['pause']): RolloutStep => ({
  size,
  perRegion,
  pause,
  analysis: true,
});

/** As the design's default: one a region, a person, 10 %, 50 %, all. */
export const fakeStrategy: Strategy = {
  name: 'standard',
  steps: [
    step({ count: 1 }, true, 'manual'),
    step({ percent: 10 }, true, null),
    step({ percent: 50 }, true, null),
    step({ percent: 100 }, true, null),
  ],
  maxParallel: 8,
  maxUnavailable: 8,
  minHealthyMs: 30_000,
  healthyDeadlineMs: 300_000,
  progressDeadlineMs: 600_000,
  abort: { thresholdPct: 2, minExecuted: 5 },
  autoRevert: true,
  rollbackMs: 120_000,
  gates: {
    readings: 3,
    intervalMs: 60_000,
    windowMs: 300_000,
    ttft95Pct: 25,
    gap99Pct: 25,
    errorPoints: 0.3,
    abortedPoints: 0.3,
    minSamples: 1000,
  },
};

export function fakeCounts(over: Partial<Rollout['counts']> = {}): Rollout['counts'] {
  // Every state is in it.
  return { ...Object.fromEntries(TARGET_STATES.map((s) => [s, 0])), ...over } as Rollout['counts'];
}

export function fakeRollout(id: string, over: Partial<Rollout> = {}): Rollout {
  return {
    id: id as RolloutId,
    version: 'v42' as VersionLabel,
    target: {},
    revision: 1,
    reverts: null,
    strategy: fakeStrategy,
    state: { kind: 'progressing', phase: 'offering' },
    step: 0,
    steps: fakeStrategy.steps.map(() => ({ targets: 0, startedAt: null, endedAt: null, note: '' })),
    counts: fakeCounts(),
    readings: [],
    nextReadingAt: null,
    waits: [],
    failuresLeft: 0,
    deadline: null,
    createdBy: 'lin(1000)',
    reason: '',
    createdAt: 0,
    updatedAt: 0,
    endedAt: null,
    modRevision: 1,
    ...over,
  };
}

export function fakeTarget(rollout: string, node: string, over: Partial<RolloutTarget> = {}): RolloutTarget {
  return {
    rollout: rollout as RolloutId,
    node: node as RolloutTarget['node'],
    region: 'hk',
    step: 0,
    state: 'waiting',
    since: 0,
    released: false,
    why: '',
    offeredAt: null,
    switchedAt: null,
    modRevision: 1,
    ...over,
  };
}

/** What a verb makes of a state here: enough for a console to see that it was heard. */
const AFTER: Readonly<
  Record<Exclude<RolloutVerb, 'retry' | 'undo'>, (r: Rollout, why: string) => RolloutState>
> = {
  pause: (_, why) => ({ kind: 'paused', reason: 'manual', why, phase: 'offering', until: null }),
  resume: () => ({ kind: 'progressing', phase: 'offering' }),
  promote: () => ({ kind: 'progressing', phase: 'offering' }),
  promote_full: () => ({ kind: 'progressing', phase: 'offering' }),
  abort: (_, why) => ({ kind: 'rolled_back', why }),
};

export function legalHere(r: Rollout): readonly LegalVerb[] {
  const over = OVER.includes(r.state.kind);
  const ok: Readonly<Record<RolloutVerb, boolean>> = {
    pause: r.state.kind === 'progressing',
    resume: r.state.kind === 'paused',
    promote: r.state.kind === 'paused',
    promote_full: !over,
    abort: !over,
    retry: !over,
    undo: r.state.kind === 'succeeded',
  };
  return ROLLOUT_VERBS.map((verb) => ({
    verb,
    ok: ok[verb],
    why: ok[verb] ? '' : `rollout ${r.id} is ${r.state.kind}`,
  }));
}

/** The rollout as it is after a verb. */
export function afterVerb(r: Rollout, verb: RolloutVerb, why: string, now: number): Rollout {
  if (verb === 'retry' || verb === 'undo') return { ...r, updatedAt: now };
  const state = AFTER[verb](r, why);
  const last = r.steps.length - 1;
  const at = verb === 'promote' ? Math.min(last, r.step + 1) : verb === 'promote_full' ? last : r.step;
  return { ...r, state, step: at, updatedAt: now, endedAt: OVER.includes(state.kind) ? now : null };
}
