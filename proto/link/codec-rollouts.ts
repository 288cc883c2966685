import type {
  GateReading as WireGate,
  Gates as WireGates,
  RolloutVerb as WireLegal,
  StrategyOverrides as WireOverrides,
  RolloutPlan as WirePlan,
  Reading as WireReading,
  PreviewRevertResponse as WireRevert,
  Rollout as WireRollout,
  RolloutState as WireState,
  RolloutStep as WireStep,
  Strategy as WireStrategy,
  RolloutTarget as WireTarget,
} from '../gen/aicdn/v1/console.ts';
import type { RolloutId } from '../vocab/ids.ts';
import {
  type Gates,
  type LegalVerb,
  type Reading,
  type RevertPreview,
  ROLLOUT_VERBS,
  type Rollout,
  type RolloutPlan,
  type RolloutState,
  type RolloutStep,
  type RolloutTarget,
  type Strategy,
  type StrategyOverrides,
  TARGET_STATES,
} from '../vocab/rollout.ts';
import { decodeTarget, encodeTarget, MOST_NODES } from './codec-console.ts';
import * as w from './wire.ts';

// Rollouts, wire ⇄ vocab. Decoders throw AppError `invalid`.

const MOST_STEPS = 64;
const MOST_READINGS = 256;
const MOST_REGIONS = 4096;
const MOST_GATES = 4 * MOST_REGIONS;
const MOST_WAITS = 64;
const MOST_SERVICES = 4096;

const PHASES = ['offering', 'soaking', 'analysing'] as const;
const REASONS = ['manual', 'step', 'inconclusive', 'master_suspect'] as const;
const GATES = ['ttft95', 'gap99', 'errors', 'aborted'] as const;
const VERDICTS = ['pass', 'close', 'fail', 'inconclusive'] as const;

export function rolloutId(value: string, field: string): RolloutId {
  return w.required(value, field) as RolloutId;
}

function stampOrNone(ms: number | null) {
  return ms === null ? undefined : w.stamp(ms);
}

export function encodeStep(s: RolloutStep): WireStep {
  return {
    size:
      'count' in s.size
        ? { $case: 'count', value: w.whole(s.size.count, 'step.count') }
        : { $case: 'percent', value: s.size.percent },
    perRegion: s.perRegion,
    manual: s.pause === 'manual',
    pauseMs: typeof s.pause === 'number' ? w.big(s.pause, 'step.pause_ms') : undefined,
    analysis: s.analysis,
  };
}

export function decodeStep(s: WireStep): RolloutStep {
  const size = w.present(s.size, 'step.size');
  const pause = s.pauseMs === undefined ? null : w.int(s.pauseMs, 'step.pause_ms');
  return {
    size: size.$case === 'count' ? { count: size.value } : { percent: w.finite(size.value, 'step.percent') },
    perRegion: s.perRegion,
    pause: s.manual ? 'manual' : pause,
    analysis: s.analysis,
  };
}

function decodeSteps(steps: readonly WireStep[], field: string): readonly RolloutStep[] {
  return w.bounded(steps, MOST_STEPS, field).map(decodeStep);
}

function encodeGates(g: Gates): WireGates {
  return {
    readings: w.whole(g.readings, 'gates.readings'),
    intervalMs: w.big(g.intervalMs, 'gates.interval_ms'),
    windowMs: w.big(g.windowMs, 'gates.window_ms'),
    ttft95Pct: g.ttft95Pct,
    gap99Pct: g.gap99Pct,
    errorPoints: g.errorPoints,
    abortedPoints: g.abortedPoints,
    minSamples: w.whole(g.minSamples, 'gates.min_samples'),
  };
}

