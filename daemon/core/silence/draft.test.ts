import { describe, expect, it } from 'vitest';
import type { Matcher } from '../../../proto/vocab/matcher.ts';
import { checkMatchers, checkSilence, exactly, preview, type SilenceDraft } from './draft.ts';

const is = (name: string, value: string): Matcher => ({ name, value, isRegex: false, isEqual: true });
const re = (name: string, value: string): Matcher => ({ name, value, isRegex: true, isEqual: true });
const not = (m: Matcher): Matcher => ({ ...m, isEqual: false });
const draft = (over: Partial<SilenceDraft>): SilenceDraft => ({
  matchers: [is('node', 'hk-1')],
  startsAt: 1000,
  endsAt: 5000,
  comment: '',
  ...over,
});
const YEAR = 366 * 86_400_000;

describe('a silence', () => {
  it('is taken when it makes sense', () => {
    expect(() => checkSilence(draft({}), 1000)).not.toThrow();
    expect(() => checkSilence(draft({ matchers: [re('node', 'hk-.*')] }), 1000)).not.toThrow();
    expect(() => checkSilence(draft({ endsAt: 1000 + YEAR }), 1000)).not.toThrow();
  });

  it.each<[string, Partial<SilenceDraft>, RegExp]>([
    ['no matcher', { matchers: [] }, /at least one matcher/],
    ['too many', { matchers: Array.from({ length: 21 }, () => is('a', 'b')) }, /at most 20/],
    ['a name that is none', { matchers: [is('no de', 'x')] }, /no de/],
    ['a broken regex', { matchers: [re('node', '(')] }, /node: not a regex/],
    ['a regex that could hang', { matchers: [re('node', '(a+)+')] }, /repeat a group/],
    ['a value without end', { matchers: [is('node', 'x'.repeat(257))] }, /256/],
    ['everything, by an empty value', { matchers: [is('node', '')] }, /silences everything/],
    ['everything, by a regex', { matchers: [re('node', '.*')] }, /silences everything/],
    ['everything, by a negation', { matchers: [not(is('node', 'x'))] }, /silences everything/],
    ['an end before its start', { startsAt: 5000 }, /end after/],
    ['an end that has passed', { startsAt: 1, endsAt: 900 }, /over already/],
    ['more than a year', { endsAt: 1001 + YEAR }, /a year/],
    ['a comment without end', { comment: 'x'.repeat(1001) }, /comment/],
  ])('is refused: %s', (_, over, why) => {
    expect(() => checkSilence(draft(over), 1000)).toThrow(why);
  });

  it('may hold a matcher that matches empty beside one that does not', () => {
    expect(() => checkMatchers([not(is('type', 'core')), is('node', 'hk-1')])).not.toThrow();
  });
});

it('an alert’s exact labels silence it and no other', () => {
  const alert = { labels: { node: 'hk-1', alertname: 'NodeDown' } };
  const other = { labels: { node: 'hk-2', alertname: 'NodeDown' } };
  expect(preview(exactly(alert.labels), [alert, other])).toEqual({ hit: [alert], missed: [other] });
});
