import { expect, test } from 'vitest';
import { fewRandom } from './few-random.ts';

test('as many bytes as were asked for, never the same, over the ends of its pages', () => {
  const draw = fewRandom();
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const bytes = draw(8);
    expect(bytes).toHaveLength(8);
    seen.add(bytes.toString('hex'));
  }
  expect(seen.size).toBe(2000);
  const kept = draw(8);
  const copy = Buffer.from(kept);
  for (let i = 0; i < 2000; i++) draw(8);
  expect(kept).toEqual(copy);
  expect(draw(10_000)).toHaveLength(10_000);
});