function decodeGates(g: WireGates): Gates {
  return {
    readings: g.readings,
    intervalMs: w.int(g.intervalMs, 'gates.interval_ms'),
    windowMs: w.int(g.windowMs, 'gates.window_ms'),
    ttft95Pct: w.finite(g.ttft95Pct, 'gates.ttft95_pct'),
    gap99Pct: w.finite(g.gap99Pct, 'gates.gap99_pct'),
    errorPoints: w.finite(g.errorPoints, 'gates.error_points'),
    abortedPoints: w.finite(g.abortedPoints, 'gates.aborted_points'),
    minSamples: g.minSamples,
  };
}

export function encodeStrategy(s: Strategy): WireStrategy {
  return {
    name: s.name,
    steps: s.steps.map(encodeStep),
    maxParallel: w.whole(s.maxParallel, 'strategy.max_parallel'),
    maxUnavailable: w.whole(s.maxUnavailable, 'strategy.max_unavailable'),
    minHealthyMs: w.big(s.minHealthyMs, 'strategy.min_healthy_ms'),
    healthyDeadlineMs: w.big(s.healthyDeadlineMs, 'strategy.healthy_deadline_ms'),
    progressDeadlineMs: w.big(s.progressDeadlineMs, 'strategy.progress_deadline_ms'),
    abortThresholdPct: s.abort.thresholdPct,
    abortMinExecuted: w.whole(s.abort.minExecuted, 'strategy.abort_min_executed'),
    autoRevert: s.autoRevert,
    rollbackMs: w.big(s.rollbackMs, 'strategy.rollback_ms'),
    gates: encodeGates(s.gates),
  };
}

export function decodeStrategy(s: WireStrategy): Strategy {
  return {
    name: w.required(s.name, 'strategy.name'),
    steps: decodeSteps(s.steps, 'strategy.steps'),
    maxParallel: s.maxParallel,
    maxUnavailable: s.maxUnavailable,
    minHealthyMs: w.int(s.minHealthyMs, 'strategy.min_healthy_ms'),
    healthyDeadlineMs: w.int(s.healthyDeadlineMs, 'strategy.healthy_deadline_ms'),
    progressDeadlineMs: w.int(s.progressDeadlineMs, 'strategy.progress_deadline_ms'),
    abort: {
      thresholdPct: w.finite(s.abortThresholdPct, 'strategy.abort_threshold_pct'),
      minExecuted: s.abortMinExecuted,
    },
    autoRevert: s.autoRevert,
    rollbackMs: w.int(s.rollbackMs, 'strategy.rollback_ms'),
    gates: decodeGates(w.present(s.gates, 'strategy.gates')),
  };
}

const big = (value: number | undefined, field: string) =>
  value === undefined ? undefined : w.big(value, field);
const whole = (value: number | undefined, field: string) =>
  value === undefined ? undefined : w.whole(value, field);

/** Nothing given is nothing sent. */
export function encodeOverrides(o: StrategyOverrides | undefined): WireOverrides | undefined {
  if (!o) return undefined;
  const g = o.gates;
  return {
    steps: o.steps && { steps: o.steps.map(encodeStep) },
    maxParallel: whole(o.maxParallel, 'overrides.max_parallel'),
    maxUnavailable: whole(o.maxUnavailable, 'overrides.max_unavailable'),
    minHealthyMs: big(o.minHealthyMs, 'overrides.min_healthy_ms'),
    healthyDeadlineMs: big(o.healthyDeadlineMs, 'overrides.healthy_deadline_ms'),
    progressDeadlineMs: big(o.progressDeadlineMs, 'overrides.progress_deadline_ms'),
    abortThresholdPct: o.abort?.thresholdPct,
    abortMinExecuted: whole(o.abort?.minExecuted, 'overrides.abort_min_executed'),
    autoRevert: o.autoRevert,
    rollbackMs: big(o.rollbackMs, 'overrides.rollback_ms'),
    gates: g && {
      readings: whole(g.readings, 'overrides.gates.readings'),
      intervalMs: big(g.intervalMs, 'overrides.gates.interval_ms'),
      windowMs: big(g.windowMs, 'overrides.gates.window_ms'),
      ttft95Pct: g.ttft95Pct,
      gap99Pct: g.gap99Pct,
      errorPoints: g.errorPoints,
      abortedPoints: g.abortedPoints,
      minSamples: whole(g.minSamples, 'overrides.gates.min_samples'),
    },
  };
}

