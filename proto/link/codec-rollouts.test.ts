import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as a from '../../test/fakes/console-arbitraries.ts';
import { RolloutTarget, StrategyOverrides } from '../gen/aicdn/v1/console.ts';
import {
  decodeOverrides,
  decodeRolloutTarget,
  encodeOverrides,
  encodeRolloutTarget,
} from './codec-rollouts.ts';

test('what is overridden arrives as it was given, and nothing else with it', () => {
  fc.assert(
    fc.property(a.overrides, (o) => {
      const wire = StrategyOverrides.encode(encodeOverrides(o) as StrategyOverrides).finish();
      expect(decodeOverrides(StrategyOverrides.decode(wire))).toEqual(o);
    }),
  );
  expect(decodeOverrides(encodeOverrides(undefined))).toBeUndefined();
});

test('a target arrives as it was sent', () => {
  fc.assert(
    fc.property(a.rolloutTarget, (t) => {
      const wire = RolloutTarget.encode(encodeRolloutTarget(t)).finish();
      expect(decodeRolloutTarget(RolloutTarget.decode(wire))).toEqual(t);
    }),
  );
});
