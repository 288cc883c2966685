import { AppError } from '../../../proto/vocab/errors.ts';
import type { Refusal } from '../../../proto/vocab/node.ts';
import type { Gates, RolloutStep, Strategy } from '../../../proto/vocab/rollout.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Single fields over a named strategy; `gates` and `abort` field by field. */
export type StrategyOverrides = Partial<Omit<Strategy, 'gates' | 'abort'>> & {
  readonly gates?: Partial<Gates>;
  readonly abort?: Partial<Strategy['abort']>;
};

const GATES: Gates = {
  readings: 3,
  intervalMs: MINUTE,
  windowMs: 5 * MINUTE,
  ttft95Pct: 25,
  gap99Pct: 25,
  errorPoints: 0.3,
  abortedPoints: 0.3,
  minSamples: 1000,
};

const step = (size: RolloutStep['size'], more: Partial<RolloutStep> = {}): RolloutStep => ({
  size,
  perRegion: true,
  pause: null,
  analysis: false,
  ...more,
});
const gated = (size: RolloutStep['size'], pause: RolloutStep['pause'] = null): RolloutStep =>
  step(size, { analysis: true, pause });

/** One a region, which waits for a person, then 10 %, 50 %, all. */
const STANDARD: Strategy = {
  name: 'standard',
  steps: [
    gated({ count: 1 }, 'manual'),
    gated({ percent: 10 }),
    gated({ percent: 50 }),
    gated({ percent: 100 }),
  ],
  maxParallel: 8,
  maxUnavailable: 10,
  minHealthyMs: 30 * SECOND,
  healthyDeadlineMs: 5 * MINUTE,
  progressDeadlineMs: 10 * MINUTE,
  abort: { thresholdPct: 2, minExecuted: 5 },
  autoRevert: true,
  rollbackMs: 120 * SECOND,
  gates: GATES,
};

const NAMED = {
  standard: STANDARD,
  /** Nobody need be awake: the gates alone decide. */
  unattended: {
    ...STANDARD,
    name: 'unattended',
    steps: STANDARD.steps.map((s) => ({ ...s, pause: null })),
  },
  /** For small fleets: one a region, then all, and no gate. */
  quick: {
    ...STANDARD,
    name: 'quick',
    steps: [step({ count: 1 }), step({ percent: 100 })],
    maxParallel: 32,
    minHealthyMs: SECOND,
  },
  /** Everybody, whatever becomes of it: as if there were no rollouts. */
  'at-once': {
    ...STANDARD,
    name: 'at-once',
    steps: [step({ percent: 100 })],
    maxParallel: 10_000,
    maxUnavailable: 10_000,
    minHealthyMs: 0,
    abort: { thresholdPct: 100, minExecuted: 5 },
  },
  /** What is known to be good goes back fast; a failure asks a person, since there is nothing to go back to. */
  revert: {
    ...STANDARD,
    name: 'revert',
    steps: [
      step({ count: 1 }, { perRegion: false }),
      step({ count: 2 }, { perRegion: false }),
      step({ percent: 100 }),
    ],
    maxParallel: 4,
    minHealthyMs: 10 * SECOND,
    autoRevert: false,
  },
} as const satisfies Record<string, Strategy>;

export const STRATEGY_NAMES = Object.keys(NAMED) as readonly (keyof typeof NAMED)[];

/** @throws AppError `invalid` for an unknown name, or with the refusals of `checkStrategy` */
export function strategyNamed(name: string, overrides: StrategyOverrides = {}): Strategy {
  if (!Object.hasOwn(NAMED, name)) {
    throw new AppError('invalid', `no strategy is called ${name}: there are ${STRATEGY_NAMES.join(', ')}`);
  }
  const base: Strategy = NAMED[name as keyof typeof NAMED];
  const strategy: Strategy = {
    ...base,
    ...overrides,
    gates: { ...base.gates, ...overrides.gates },
    abort: { ...base.abort, ...overrides.abort },
  };
  const refusals = checkStrategy(strategy);
  if (refusals.length > 0) {
    const first = refusals[0] as Refusal;
    throw new AppError('invalid', `strategy ${strategy.name}: ${first.path}: ${first.message}`, { refusals });
  }
  return strategy;
}