/** Without those that are absent: they are as the strategy has them. */
function given<T extends object>(all: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as Partial<T>;
}

const int = (value: bigint | undefined, field: string) =>
  value === undefined ? undefined : w.int(value, field);
const finite = (value: number | undefined, field: string) =>
  value === undefined ? undefined : w.finite(value, field);

export function decodeOverrides(o: WireOverrides | undefined): StrategyOverrides | undefined {
  if (!o) return undefined;
  const abort = given<Strategy['abort']>({
    thresholdPct: finite(o.abortThresholdPct, 'overrides.abort_threshold_pct'),
    minExecuted: o.abortMinExecuted,
  });
  const g = o.gates;
  const gates =
    g &&
    given<Gates>({
      readings: g.readings,
      intervalMs: int(g.intervalMs, 'overrides.gates.interval_ms'),
      windowMs: int(g.windowMs, 'overrides.gates.window_ms'),
      ttft95Pct: finite(g.ttft95Pct, 'overrides.gates.ttft95_pct'),
      gap99Pct: finite(g.gap99Pct, 'overrides.gates.gap99_pct'),
      errorPoints: finite(g.errorPoints, 'overrides.gates.error_points'),
      abortedPoints: finite(g.abortedPoints, 'overrides.gates.aborted_points'),
      minSamples: g.minSamples,
    });
  return {
    ...given<Omit<Strategy, 'name' | 'abort' | 'gates'>>({
      steps: o.steps && decodeSteps(o.steps.steps, 'overrides.steps'),
      maxParallel: o.maxParallel,
      maxUnavailable: o.maxUnavailable,
      minHealthyMs: int(o.minHealthyMs, 'overrides.min_healthy_ms'),
      healthyDeadlineMs: int(o.healthyDeadlineMs, 'overrides.healthy_deadline_ms'),
      progressDeadlineMs: int(o.progressDeadlineMs, 'overrides.progress_deadline_ms'),
      autoRevert: o.autoRevert,
      rollbackMs: int(o.rollbackMs, 'overrides.rollback_ms'),
    }),
    ...(Object.keys(abort).length > 0 ? { abort } : {}),
    ...(gates ? { gates } : {}),
  };
}

function encodeState(s: RolloutState): WireState {
  return {
    kind: s.kind,
    phase: 'phase' in s ? s.phase : '',
    reason: 'reason' in s ? s.reason : '',
    why: 'why' in s ? w.head(s.why, w.LONGEST.line) : '',
    until: 'until' in s ? stampOrNone(s.until) : undefined,
    by: 'by' in s ? s.by : '',
  };
}

function decodeState(s: WireState): RolloutState {
  const why = w.text(s.why, 'state.why', w.LONGEST.line);
  const phase = () => w.oneOf(s.phase, PHASES, 'state.phase');
  switch (s.kind) {
    case 'pending':
    case 'validating':
    case 'succeeded':
      return { kind: s.kind };
    case 'progressing':
      return { kind: s.kind, phase: phase() };
    case 'paused':
      return {
        kind: s.kind,
        reason: w.oneOf(s.reason, REASONS, 'state.reason'),
        why,
        phase: phase(),
        until: w.millisOrNull(s.until, 'state.until'),
      };
    case 'aborting':
    case 'reverting':
    case 'rolled_back':
    case 'revert_failed':
    case 'cancelled':
      return { kind: s.kind, why };
    case 'superseded':
      return { kind: s.kind, by: rolloutId(s.by, 'state.by') };
    default:
      throw w.invalid('state.kind', `unknown value ${JSON.stringify(w.head(s.kind, 64))}`);
  }
}

