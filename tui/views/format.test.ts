import { expect, test } from 'vitest';
import { count, durationIn, fixed, seen, sparkFixed, sparkOwn, spoken } from './format.ts';

const LEVELS = [...'▁▂▃▄▅▆▇█'];

test('figures', () => {
  expect([0, 7, 999, 1000, 93_384, 1_234_567, -1200].map(count)).toEqual([
    '0',
    '7',
    '999',
    '1,000',
    '93,384',
    '1,234,567',
    '-1,200',
  ]);
  expect([null, undefined, Number.NaN, Number.POSITIVE_INFINITY].map(count)).toEqual(['-', '-', '-', '-']);
  expect(fixed(0.3, 2)).toBe('0.30');
  expect(fixed(1.005, 0)).toBe('1');
});

test('age of the last sign of life', () => {
  expect(seen(9999, 10_000, 5)).toBe('<10s');
  expect(seen(32_000, 10_000, 5)).toBe('32s');
  expect(seen(259_000, 10_000, 5)).toBe('4m19s');
  expect(seen(700_000, 10_000, 5)).toBe('11m');
  expect(seen(null, 10_000, 5)).toBe('-');
  expect(durationIn(12 * 86_400_000 + 4 * 3_600_000, 5)).toBe('12d');
  for (const ms of [0, 999, 59_999, 3_599_999, 86_399_999, 99 * 86_400_000])
    expect(durationIn(ms, 5).length).toBeLessThanOrEqual(5);
});

test('in sentences', () => {
  expect([0, 47.9, 60, 653].map(spoken)).toEqual(['0 s', '47 s', '1m00s', '10m53s']);
});

test('a sparkline: fixed scale, gaps stay gaps, the newest is at the right', () => {
  expect(sparkFixed([0, 43, 63, 87, 184, 500, null], 7, 200, LEVELS)).toBe('▁▂▃▄██ ');
  expect(sparkFixed([10], 3, 200, LEVELS)).toBe('  ▁');
  expect(sparkFixed([1, 2, 3, 199], 2, 200, LEVELS)).toBe('▁█');
  expect(sparkOwn([5, 5, 5], 3, LEVELS)).toBe('▁▁▁');
  expect(sparkOwn([1, null, 9], 3, LEVELS)).toBe('▁ █');
  expect(sparkOwn([null, Number.NaN], 2, LEVELS)).toBe('  ');
});
