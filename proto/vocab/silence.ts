import type { Millis, Revision, SilenceId } from './ids.ts';
import { compileMatcher, type Matcher } from './matcher.ts';

/** State is derived from now (`silenceState`); an edit is expire + create. */
export interface Silence {
  readonly id: SilenceId;
  readonly matchers: readonly Matcher[];
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly comment: string;
  readonly modRevision: Revision;
}

export type SilenceState = 'pending' | 'active' | 'expired';

export function silenceState(s: Pick<Silence, 'startsAt' | 'endsAt'>, now: Millis): SilenceState {
  if (now >= s.endsAt) return 'expired';
  return now >= s.startsAt ? 'active' : 'pending';
}

/** All matchers must hold. */
export function silenceMatches(
  s: Pick<Silence, 'matchers'>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return s.matchers.every((m) => compileMatcher(m)(labels));
}