function encodeGate(g: GateReadingOf): WireGate {
  return {
    gate: g.gate,
    region: g.region,
    canary: w.figureOut(g.canary),
    stable: w.figureOut(g.stable),
    change: w.figureOut(g.change),
    limit: g.limit,
    canarySamples: w.big(g.canarySamples, 'gate.canary_samples'),
    stableSamples: w.big(g.stableSamples, 'gate.stable_samples'),
    canaryNodes: w.whole(g.canaryNodes, 'gate.canary_nodes'),
    stableNodes: w.whole(g.stableNodes, 'gate.stable_nodes'),
    verdict: g.verdict,
  };
}
type GateReadingOf = Reading['gates'][number];

function decodeGate(g: WireGate): GateReadingOf {
  return {
    gate: w.oneOf(g.gate, GATES, 'gate.gate'),
    region: w.text(g.region, 'gate.region', w.LONGEST.word),
    canary: w.figure(g.canary, 'gate.canary'),
    stable: w.figure(g.stable, 'gate.stable'),
    change: w.figure(g.change, 'gate.change'),
    limit: w.finite(g.limit, 'gate.limit'),
    canarySamples: w.int(g.canarySamples, 'gate.canary_samples'),
    stableSamples: w.int(g.stableSamples, 'gate.stable_samples'),
    canaryNodes: g.canaryNodes,
    stableNodes: g.stableNodes,
    verdict: w.oneOf(g.verdict, VERDICTS, 'gate.verdict'),
  };
}

function encodeReading(r: Reading): WireReading {
  return {
    at: w.stamp(r.at),
    number: w.whole(r.number, 'reading.number'),
    step: w.whole(r.step, 'reading.step'),
    verdict: r.verdict,
    gates: r.gates.map(encodeGate),
    largest: r.largest
      ? {
          node: r.largest.node,
          gate: r.largest.gate,
          region: r.largest.region,
          value: r.largest.value,
          without: w.figureOut(r.largest.without),
          changeWithout: w.figureOut(r.largest.changeWithout),
        }
      : undefined,
    why: w.head(r.why, w.LONGEST.line),
  };
}

function decodeReading(r: WireReading): Reading {
  const l = r.largest;
  return {
    at: w.millis(r.at, 'reading.at'),
    number: r.number,
    step: r.step,
    verdict: w.oneOf(r.verdict, VERDICTS, 'reading.verdict'),
    gates: w.bounded(r.gates, MOST_GATES, 'reading.gates').map(decodeGate),
    largest: l
      ? {
          node: w.nodeName(l.node, 'largest.node'),
          gate: w.oneOf(l.gate, GATES, 'largest.gate'),
          region: w.text(l.region, 'largest.region', w.LONGEST.word),
          value: w.finite(l.value, 'largest.value'),
          without: w.figure(l.without, 'largest.without'),
          changeWithout: w.figure(l.changeWithout, 'largest.change_without'),
        }
      : null,
    why: w.text(r.why, 'reading.why', w.LONGEST.line),
  };
}

export function encodeRollout(r: Rollout): WireRollout {
  return {
    id: r.id,
    version: r.version,
    target: encodeTarget(r.target),
    revision: w.big(r.revision, 'rollout.revision'),
    reverts: r.reverts ?? '',
    strategy: encodeStrategy(r.strategy),
    state: encodeState(r.state),
    step: w.whole(r.step, 'rollout.step'),
    steps: r.steps.map((s) => ({
      targets: w.whole(s.targets, 'steps.targets'),
      startedAt: stampOrNone(s.startedAt),
      endedAt: stampOrNone(s.endedAt),
      note: w.head(s.note, w.LONGEST.line),
    })),
    counts: { ...r.counts },
    readings: r.readings.map(encodeReading),
    nextReadingAt: stampOrNone(r.nextReadingAt),
    waits: r.waits.slice(0, MOST_WAITS).map((t) => w.head(t, w.LONGEST.line)),
    failuresLeft: w.wholeOut(r.failuresLeft, 'rollout.failures_left'),
    deadline: stampOrNone(r.deadline),
    createdBy: r.createdBy,
    reason: r.reason,
    createdAt: w.stamp(r.createdAt),
    updatedAt: w.stamp(r.updatedAt),
    endedAt: stampOrNone(r.endedAt),
    modRevision: w.big(r.modRevision, 'rollout.mod_revision'),
  };
}

