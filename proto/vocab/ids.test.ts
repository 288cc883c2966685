import { describe, expect, it } from 'vitest';
import { isNodeName, isVersionLabel, isWord } from './ids.ts';

describe('isNodeName', () => {
  it.each(['a', 'hk-05', '5', '香港-05', 'サーバー-1', 'zürich', 'दिल्ली', 'a'.repeat(63), '字'.repeat(63)])(
    '%s',
    (name) => {
      expect(isNodeName(name)).toBe(true);
    },
  );

  it.each([
    ['empty', ''],
    ['upper case', 'HK'],
    ['a dash first', '-a'],
    ['a dash last', 'a-'],
    ['a dot', 'a.b'],
    ['a space', 'a b'],
    ['a slash', '../a'],
    ['a newline', 'a\n'],
    ['an escape', 'a\u001b[m'],
    ['64 letters', 'a'.repeat(64)],
    ['not NFC', 'zu\u0308rich'],
    ['bidi', 'a\u202eb'],
    ['zero width', 'a\u200bb'],
    ['a Hangul filler', 'a\u3164b'],
    ['a variation selector', 'a\ufe0f'],
    ['a grapheme joiner', 'a\u034fb'],
    ['a combining mark first', '\u0301a'],
    ['full width', 'ＡＢ'],
    ['an emoji', '🚀'],
  ])('not %s', (_, name) => {
    expect(isNodeName(name)).toBe(false);
  });
});

it.each([
  ['hk', true],
  ['eu-west_1.a', true],
  ['a'.repeat(63), true],
  ['a'.repeat(64), false],
  ['', false],
  ['-a', false],
  ['a.', false],
  ['A', false],
  ['a\n', false],
])('isWord(%j) is %s', (text, want) => {
  expect(isWord(text)).toBe(want);
});

it.each([
  ['v1.0.1', true],
  ['v42', true],
  ['2026-11-24_hotfix', true],
  ['a'.repeat(64), true],
  ['a'.repeat(65), false],
  ['.a', false],
  ['a b', false],
  ['a/b', false],
  ['', false],
  ['v1\n', false],
])('isVersionLabel(%j) is %s', (text, want) => {
  expect(isVersionLabel(text)).toBe(want);
});
