import { z } from 'zod';
import type { Millis } from '../../../proto/vocab/ids.ts';
import { silenceState, type Silence as VocabSilence } from '../../../proto/vocab/silence.ts';
import { HttpRefusal } from './problem.ts';
import { iso, millis, Revision, Stamp } from './shapes.ts';

/** Alertmanager's four forms: `=`, `!=`, `=~`, `!~`. */
export const Matcher = z
  .strictObject({
    name: z.string().min(1).max(63),
    value: z.string().max(256),
    is_regex: z.boolean().default(false),
    is_equal: z.boolean().default(true),
  })
  .meta({ id: 'Matcher' });

export const matcherOf = (m: z.output<typeof Matcher>) => ({
  name: m.name,
  value: m.value,
  isRegex: m.is_regex,
  isEqual: m.is_equal,
});

export const SILENCE_STATES = ['pending', 'active', 'expired'] as const;

export const Silence = z
  .object({
    id: z.string(),
    state: z.enum(SILENCE_STATES),
    matchers: z.array(Matcher),
    starts_at: Stamp,
    ends_at: Stamp,
    created_by: z.string(),
    created_at: Stamp,
    comment: z.string(),
    mod_revision: Revision,
  })
  .meta({ id: 'Silence' });

export function silenceJson(s: VocabSilence, now: Millis): z.output<typeof Silence> {
  return {
    id: s.id,
    state: silenceState(s, now),
    matchers: s.matchers.map((m) => ({
      name: m.name,
      value: m.value,
      is_regex: m.isRegex,
      is_equal: m.isEqual,
    })),
    starts_at: iso(s.startsAt),
    ends_at: iso(s.endsAt),
    created_by: s.createdBy,
    created_at: iso(s.createdAt),
    comment: s.comment,
    mod_revision: s.modRevision,
  };
}

const USUAL_MS = 2 * 3_600_000;

/** @throws HttpRefusal when both are given */
export function endOf(
  body: { readonly ends_at?: string | undefined; readonly duration_ms?: number | undefined },
  from: Millis,
): Millis {
  if (body.ends_at !== undefined && body.duration_ms !== undefined) {
    throw new HttpRefusal('invalid', 'body.duration_ms: either that or ends_at');
  }
  return body.ends_at === undefined ? from + (body.duration_ms ?? USUAL_MS) : millis(body.ends_at);
}