export function decodeRollout(r: WireRollout): Rollout {
  return {
    id: rolloutId(r.id, 'rollout.id'),
    version: w.versionLabel(r.version, 'rollout.version'),
    target: decodeTarget(r.target, 'rollout.target'),
    revision: w.int(r.revision, 'rollout.revision'),
    reverts: r.reverts === '' ? null : rolloutId(r.reverts, 'rollout.reverts'),
    strategy: decodeStrategy(w.present(r.strategy, 'rollout.strategy')),
    state: decodeState(w.present(r.state, 'rollout.state')),
    step: r.step,
    steps: w.bounded(r.steps, MOST_STEPS, 'rollout.steps').map((s) => ({
      targets: s.targets,
      startedAt: w.millisOrNull(s.startedAt, 'steps.started_at'),
      endedAt: w.millisOrNull(s.endedAt, 'steps.ended_at'),
      note: w.text(s.note, 'steps.note', w.LONGEST.line),
    })),
    counts: countsOf(r.counts),
    readings: w.bounded(r.readings, MOST_READINGS, 'rollout.readings').map(decodeReading),
    nextReadingAt: w.millisOrNull(r.nextReadingAt, 'rollout.next_reading_at'),
    waits: w.bounded(r.waits, MOST_WAITS, 'rollout.waits').map((t) => w.text(t, 'waits', w.LONGEST.line)),
    failuresLeft: w.figure(r.failuresLeft, 'rollout.failures_left'),
    deadline: w.millisOrNull(r.deadline, 'rollout.deadline'),
    createdBy: w.text(r.createdBy, 'rollout.created_by', w.LONGEST.word),
    reason: w.text(r.reason, 'rollout.reason', w.LONGEST.line),
    createdAt: w.millis(r.createdAt, 'rollout.created_at'),
    updatedAt: w.millis(r.updatedAt, 'rollout.updated_at'),
    endedAt: w.millisOrNull(r.endedAt, 'rollout.ended_at'),
    modRevision: w.int(r.modRevision, 'rollout.mod_revision'),
  };
}

function countsOf(counts: Readonly<Record<string, number>>): Rollout['counts'] {
  const all = TARGET_STATES.map((s) => [s, Object.hasOwn(counts, s) ? (counts[s] ?? 0) : 0] as const);
  // Every state is in it.
  return Object.fromEntries(all) as Rollout['counts'];
}

export function encodeRolloutTarget(t: RolloutTarget): WireTarget {
  return {
    rollout: t.rollout,
    node: t.node,
    region: t.region,
    step: w.whole(t.step, 'target.step'),
    state: t.state,
    since: w.stamp(t.since),
    released: t.released,
    why: w.head(t.why, w.LONGEST.line),
    offeredAt: stampOrNone(t.offeredAt),
    switchedAt: stampOrNone(t.switchedAt),
    modRevision: w.big(t.modRevision, 'target.mod_revision'),
  };
}

export function decodeRolloutTarget(t: WireTarget): RolloutTarget {
  return {
    rollout: rolloutId(t.rollout, 'target.rollout'),
    node: w.nodeName(t.node, 'target.node'),
    region: w.text(t.region, 'target.region', w.LONGEST.word),
    step: t.step,
    state: w.oneOf(t.state, TARGET_STATES, 'target.state'),
    since: w.millis(t.since, 'target.since'),
    released: t.released,
    why: w.text(t.why, 'target.why', w.LONGEST.line),
    offeredAt: w.millisOrNull(t.offeredAt, 'target.offered_at'),
    switchedAt: w.millisOrNull(t.switchedAt, 'target.switched_at'),
    modRevision: w.int(t.modRevision, 'target.mod_revision'),
  };
}

