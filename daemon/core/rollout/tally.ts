import { type Strategy, TARGET_STATES, type TargetState } from '../../../proto/vocab/rollout.ts';
import type { StoredRollout, StoredTarget } from './facts.ts';

// What is counted over the targets of a rollout.

export type Counts = Readonly<Record<TargetState, number>>;

export function countsOf(targets: Iterable<StoredTarget>): Counts {
  const counts = Object.fromEntries(TARGET_STATES.map((s) => [s, 0])) as Record<TargetState, number>;
  for (const t of targets) counts[t.state] += 1;
  return counts;
}

/** Executed: it has come to rest, well or not. */
const over = (failed: number, executed: number, s: Strategy): boolean =>
  executed >= s.abort.minExecuted && (failed / executed) * 100 > s.abort.thresholdPct;

/** A strategy that goes on whatever fails. */
const tolerates = (s: Strategy): boolean => s.abort.thresholdPct >= 100;

/** Why it has failed as a whole, or `null`. A rollout that takes something back asks a person instead. */
export function broken(r: StoredRollout, counts: Counts): string | null {
  const { failed, healthy } = counts;
  if (failed === 0 || r.reverts !== null || tolerates(r.strategy)) return null;
  const executed = failed + healthy;
  if (r.step === 0) return `${failed} of ${executed} failed in the first step`;
  if (!over(failed, executed, r.strategy)) return null;
  const pct = ((failed / executed) * 100).toFixed(1);
  return `${failed} of ${executed} failed, ${pct} %, above ${r.strategy.abort.thresholdPct} %`;
}

/** How many more failures abort it; `null`: none would. */
export function failuresLeft(r: StoredRollout, counts: Counts): number | null {
  const going = r.state.kind === 'progressing' || r.state.kind === 'paused';
  if (!going || r.reverts !== null || tolerates(r.strategy)) return null;
  if (r.step === 0) return 1;
  const { failed, healthy } = counts;
  const { thresholdPct, minExecuted } = r.strategy.abort;
  // (failed + k) / (failed + healthy + k) > p, and failed + healthy + k >= minExecuted
  const p = thresholdPct / 100;
  const least = (p * (failed + healthy) - failed) / (1 - p);
  let k = Math.max(1, Math.floor(least), minExecuted - failed - healthy);
  while (!over(failed + k, failed + healthy + k, r.strategy)) k += 1;
  return k;
}
