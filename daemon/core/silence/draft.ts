import { AppError } from '../../../proto/vocab/errors.ts';
import type { Millis } from '../../../proto/vocab/ids.ts';
import { compileMatcher, type Matcher, matcherProblem } from '../../../proto/vocab/matcher.ts';
import { silenceMatches } from '../../../proto/vocab/silence.ts';

const MOST_MATCHERS = 20;
const LONGEST_COMMENT = 1000;
const YEAR_MS = 366 * 86_400_000;

export interface SilenceDraft {
  readonly matchers: readonly Matcher[];
  readonly startsAt: Millis;
  readonly endsAt: Millis;
  readonly comment: string;
}

/** @throws AppError `invalid`, with what would be right */
export function checkSilence(d: SilenceDraft, now: Millis): void {
  checkMatchers(d.matchers);
  if (!(d.endsAt > d.startsAt)) throw new AppError('invalid', 'a silence must end after it starts');
  if (!(d.endsAt > now))
    throw new AppError('invalid', 'this silence would be over already; give a later end');
  if (d.endsAt - d.startsAt > YEAR_MS) throw new AppError('invalid', 'a silence lasts a year at most');
  if (d.comment.length > LONGEST_COMMENT) {
    throw new AppError('invalid', `the comment is longer than ${LONGEST_COMMENT} characters`);
  }
}

export function checkMatchers(matchers: readonly Matcher[]): void {
  if (matchers.length === 0)
    throw new AppError('invalid', 'a silence needs at least one matcher, such as node=hk-05');
  if (matchers.length > MOST_MATCHERS) throw new AppError('invalid', `at most ${MOST_MATCHERS} matchers`);
  for (const m of matchers) {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/.test(m.name)) {
      throw new AppError(
        'invalid',
        `matcher name ${JSON.stringify(m.name)}: letters, digits, _ . - are wanted`,
      );
    }
    const problem = matcherProblem(m);
    if (problem !== null) throw new AppError('invalid', `matcher ${m.name}: ${problem}`);
  }
  // Each of these would hold for a thing without any label: the silence would cover everything.
  if (matchers.every((m) => compileMatcher(m)({}))) {
    throw new AppError(
      'invalid',
      'at least one matcher must not match an empty value, else it silences everything',
    );
  }
}

/** Splits by the code that applies it. */
export function preview<A extends { readonly labels: Readonly<Record<string, string>> }>(
  matchers: readonly Matcher[],
  alerts: readonly A[],
): { hit: readonly A[]; missed: readonly A[] } {
  const hit: A[] = [];
  const missed: A[] = [];
  for (const a of alerts) (silenceMatches({ matchers }, a.labels) ? hit : missed).push(a);
  return { hit, missed };
}

/** The exact labels of an alert, as matchers. */
export function exactly(labels: Readonly<Record<string, string>>): Matcher[] {
  return Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));
}
