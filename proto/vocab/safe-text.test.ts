import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeText } from './safe-text.ts';

/** What a terminal acts on, and what a reader cannot see. */
const HARMFUL: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['OSC 52, clipboard, BEL', '\u001b]52;c;cm0gLXJm\u0007', '\\u{1b}]52;c;cm0gLXJm\\u{7}'],
  ['OSC 52, clipboard, ST', '\u001b]52;c;cm0\u001b\\', '\\u{1b}]52;c;cm0\\u{1b}\\'],
  ['OSC 52 by C1', '\u009d52;c;cm0\u009c', '\\u{9d}52;c;cm0\\u{9c}'],
  ['OSC 0, title', '\u001b]0;owned\u0007', '\\u{1b}]0;owned\\u{7}'],
  ['OSC 2, title', '\u001b]2;owned\u001b\\', '\\u{1b}]2;owned\\u{1b}\\'],
  ['OSC 7, directory', '\u001b]7;file:///\u0007', '\\u{1b}]7;file:///\\u{7}'],
  [
    'OSC 8, link',
    '\u001b]8;;http://x\u0007hk\u001b]8;;\u0007',
    '\\u{1b}]8;;http://x\\u{7}hk\\u{1b}]8;;\\u{7}',
  ],
  ['OSC 9, notice', '\u001b]9;hi\u0007', '\\u{1b}]9;hi\\u{7}'],
  ['OSC 10, colour query', '\u001b]10;?\u0007', '\\u{1b}]10;?\\u{7}'],
  ['OSC 1337, file', '\u001b]1337;File=:AA\u0007', '\\u{1b}]1337;File=:AA\\u{7}'],
  ['unended OSC', '\u001b]0;', '\\u{1b}]0;'],
  ['CSI, colour', '\u001b[31mred', '\\u{1b}[31mred'],
  ['CSI, hidden', '\u001b[8msecret\u001b[0m', '\\u{1b}[8msecret\\u{1b}[0m'],
  ['CSI, clear', '\u001b[2J', '\\u{1b}[2J'],
  ['CSI, home', '\u001b[H', '\\u{1b}[H'],
  ['CSI, cursor up', '\u001b[1A', '\\u{1b}[1A'],
  ['CSI, erase line', '\u001b[2K', '\\u{1b}[2K'],
  ['CSI, alternate screen', '\u001b[?1049l', '\\u{1b}[?1049l'],
  ['CSI, mouse', '\u001b[?1003h', '\\u{1b}[?1003h'],
  ['CSI, bracketed paste', '\u001b[201~', '\\u{1b}[201~'],
  ['CSI, answer back', '\u001b[6n', '\\u{1b}[6n'],
  ['CSI by C1', '\u009b2J', '\\u{9b}2J'],
  ['DCS', '\u001bP+q544e\u001b\\', '\\u{1b}P+q544e\\u{1b}\\'],
  ['DCS by C1', '\u0090q', '\\u{90}q'],
  ['APC', '\u001b_Gx\u001b\\', '\\u{1b}_Gx\\u{1b}\\'],
  ['PM', '\u001b^x\u001b\\', '\\u{1b}^x\\u{1b}\\'],
  ['SOS', '\u001bXx\u001b\\', '\\u{1b}Xx\\u{1b}\\'],
  ['reset', '\u001bc', '\\u{1b}c'],
  ['character set', '\u001b(0', '\\u{1b}(0'],
  ['a lone ESC at the end', 'x\u001b', 'x\\u{1b}'],
  ['CR', 'up\rdown', 'up\\u{d}down'],
  ['CR LF', 'a\r\nb', 'a\\u{d}\\u{a}b'],
  ['newline', 'a\nb', 'a\\u{a}b'],
  ['BS', 'rm\b\bls', 'rm\\u{8}\\u{8}ls'],
  ['BEL', '\u0007', '\\u{7}'],
  ['NUL', 'a\u0000b', 'a\\u{0}b'],
  ['SO and SI', '\u000e\u000f', '\\u{e}\\u{f}'],
  ['VT and FF', '\u000b\u000c', '\\u{b}\\u{c}'],
  ['DEL', 'a\u007f', 'a\\u{7f}'],
  ['NEL', 'a\u0085b', 'a\\u{85}b'],
  ['bidi override', 'a\u202etxt.exe', 'a\\u{202e}txt.exe'],
  ['bidi embedding', '\u202ax\u202c', '\\u{202a}x\\u{202c}'],
  ['bidi isolate', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
  ['bidi marks', '\u200e\u200f\u061c', '\\u{200e}\\u{200f}\\u{61c}'],
  ['zero width', 'a\u200b\u200c\u200d\u2060b', 'a\\u{200b}\\u{200c}\\u{200d}\\u{2060}b'],
  ['byte order mark', '\ufeffa', '\\u{feff}a'],
  ['soft hyphen', 'h\u00adk', 'h\\u{ad}k'],
  ['line and paragraph separator', '\u2028\u2029', '\\u{2028}\\u{2029}'],
  ['tags', 'a\u{e0041}\u{e007f}', 'a\\u{e0041}\\u{e007f}'],
  ['variation selectors', 'a\ufe0f\u{e0100}', 'a\\u{fe0f}\\u{e0100}'],
  ['Hangul fillers', '\u115f\u1160\u3164\uffa0', '\\u{115f}\\u{1160}\\u{3164}\\u{ffa0}'],
  ['grapheme joiner', 'a\u034fb', 'a\\u{34f}b'],
  ['Khmer inherent vowels', '\u17b4\u17b5', '\\u{17b4}\\u{17b5}'],
  ['Mongolian separator', '\u180e', '\\u{180e}'],
  ['Braille blank', '\u2800', '\\u{2800}'],
  ['interlinear notes', '\ufff9\ufffa\ufffb', '\\u{fff9}\\u{fffa}\\u{fffb}'],
  ['private use', '\ue000\u{f0000}', '\\u{e000}\\u{f0000}'],
  ['lone surrogates', 'a\ud800b\udc00', 'a\\u{d800}b\\u{dc00}'],
  ['non-characters', '\ufffe\uffff', '\\u{fffe}\\u{ffff}'],
  ['musical controls', '\u{1d173}', '\\u{1d173}'],
];

