import { z } from 'zod';
import {
  type LegalVerb,
  OVER,
  ROLLOUT_VERBS,
  TARGET_STATES,
  type RevertPreview as VocabPreview,
  type Reading as VocabReading,
  type Rollout as VocabRollout,
  type RolloutTarget as VocabTarget,
} from '../../../proto/vocab/rollout.ts';
import { iso, isoOrNull, Revision, Stamp, Target, targetJson } from './shapes.ts';
import { Strategy, strategyJson } from './strategy-shape.ts';

export const ROLLOUT_STATES = [
  'pending',
  'validating',
  'progressing',
  'paused',
  'aborting',
  'reverting',
  ...OVER,
] as const satisfies readonly VocabRollout['state']['kind'][];

const GATES = ['ttft95', 'gap99', 'errors', 'aborted'] as const;
const VERDICTS = ['pass', 'close', 'fail', 'inconclusive'] as const;
const Figure = z.number().nullable().describe('ms, or per cent; null: cannot be said');

const Reading = z
  .object({
    at: Stamp,
    number: z.int().describe('of the step, from 1'),
    verdict: z.enum(VERDICTS),
    gates: z.array(
      z.object({
        gate: z.enum(GATES),
        region: z.string(),
        canary: Figure,
        stable: Figure,
        change: Figure.describe('per cent, or percentage points'),
        limit: z.number(),
        canary_samples: z.number(),
        stable_samples: z.number(),
        canary_nodes: z.int(),
        stable_nodes: z.int().describe('0: compared with the canaries’ own past'),
        verdict: z.enum(VERDICTS),
      }),
    ),
    largest: z
      .object({
        node: z.string(),
        gate: z.enum(GATES),
        region: z.string(),
        value: z.number(),
        without: Figure,
        change_without: Figure,
      })
      .nullable()
      .describe('who contributes most to the worst gate, and what that would be without it'),
    why: z.string(),
  })
  .meta({ id: 'Reading' });

const count = z.int().min(0);

export const Rollout = z
  .object({
    id: z.string(),
    version: z.string(),
    target: Target,
    revision: Revision.describe('of the publication that it carries out'),
    reverts: z.string().nullable().describe('the rollout that this one takes back'),
    state: z.enum(ROLLOUT_STATES),
    phase: z.enum(['offering', 'soaking', 'analysing']).nullable(),
    paused: z.enum(['manual', 'step', 'inconclusive', 'master_suspect']).nullable(),
    why: z.string().describe('of a state that has a reason'),
    until: Stamp.nullable().describe('a pause ends by itself then'),
    superseded_by: z.string().nullable(),
    strategy: Strategy,
    step: z.int().describe('from 1'),
    steps: z.array(
      z.object({
        targets: count.describe('on the version when it is over, all steps before included'),
        started_at: Stamp.nullable(),
        ended_at: Stamp.nullable(),
        note: z.string(),
      }),
    ),
    counts: z.object(Object.fromEntries(TARGET_STATES.map((s) => [s, count]))).describe('nodes by state'),
    readings: z.array(Reading).describe('of this step, newest last'),
    next_reading_at: Stamp.nullable(),
    waits: z.array(z.string()).describe('why nothing more happens at the moment'),
    failures_left: z.int().nullable().describe('1: the next failed node aborts it'),
    deadline: Stamp.nullable(),
    created_by: z.string(),
    reason: z.string(),
    created_at: Stamp,
    updated_at: Stamp,
    ended_at: Stamp.nullable(),
    mod_revision: Revision,
  })
  .meta({ id: 'Rollout' });

export const RolloutWithVerbs = Rollout.extend({
  verbs: z.array(z.object({ verb: z.enum(ROLLOUT_VERBS), ok: z.boolean(), why: z.string() })),
}).meta({ id: 'RolloutWithVerbs' });

