import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../proto/vocab/metrics.ts';
import { buffering, type Flow } from './buffering.ts';

const many = (n: number, ms: number) => {
  const h = new Histogram();
  for (let i = 0; i < n; i++) h.observe(ms);
  return h.toSparse();
};
const flow = (ttft: number, gap: number, answers = 100, chunks = 40): Flow => ({
  ttft: many(answers, ttft),
  gap: many(answers * chunks, gap),
});
const usual = flow(400, 30);
const whole: Flow = { ttft: many(100, 1600), gap: many(0, 0) };

describe('Buffering', () => {
  it.each([
    ['the first token is late and the others come at once', flow(1600, 1), true],
    ['answers come in one piece: there is no gap at all', whole, true],
    ['a slow model: both are longer', flow(1600, 120), false],
    ['a slow start, at the usual pace', flow(1600, 30), false],
    ['all is faster', flow(100, 1), false],
    ['as it was', usual, false],
    ['later by what nobody notices', flow(470, 1), false],
  ])('%s', (_, now, holds) => {
    expect(buffering('edge', now, usual)).toMatchObject({ holds });
  });

  it('a quick origin’s first token may be half as late again and nobody would notice', () => {
    expect(buffering('edge', flow(60, 1), flow(20, 30))).toEqual({ holds: false });
  });

  it.each([
    ['nothing is known', null, usual],
    ['of before nothing is known', usual, null],
    ['too few answers now', flow(1600, 1, 19), usual],
    ['too few before', flow(1600, 1), flow(400, 30, 49)],
    ['nothing was streamed before', whole, { ttft: many(100, 400), gap: many(0, 0) }],
  ])('says nothing where %s', (_, now, before) => {
    expect(buffering('edge', now, before)).toBe('unknown');
  });

  it('says how late, how close, and on which side', () => {
    expect(buffering('core', flow(1600, 1), usual)).toMatchObject({
      value: expect.stringMatching(
        /^answers are held back between here and the origin: TTFT p95 1\.\d s \(was \d{3} ms\), gap p99 \d ms \(was \d\d ms\)$/,
      ),
    });
    expect(buffering('edge', whole, usual)).toMatchObject({
      value: expect.stringMatching(/from here on to the origin: .* no gap between chunks \(was \d\d ms\)$/),
    });
  });
});
