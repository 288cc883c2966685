import { z } from 'zod';
import type { Target as VocabTarget } from '../../../proto/vocab/config-version.ts';
import type { Millis } from '../../../proto/vocab/ids.ts';

import { NODE_TYPES } from '../../../proto/vocab/node.ts';

// What several nouns speak of. One schema a shape: it validates, types and documents. JSON has snake_case names; times
// are RFC 3339 in UTC, durations are `…_ms`.

const LONGEST_REASON = 500;
const MOST_LABELS = 64;

export const Stamp = z.iso.datetime();
export const iso = (ms: Millis): string => new Date(ms).toISOString();
export const isoOrNull = (ms: Millis | null): string | null => (ms === null ? null : iso(ms));

/** A time somebody sends. */
export const StampIn = z.iso.datetime({
  offset: true,
  error: 'a time such as 2026-11-24T03:00:00Z is wanted',
});
export const millis = (stamp: string): Millis => Date.parse(stamp);

export const Revision = z.int().min(0);
export const NodeTypeWord = z.enum(NODE_TYPES);
export const RegionWord = z
  .string()
  .max(63)
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/)
  .describe('a-z, 0-9 and - . _, such as hk');
export const Word = z.string().min(1).max(128);
export const Reason = z.string().max(LONGEST_REASON).describe('why; kept with what it changes');
export const ReasonBody = z.strictObject({ reason: Reason.optional() });

export const Labels = z.record(z.string().min(1).max(63), z.string().max(253));
export const LabelsIn = Labels.refine((l) => Object.keys(l).length <= MOST_LABELS, {
  error: `at most ${MOST_LABELS} labels`,
});

/** What an operator may give a node; an agent's own may be longer. */
export const TagValue = z.string().min(1).max(63);
export const TagsIn = z.record(z.string().min(1).max(63), TagValue);

/** 1-based places inside a document. */
export const Refusal = z
  .object({
    code: z.string(),
    message: z.string(),
    line: z.int().optional(),
    column: z.int().optional(),
    path: z.string().optional(),
    hint: z.string().optional(),
  })
  .meta({ id: 'Refusal' });

export const Target = z
  .strictObject({
    nodes: z.array(z.string().min(1).max(63)).max(10_000).optional(),
    labels: LabelsIn.optional(),
    node_type: NodeTypeWord.optional(),
    regions: z.array(RegionWord).max(256).optional(),
  })
  .describe('all given parts must hold, a list is one of; an empty target is everybody')
  .meta({ id: 'Target' });

export function targetOf(t: z.output<typeof Target>): VocabTarget {
  return {
    ...(t.nodes ? { nodes: t.nodes as unknown as NonNullable<VocabTarget['nodes']> } : {}),
    ...(t.labels ? { labels: t.labels } : {}),
    ...(t.node_type ? { nodeType: t.node_type } : {}),
    ...(t.regions ? { regions: t.regions } : {}),
  };
}

export function targetJson(t: VocabTarget): z.output<typeof Target> {
  return {
    ...(t.nodes ? { nodes: [...t.nodes] } : {}),
    ...(t.labels ? { labels: { ...t.labels } } : {}),
    ...(t.nodeType ? { node_type: t.nodeType } : {}),
    ...(t.regions ? { regions: [...t.regions] } : {}),
  };
}

/** A parameter that may stand several times in a query: `region=hk&region=sg`. */
export function repeated<S extends z.ZodType>(one: S) {
  return z.preprocess(
    (v) => (v === undefined || Array.isArray(v) ? v : [v]),
    z.array(one).min(1).max(64).optional(),
  );
}

/** `key=value`. */
export const LabelPair = z
  .string()
  .max(320)
  .regex(/^[^=]+=.*$/)
  .describe('key=value');

export function labelsHold(
  labels: Readonly<Record<string, string>>,
  pairs: readonly string[] | undefined,
): boolean {
  return (pairs ?? []).every((pair) => {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at);
    return Object.hasOwn(labels, key) && labels[key] === pair.slice(at + 1);
  });
}

/** A number in a query: digits only. */
export function whole(limits: { readonly min: number; readonly max: number }) {
  return z.preprocess(
    (v) => (typeof v === 'string' && /^\d{1,15}$/.test(v) ? Number(v) : v),
    z.int().min(limits.min).max(limits.max),
  );
}

/** A flag in a query: `?watch`, `?watch=true`. */
export const Flag = z.preprocess(
  (v) => (v === '' || v === 'true' || v === '1' ? true : v === 'false' || v === '0' ? false : v),
  z.boolean().default(false),
);
