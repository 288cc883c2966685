import { describe, expect, it } from 'vitest';
import { judgeConfirm, type Reach } from './confirm.ts';
import { arm, cancelled, confirmed, isDue, reached } from './confirm-timer.ts';

const reach = (...routes: readonly [service: string, reached: boolean][]): Reach => ({
  listeners: routes.map(([service]) => ({ service, accepting: true, error: '' })),
  routes: routes.map(([service, ok]) => ({ service, reached: ok, error: ok ? '' : 'refused' })),
});

describe('confirm', () => {
  it.each([
    ['all reach', reach(['a', true]), reach(['a', true]), true, 0],
    ['the first document', null, reach(['a', false]), true, 1],
    ['reached before, not now', reach(['a', true]), reach(['a', false]), false, 0],
    ['never did', reach(['a', false]), reach(['a', false]), true, 1],
    ['did not, does now', reach(['a', false]), reach(['a', true]), true, 0],
    ['a new service does not', reach(['a', true]), reach(['a', true], ['b', false]), true, 1],
    [
      'one of two ways was down before',
      reach(['a', true], ['a', false]),
      reach(['a', false], ['a', false]),
      true,
      1,
    ],
    ['its service is gone', reach(['a', true], ['b', true]), reach(['b', true]), true, 0],
  ] as const)('%s', (_what, before, after, ok, warnings) => {
    const verdict = judgeConfirm(before, after);
    expect(verdict.ok).toBe(ok);
    if (verdict.ok) expect(verdict.warnings).toHaveLength(warnings);
    else
      expect(verdict.refusal).toMatchObject({
        code: 'not_reached',
        message: expect.stringContaining('refused'),
      });
  });

  it('every listener must accept, whatever the routes do', () => {
    const after: Reach = { listeners: [{ service: 'a', accepting: false, error: 'gone' }], routes: [] };
    expect(judgeConfirm(null, after)).toMatchObject({ ok: false, refusal: { code: 'not_accepting' } });
  });
});

describe('commit confirmed', () => {
  const waiting = arm({ id: 'c1', rollbackMs: 100 }, 1000);

  it('is due only when its time is over, and not at all without one', () => {
    expect(isDue(waiting, 1099)).toBe(false);
    expect(isDue(waiting, 1100)).toBe(true);
    expect(isDue(arm(null, 1000), 10 ** 12)).toBe(false);
  });

  it('ends by the word on this very commit, or by a conversation that began after it', () => {
    expect(confirmed(waiting, 'c0')).toBe(waiting);
    expect(isDue(confirmed(waiting, 'c1'), 5000)).toBe(false);
    expect(isDue(reached(waiting), 5000)).toBe(false);
  });

  it('taken back is due at once', () => {
    expect(isDue(cancelled(waiting, 'c1', 1010), 1010)).toBe(true);
    expect(isDue(cancelled(waiting, 'c0', 1010), 1010)).toBe(false);
  });
});