export function decodeRolloutTargets(list: readonly WireTarget[]): readonly RolloutTarget[] {
  return w.bounded(list, MOST_NODES, 'targets').map(decodeRolloutTarget);
}

export function decodeLegal(list: readonly WireLegal[]): readonly LegalVerb[] {
  return w.bounded(list, ROLLOUT_VERBS.length, 'legal').map((l) => ({
    verb: w.oneOf(l.verb, ROLLOUT_VERBS, 'legal.verb'),
    ok: l.ok,
    why: w.text(l.why, 'legal.why', w.LONGEST.line),
  }));
}

export function encodePlan(p: RolloutPlan): WirePlan {
  return {
    strategy: encodeStrategy(p.strategy),
    steps: p.steps.map((s) => ({
      step: encodeStep(s.step),
      targets: w.whole(s.targets, 'plan.targets'),
      atLeastMs: w.big(s.atLeastMs, 'plan.at_least_ms'),
    })),
    supersedes: p.supersedes.map((s) => ({ ...s, regions: s.regions.map((r) => ({ ...r })) })),
    aboutMs: w.big(p.atLeastMs, 'plan.about_ms'),
  };
}

export function decodePlan(p: WirePlan): RolloutPlan {
  return {
    strategy: decodeStrategy(w.present(p.strategy, 'plan.strategy')),
    steps: w.bounded(p.steps, MOST_STEPS, 'plan.steps').map((s) => ({
      step: decodeStep(w.present(s.step, 'plan.step')),
      targets: s.targets,
      atLeastMs: w.int(s.atLeastMs, 'plan.at_least_ms'),
    })),
    supersedes: w.bounded(p.supersedes, MOST_NODES, 'plan.supersedes').map((s) => ({
      id: rolloutId(s.id, 'supersedes.id'),
      version: w.versionLabel(s.version, 'supersedes.version'),
      step: s.step,
      steps: s.steps,
      regions: w.bounded(s.regions, MOST_REGIONS, 'supersedes.regions').map((r) => ({
        region: w.text(r.region, 'supersedes.region', w.LONGEST.word),
        released: r.released,
        targets: r.targets,
      })),
    })),
    atLeastMs: w.int(p.aboutMs, 'plan.about_ms'),
  };
}

export function encodeRevert(p: RevertPreview): WireRevert {
  return {
    rollout: encodeRollout(p.rollout),
    by: p.by,
    toLabel: p.toLabel ?? '',
    newLabel: p.newLabel ?? '',
    nodes: [...p.nodes],
    regions: p.regions.map((r) => ({ ...r })),
    streams: p.streams,
    batches: p.batches,
    closes: p.closes.map((c) => ({ ...c })),
  };
}

export function decodeRevert(p: WireRevert): RevertPreview {
  return {
    rollout: decodeRollout(w.present(p.rollout, 'rollout')),
    by: w.oneOf(p.by, ['abort', 'undo'] as const, 'by'),
    toLabel: w.versionLabelOrNull(p.toLabel, 'to_label'),
    newLabel: w.versionLabelOrNull(p.newLabel, 'new_label'),
    nodes: w.nodeNames(p.nodes, MOST_NODES, 'nodes'),
    regions: w.bounded(p.regions, MOST_REGIONS, 'regions').map((r) => ({
      region: w.text(r.region, 'regions.region', w.LONGEST.word),
      nodes: r.nodes,
      streams: r.streams,
    })),
    streams: p.streams,
    batches: p.batches,
    closes: w.bounded(p.closes, MOST_SERVICES, 'closes').map((c) => ({
      service: w.text(c.service, 'closes.service', w.LONGEST.word),
      nodes: c.nodes,
      streams: c.streams,
    })),
  };
}
