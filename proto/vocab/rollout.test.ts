import { expect, test } from 'vitest';
import { fakeStrategy } from '../../test/fakes/console-rollouts.ts';
import { type RolloutStep, stepAtLeastMs } from './rollout.ts';

const step = (over: Partial<RolloutStep> = {}): RolloutStep => ({
  ...{ size: { percent: 100 }, perRegion: true, pause: null, analysis: false },
  ...over,
});

// Eight at once soak for 30 s; a gate is three readings a minute apart.
test.each([
  ['nobody is there', 0, step(), 0],
  ['as many as go at once', 8, step(), 30_000],
  ['one more is another turn', 9, step(), 60_000],
  ['gated', 1, step({ analysis: true }), 210_000],
  ['a pause is waited for', 1, step({ pause: 5000 }), 35_000],
  ['how long a person takes is not known', 1, step({ pause: 'manual' }), 30_000],
])('a step takes at least: %s', (_, nodes, s, ms) => {
  expect(stepAtLeastMs(fakeStrategy, s, nodes)).toBe(ms);
});
