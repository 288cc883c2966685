import { z } from 'zod';
import type {
  StrategyOverrides,
  RolloutPlan as VocabPlan,
  RolloutStep as VocabStep,
  Strategy as VocabStrategy,
} from '../../../proto/vocab/rollout.ts';
import type { Pace } from '../../service/api.ts';

// How a rollout goes, in JSON. Whether it makes sense is the service's to say.

const Ms = z.int().min(0);

const Step = z
  .strictObject({
    count: z.int().min(1).optional().describe('nodes; either this or percent'),
    percent: z.number().min(0).max(100).optional().describe('of those targeted, rounded up'),
    per_region: z.boolean().describe('of each region'),
    pause: z
      .union([z.literal('manual'), Ms])
      .nullable()
      .describe('after it: manual waits for a person, a number so many ms; null goes on'),
    analysis: z.boolean().describe('the gates must pass before it is over'),
  })
  .meta({ id: 'RolloutStep' });

const Gates = z.strictObject({
  readings: z.int().min(0).describe('in a row that must pass'),
  interval_ms: Ms,
  window_ms: Ms,
  ttft95_pct: z.number().describe('per cent that a quantile may be over the stable peers’'),
  gap99_pct: z.number(),
  error_points: z.number().describe('percentage points'),
  aborted_points: z.number(),
  min_samples: z.int().min(0).describe('a side; below it a reading is inconclusive'),
});

const Abort = z.strictObject({ threshold_pct: z.number(), min_executed: z.int().min(0) });

const fields = {
  steps: z.array(Step).min(1).max(32),
  max_parallel: z.int().min(0).max(1_000_000).describe('nodes offered and not yet settled'),
  max_unavailable: z.int().min(0).max(1_000_000),
  min_healthy_ms: Ms,
  healthy_deadline_ms: Ms,
  progress_deadline_ms: Ms,
  auto_revert: z.boolean().describe('an abort puts back what ran before'),
  rollback_ms: Ms.describe(
    'a node that does not reach the master so soon after its switch reverts by itself',
  ),
};

export const Strategy = z
  .object({ name: z.string(), ...fields, abort: Abort, gates: Gates })
  .meta({ id: 'Strategy' });

/** What is absent is as the strategy of that name has it. */
const Overrides = z
  .strictObject({ ...fields, abort: Abort.partial(), gates: Gates.partial() })
  .partial()
  .meta({ id: 'StrategyOverrides' });

export const PaceIn = {
  strategy: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('standard, unattended, quick, at-once or revert; the master’s own where none is given'),
  overrides: Overrides.optional().describe('single fields over it'),
};

function stepJson(s: VocabStep): z.output<typeof Step> {
  return { ...s.size, per_region: s.perRegion, pause: s.pause, analysis: s.analysis };
}

export function strategyJson(s: VocabStrategy): z.output<typeof Strategy> {
  const { gates: g } = s;
  return {
    name: s.name,
    steps: s.steps.map(stepJson),
    max_parallel: s.maxParallel,
    max_unavailable: s.maxUnavailable,
    min_healthy_ms: s.minHealthyMs,
    healthy_deadline_ms: s.healthyDeadlineMs,
    progress_deadline_ms: s.progressDeadlineMs,
    auto_revert: s.autoRevert,
    rollback_ms: s.rollbackMs,
    abort: { threshold_pct: s.abort.thresholdPct, min_executed: s.abort.minExecuted },
    gates: {
      readings: g.readings,
      interval_ms: g.intervalMs,
      window_ms: g.windowMs,
      ttft95_pct: g.ttft95Pct,
      gap99_pct: g.gap99Pct,
      error_points: g.errorPoints,
      aborted_points: g.abortedPoints,
      min_samples: g.minSamples,
    },
  };
}

/** Without those that are absent. */
function given<T extends object>(all: { [K in keyof T]-?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as T;
}

function stepOf(s: z.output<typeof Step>): VocabStep {
  // Neither given is a step of nobody, which the service refuses with its place.
  const size = s.percent === undefined ? { count: s.count ?? 0 } : { percent: s.percent };
  return { size, perRegion: s.per_region, pause: s.pause, analysis: s.analysis };
}

function overridesOf(o: z.output<typeof Overrides>): StrategyOverrides {
  const { gates: g, abort: a } = o;
  return given<StrategyOverrides>({
    steps: o.steps?.map(stepOf),
    maxParallel: o.max_parallel,
    maxUnavailable: o.max_unavailable,
    minHealthyMs: o.min_healthy_ms,
    healthyDeadlineMs: o.healthy_deadline_ms,
    progressDeadlineMs: o.progress_deadline_ms,
    autoRevert: o.auto_revert,
    rollbackMs: o.rollback_ms,
    abort:
      a &&
      given<Partial<VocabStrategy['abort']>>({ thresholdPct: a.threshold_pct, minExecuted: a.min_executed }),
    gates:
      g &&
      given<Partial<VocabStrategy['gates']>>({
        readings: g.readings,
        intervalMs: g.interval_ms,
        windowMs: g.window_ms,
        ttft95Pct: g.ttft95_pct,
        gap99Pct: g.gap99_pct,
        errorPoints: g.error_points,
        abortedPoints: g.aborted_points,
        minSamples: g.min_samples,
      }),
  });
}

export function paceOf(body: {
  readonly strategy?: string | undefined;
  readonly overrides?: z.output<typeof Overrides> | undefined;
}): Pace {
  return {
    ...(body.strategy === undefined ? {} : { strategy: body.strategy }),
    ...(body.overrides === undefined ? {} : { overrides: overridesOf(body.overrides) }),
  };
}

export const RolloutPlan = z
  .object({
    strategy: Strategy,
    steps: z.array(
      z.object({
        step: Step,
        targets: z.int().describe('on it after this step, all before included'),
        at_least_ms: z
          .int()
          .describe(
            'soaks, readings and a pause, as far as they are given; what nodes take to apply it comes on top',
          ),
      }),
    ),
    supersedes: z
      .array(
        z.object({
          id: z.string(),
          version: z.string(),
          step: z.int().describe('from 1'),
          steps: z.int(),
          regions: z.array(z.object({ region: z.string(), released: z.int(), targets: z.int() })),
        }),
      )
      .describe('rollouts that are not over and share nodes with it: each stops where it is'),
    at_least_ms: z
      .int()
      .describe(
        'of all steps; what a person is waited for comes on top, and less it is only if it ends early',
      ),
    about_ms: z.int().describe('at_least_ms, by its name of before').meta({ deprecated: true }),
  })
  .meta({ id: 'RolloutPlan' });

export function planJson(p: VocabPlan): z.output<typeof RolloutPlan> {
  return {
    strategy: strategyJson(p.strategy),
    steps: p.steps.map(({ step, targets, atLeastMs }) => ({
      step: stepJson(step),
      targets,
      at_least_ms: atLeastMs,
    })),
    supersedes: p.supersedes.map((s) => ({
      ...s,
      step: s.step + 1,
      regions: s.regions.map((r) => ({ ...r })),
    })),
    at_least_ms: p.atLeastMs,
    about_ms: p.atLeastMs,
  };
}
