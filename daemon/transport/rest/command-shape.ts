import { z } from 'zod';
import {
  COMMAND_STATES,
  COMMAND_TYPES,
  type CommandTask as VocabTask,
} from '../../../proto/vocab/command.ts';
import { Engine, engineJson } from './node-shape.ts';
import { iso, isoOrNull, Revision, Stamp, Target, targetJson } from './shapes.ts';

export const TASK_STATES = [
  'queued',
  'running',
  'succeeded',
  'partial',
  'failed',
  'timed_out',
  'cancelled',
] as const satisfies readonly VocabTask['state'][];

const Result = z
  .object({
    node: z.string(),
    state: z.enum(COMMAND_STATES),
    exit_code: z.int(),
    output_tail: z.string(),
    before: Engine.nullable(),
    after: Engine.nullable(),
    unchanged: z.boolean(),
    took_ms: z.number(),
    streams_kept: z.int(),
    streams_cut: z.int(),
    sent_at: Stamp.nullable(),
  })
  .meta({ id: 'CommandResult' });

export const CommandTask = z
  .object({
    task_id: z.string(),
    command: z.enum(COMMAND_TYPES),
    target: Target,
    state: z.enum(TASK_STATES),
    results: z.array(Result),
    created_by: z.string(),
    created_at: Stamp,
    expires_at: Stamp,
    timeout_ms: z.int(),
    max_parallel: z.int().nullable(),
    ended_at: Stamp.nullable(),
    cancelled_at: Stamp.nullable(),
    reason: z.string(),
    mod_revision: Revision,
  })
  .meta({ id: 'CommandTask' });

export function commandJson(t: VocabTask): z.output<typeof CommandTask> {
  return {
    task_id: t.id,
    command: t.type,
    target: targetJson(t.target),
    state: t.state,
    results: Object.entries(t.results).map(([node, r]) => ({
      node,
      state: r.state,
      exit_code: r.exitCode,
      output_tail: r.outputTail,
      before: r.before && engineJson(r.before),
      after: r.after && engineJson(r.after),
      unchanged: r.unchanged,
      took_ms: r.tookMs,
      streams_kept: r.streamsKept,
      streams_cut: r.streamsCut ?? 0,
      sent_at: isoOrNull(r.sentAt ?? null),
    })),
    created_by: t.createdBy,
    created_at: iso(t.createdAt),
    expires_at: iso(t.expiresAt),
    timeout_ms: t.timeoutMs,
    max_parallel: t.maxParallel ?? null,
    ended_at: isoOrNull(t.endedAt),
    cancelled_at: isoOrNull(t.cancelledAt ?? null),
    reason: t.reason,
    mod_revision: t.modRevision,
  };
}
