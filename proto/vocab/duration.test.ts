import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['250ms', 250],
    ['10s', 10_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['1.5s', 1500],
    ['1.1s', 1100],
    ['0.1ms', 0.1],
    ['2us', 0.002],
    ['2\u00b5s', 0.002],
    ['2\u03bcs', 0.002],
    ['100ns', 0.0001],
    ['1m1ms', 60_001],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    '10',
    '-1s',
    '+1s',
    ' 1s',
    '1s ',
    '1 s',
    '1S',
    's',
    '.5s',
    '1.s',
    '1sx',
    'x1s',
    '1e3s',
    '１s',
    'Infinity',
    `${'9'.repeat(400)}s`,
  ])('%j is none', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it('reads any sum of parts', () => {
    const part = fc.tuple(
      fc.nat(9999),
      fc.constantFrom(['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000]),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const want = parts.reduce((sum, [n, [, ms]]) => sum + n * Number(ms), 0);
        expect(parseDuration(parts.map(([n, [unit]]) => `${n}${unit}`).join(''))).toBe(want);
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0ms'],
    [0.4, '0ms'],
    [850.4, '850ms'],
    [999.4, '999ms'],
    [999.6, '1s'],
    [1000, '1s'],
    [47_999, '47s'],
    [59_999, '59s'],
    [60_000, '1m00s'],
    [259_000, '4m19s'],
    [3_599_999, '59m59s'],
    [3_600_000, '1h00m'],
    [86_399_999, '23h59m'],
    [86_400_000, '1d 0h'],
    [6 * 86_400_000 + 4 * 3_600_000, '6d 4h'],
    [-1500, '-1s'],
  ])('%d', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
