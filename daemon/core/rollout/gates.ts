import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Gates, Reading } from '../../../proto/vocab/rollout.ts';
import type { ReadingRequest, WindowOf } from './facts.ts';

/** One reading: canary against the stable ones of the same region, or against its own past where there are none. */
export function read(_request: ReadingRequest, _windowOf: WindowOf, _gates: Gates, _now: Millis): Reading {
  throw new Error('not yet');
}