const FORBIDDEN = /[\p{C}\u2028\u2029\u2800]|\p{Default_Ignorable_Code_Point}/u;

describe('safeText', () => {
  it.each(HARMFUL)('shows %s', (_, text, shown) => {
    expect(safeText(text)).toBe(shown);
  });

  it('covers what it promises', () => {
    expect(HARMFUL.length).toBeGreaterThanOrEqual(41);
  });

  it.each(['hk-05', '香港-05', 'Zürich', 'é', 'अ', 'ع', '🚀', 'a b', '\\u{1b}', '𝒳', ''])(
    'leaves %j alone',
    (text) => {
      expect(safeText(text)).toBe(text);
    },
  );

  it('a tab is a space', () => {
    expect(safeText('a\tb')).toBe('a b');
  });

  it('keeps newlines where they are asked for, and nothing else', () => {
    expect(safeText('a\nb\r\n\u001b', { newline: 'keep' })).toBe('a\nb\\u{d}\n\\u{1b}');
  });

  it.each([
    ['abc', 3, 'abc'],
    ['abcd', 3, 'ab…'],
    ['🚀🚀🚀', 3, '🚀🚀🚀'],
    ['🚀🚀🚀🚀', 3, '🚀🚀…'],
    ['🚀'.repeat(9), 3, '🚀🚀…'],
    ['a🚀'.repeat(9), 4, 'a🚀a…'],
    ['\u001b\u001b', 6, '\\u{1b…'],
    ['ab', 1, '…'],
    ['ab', 0, '…'],
  ])('%j cut at %i', (text, max, want) => {
    expect(safeText(text, { max })).toBe(want);
  });

  it('no text gets anything forbidden through, or grows beyond the cut', () => {
    const hostile = fc.constantFrom(...HARMFUL.map(([, text]) => text), 'a', '字', '\n', '\t');
    fc.assert(
      fc.property(
        fc.array(fc.oneof(hostile, fc.string({ unit: 'binary' }))),
        fc.integer({ min: 1, max: 99 }),
        (parts, max) => {
          const out = safeText(parts.join(''), { max });
          expect(out).not.toMatch(FORBIDDEN);
          expect([...out].length).toBeLessThanOrEqual(max);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('shows once: a second pass changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(safeText(safeText(text))).toBe(safeText(text));
      }),
    );
  });
});