/** What is wrong with it, each with the field. */
export function checkStrategy(s: Strategy): readonly Refusal[] {
  const out: Refusal[] = [];
  const refuse = (path: string, message: string): void => {
    out.push({ code: 'invalid', path, message });
  };
  const within = (path: string, n: number, least: number, most: number, whole = true): void => {
    const ok = Number.isFinite(n) && n >= least && n <= most && (!whole || Number.isInteger(n));
    if (!ok) refuse(path, `${n} must be ${whole ? 'a whole number' : 'a number'} from ${least} to ${most}`);
  };
  const DAY = 24 * 60 * MINUTE;
  within('maxParallel', s.maxParallel, 1, 1e6);
  within('maxUnavailable', s.maxUnavailable, 0, 1e6);
  within('minHealthyMs', s.minHealthyMs, 0, DAY);
  within('healthyDeadlineMs', s.healthyDeadlineMs, SECOND, DAY);
  within('progressDeadlineMs', s.progressDeadlineMs, SECOND, DAY);
  within('rollbackMs', s.rollbackMs, SECOND, DAY);
  within('abort.thresholdPct', s.abort.thresholdPct, 0, 100, false);
  within('abort.minExecuted', s.abort.minExecuted, 1, 1e6);
  within('gates.readings', s.gates.readings, 1, 20);
  within('gates.intervalMs', s.gates.intervalMs, SECOND, DAY);
  within('gates.windowMs', s.gates.windowMs, SECOND, 60 * MINUTE);
  within('gates.minSamples', s.gates.minSamples, 1, 1e9);
  within('gates.ttft95Pct', s.gates.ttft95Pct, 1, 1000, false);
  within('gates.gap99Pct', s.gates.gap99Pct, 1, 1000, false);
  within('gates.errorPoints', s.gates.errorPoints, 0.01, 100, false);
  within('gates.abortedPoints', s.gates.abortedPoints, 0.01, 100, false);
  if (s.minHealthyMs >= s.healthyDeadlineMs) {
    refuse(
      'minHealthyMs',
      'must be shorter than healthyDeadlineMs, or no node could ever become healthy in time',
    );
  }
  if (s.rollbackMs >= s.healthyDeadlineMs) {
    refuse(
      'rollbackMs',
      'must be shorter than healthyDeadlineMs: a node that is cut off reverts before it counts as failed',
    );
  }
  if (s.healthyDeadlineMs > s.progressDeadlineMs) {
    refuse(
      'healthyDeadlineMs',
      'must not be longer than progressDeadlineMs: the step would abort before its node is late',
    );
  }
  out.push(...checkSteps(s.steps));
  return out;
}

function checkSteps(steps: readonly RolloutStep[]): Refusal[] {
  const out: Refusal[] = [];
  const refuse = (path: string, message: string): void => {
    out.push({ code: 'invalid', path, message });
  };
  if (steps.length === 0 || steps.length > 20) refuse('steps', 'there must be 1 to 20 steps');
  steps.forEach((s, i) => {
    const path = `steps[${i}]`;
    if ('count' in s.size) {
      if (!(Number.isInteger(s.size.count) && s.size.count >= 1))
        refuse(`${path}.size.count`, `${s.size.count} must be a whole number from 1`);
    } else if (!(s.size.percent > 0 && s.size.percent <= 100)) {
      refuse(`${path}.size.percent`, `${s.size.percent} must be above 0 and at most 100`);
    }
    const { pause } = s;
    if (typeof pause === 'number' && !(pause >= 0 && Number.isFinite(pause)))
      refuse(`${path}.pause`, `${pause} must be "manual", a duration, or absent`);
    const before = steps[i - 1];
    if (before && smaller(s, before)) refuse(`${path}.size`, 'must not be smaller than the step before');
  });
  const last = steps.at(-1);
  if (last && !('percent' in last.size && last.size.percent === 100))
    refuse(`steps[${steps.length - 1}].size`, 'the last step must take in all: percent 100');
  return out;
}

function smaller(s: RolloutStep, before: RolloutStep): boolean {
  if ('count' in s.size && 'count' in before.size)
    return s.perRegion === before.perRegion && s.size.count < before.size.count;
  return 'percent' in s.size && 'percent' in before.size && s.size.percent < before.size.percent;
}
