import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from './errors.ts';
import { compileMatcher, formatMatcher, type Matcher, matcherProblem } from './matcher.ts';
import { silenceMatches, silenceState } from './silence.ts';

const regex = (value: string): Matcher => ({ name: 'region', value, isRegex: true, isEqual: true });
const matches = (m: Matcher, region?: string) => compileMatcher(m)(region === undefined ? {} : { region });

describe('the four forms', () => {
  it.each([
    ['region=hk', { isRegex: false, isEqual: true }, 'hk', [true, false, false]],
    ['region!=hk', { isRegex: false, isEqual: false }, 'hk', [false, true, true]],
    ['region=~"h.|s."', { isRegex: true, isEqual: true }, 'h.|s.', [true, true, false]],
    ['region!~"h.|s."', { isRegex: true, isEqual: false }, 'h.|s.', [false, false, true]],
  ])('%s', (text, form, value, want) => {
    const m = { name: 'region', value, ...form };
    expect(formatMatcher(m)).toBe(text);
    expect(['hk', 'sg', 'tokyo'].map((r) => matches(m, r))).toEqual(want);
  });

  it('a missing label is the empty text', () => {
    expect(matches({ ...regex(''), isRegex: false })).toBe(true);
    expect(matches(regex('.*'))).toBe(true);
    expect(matches(regex('.+'))).toBe(false);
    expect(compileMatcher({ ...regex('.+'), name: 'constructor' })({})).toBe(false);
  });

  it.each(['hk-1', 'xhk', 'hk\n', 'shk'])('is anchored at both ends: %j is not hk', (value) => {
    expect(matches(regex('hk'), value)).toBe(false);
    expect(matches(regex('h|k|hk'), value)).toBe(false);
  });
});

describe('regexes that are not taken', () => {
  it.each([
    ['(', 'not a regex: Unterminated group'],
    ['a)|(?:b', "not a regex: Unmatched ')'"],
    ['[', 'not a regex: Unterminated character class'],
    ['*', 'not a regex: Nothing to repeat'],
    ['(a)\\1', 'a regex without look-around and back-references, please'],
    ['(?=a)a', 'a regex without look-around and back-references, please'],
    ['(?<!a)a', 'a regex without look-around and back-references, please'],
    ['(a+)+', 'a regex must not repeat a group that repeats or chooses inside'],
    ['(?:a|a)*', 'a regex must not repeat a group that repeats or chooses inside'],
    ['((a+))*', 'a regex must not repeat a group that repeats or chooses inside'],
    ['(a{1,9}){9}', 'a regex must not repeat a group that repeats or chooses inside'],
    ['.*.*.*.*x', 'a regex repeats at most 3 times with * or +, 6 times in all'],
    ['a?a?a?a?a?a?a?aaaaaaa', 'a regex repeats at most 3 times with * or +, 6 times in all'],
    ['a'.repeat(257), "a matcher's value has at most 256 characters"],
  ])('%s', (value, want) => {
    expect(matcherProblem(regex(value))).toBe(want);
    expect(() => compileMatcher(regex(value))).toThrow(AppError);
  });

  it.each([
    'hk',
    'hk|sg',
    'hk-0[1-9]',
    '(hk|sg)-.*',
    '(?:hk|sg)?',
    'a{2,3}',
    '[(*+]+',
    '\\(.*\\)',
    '香港.*',
    'a.*|b.*|c.*|d.*',
    '(ab)+',
  ])('%s is taken', (value) => {
    expect(matcherProblem(regex(value))).toBeNull();
  });

  it('a matcher without a name is none', () => {
    expect(matcherProblem({ ...regex('a'), name: '' })).toBe('a matcher needs a label name');
  });

  it('whatever is taken answers at once on the worst label', () => {
    const piece = fc.constantFrom(
      'a',
      'a*',
      '.*',
      'a+',
      '(a)*',
      '(',
      ')',
      '|',
      'a?',
      '(a*)',
      '[ab]',
      '{2}',
      '\\w',
      '?',
      '+',
    );
    const label = { region: `${'a'.repeat(62)}!` };
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const m = regex(pieces.join(''));
        if (matcherProblem(m) === null) expect(typeof compileMatcher(m)(label)).toBe('boolean');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a silence', () => {
  it.each([
    [99, 'pending'],
    [100, 'active'],
    [199, 'active'],
    [200, 'expired'],
  ])('at %i is %s', (now, state) => {
    expect(silenceState({ startsAt: 100, endsAt: 200 }, now)).toBe(state);
  });

  it('that was ended before it began is expired', () => {
    expect(silenceState({ startsAt: 100, endsAt: 50 }, 60)).toBe('expired');
  });

  it('needs all its matchers', () => {
    const matchers: Matcher[] = [
      regex('hk|sg'),
      { name: 'node', value: 'hk-05', isRegex: false, isEqual: false },
    ];
    expect(silenceMatches({ matchers }, { region: 'hk', node: 'hk-01' })).toBe(true);
    expect(silenceMatches({ matchers }, { region: 'hk', node: 'hk-05' })).toBe(false);
    expect(silenceMatches({ matchers }, { region: 'us', node: 'us-01' })).toBe(false);
  });
});