function readingJson(r: VocabReading): z.output<typeof Reading> {
  return {
    at: iso(r.at),
    number: r.number,
    verdict: r.verdict,
    gates: r.gates.map((g) => ({
      gate: g.gate,
      region: g.region,
      canary: g.canary,
      stable: g.stable,
      change: g.change,
      limit: g.limit,
      canary_samples: g.canarySamples,
      stable_samples: g.stableSamples,
      canary_nodes: g.canaryNodes,
      stable_nodes: g.stableNodes,
      verdict: g.verdict,
    })),
    largest: r.largest && {
      node: r.largest.node,
      gate: r.largest.gate,
      region: r.largest.region,
      value: r.largest.value,
      without: r.largest.without,
      change_without: r.largest.changeWithout,
    },
    why: r.why,
  };
}

export function rolloutJson(r: VocabRollout): z.output<typeof Rollout> {
  const { state } = r;
  return {
    id: r.id,
    version: r.version,
    target: targetJson(r.target),
    revision: r.revision,
    reverts: r.reverts,
    state: state.kind,
    phase: 'phase' in state ? state.phase : null,
    paused: state.kind === 'paused' ? state.reason : null,
    why: 'why' in state ? state.why : '',
    until: state.kind === 'paused' ? isoOrNull(state.until) : null,
    superseded_by: state.kind === 'superseded' ? state.by : null,
    strategy: strategyJson(r.strategy),
    step: r.step + 1,
    steps: r.steps.map((s) => ({
      targets: s.targets,
      started_at: isoOrNull(s.startedAt),
      ended_at: isoOrNull(s.endedAt),
      note: s.note,
    })),
    counts: { ...r.counts },
    readings: r.readings.map(readingJson),
    next_reading_at: isoOrNull(r.nextReadingAt),
    waits: [...r.waits],
    failures_left: r.failuresLeft,
    deadline: isoOrNull(r.deadline),
    created_by: r.createdBy,
    reason: r.reason,
    created_at: iso(r.createdAt),
    updated_at: iso(r.updatedAt),
    ended_at: isoOrNull(r.endedAt),
    mod_revision: r.modRevision,
  };
}

export function withVerbs(r: VocabRollout, legal: readonly LegalVerb[]): z.output<typeof RolloutWithVerbs> {
  return { ...rolloutJson(r), verbs: legal.map((l) => ({ ...l })) };
}

export const RolloutTarget = z
  .object({
    node: z.string(),
    region: z.string(),
    step: z.int().describe('from 1'),
    state: z.enum(TARGET_STATES),
    since: Stamp,
    released: z.boolean().describe('it gets the version'),
    why: z.string(),
    offered_at: Stamp.nullable(),
    switched_at: Stamp.nullable(),
  })
  .meta({ id: 'RolloutTarget' });

export function targetItem(t: VocabTarget): z.output<typeof RolloutTarget> {
  return {
    node: t.node,
    region: t.region,
    step: t.step + 1,
    state: t.state,
    since: iso(t.since),
    released: t.released,
    why: t.why,
    offered_at: isoOrNull(t.offeredAt),
    switched_at: isoOrNull(t.switchedAt),
  };
}

export const RevertPreview = z
  .object({
    rollout: Rollout,
    by: z.enum(['abort', 'undo']),
    to_version: z.string().nullable().describe('whose content comes back; null: the nodes had several'),
    new_version: z.string().nullable().describe('that undo makes'),
    nodes: z.array(z.string()),
    regions: z.array(z.object({ region: z.string(), nodes: count, streams: count })),
    streams: count,
    batches: count,
    closes: z.array(z.object({ service: z.string(), nodes: count, streams: count })),
  })
  .meta({ id: 'RevertPreview' });

export function revertJson(p: VocabPreview): z.output<typeof RevertPreview> {
  return {
    rollout: rolloutJson(p.rollout),
    by: p.by,
    to_version: p.toLabel,
    new_version: p.newLabel,
    nodes: [...p.nodes],
    regions: p.regions.map((r) => ({ ...r })),
    streams: p.streams,
    batches: p.batches,
    closes: p.closes.map((c) => ({ ...c })),
  };
}
