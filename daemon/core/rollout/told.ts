import { formatDuration } from '../../../proto/vocab/duration.ts';
import { passedInRow } from './analysis.ts';
import type { Draft } from './draft.ts';
import type { StoredRollout } from './facts.ts';
import { type Plan, planned, some } from './plan.ts';
import { isOver } from './state.ts';
import { failuresLeft } from './tally.ts';
import { isGoingBack, isInFlight, type Moment } from './target.ts';

/** What a person is told of it: counts, what it waits for, its deadline. The very same rollout when nothing changed. */
export function told(d: Draft, m: Moment): StoredRollout {
  const r = d.rollout;
  const plan = planned(r, d.targets, d.facts, m);
  const next: StoredRollout = {
    ...r,
    counts: d.counts,
    ...(isOver(r)
      ? {}
      : {
          waits: waitsFor(d, plan, m),
          failuresLeft: failuresLeft(r, d.counts),
          deadline: deadlineOf(d, plan, m),
        }),
  };
  const same =
    sameList(next.waits, r.waits) &&
    next.failuresLeft === r.failuresLeft &&
    next.deadline === r.deadline &&
    Object.entries(next.counts).every(([k, n]) => r.counts[k as keyof typeof r.counts] === n);
  return same ? r : next;
}

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

/** Runs while something is out that could be late; begins anew with every progress. */
function deadlineOf(d: Draft, plan: Plan, m: Moment): number | null {
  const { state, deadline, strategy } = d.rollout;
  if (state.kind !== 'progressing' || state.phase === 'analysing') return null;
  const flying = [...d.targets.values()].some((t) => isInFlight(t, m));
  if (!flying && plan.kept === 0) return null;
  return deadline === null || d.progressed ? m.now + strategy.progressDeadlineMs : deadline;
}

// No figure that changes by itself stands in here: each change is journalled.
function waitsFor(d: Draft, plan: Plan, m: Moment): readonly string[] {
  const { state, strategy, step } = d.rollout;
  if (state.kind === 'paused') return [state.why];
  if (state.kind === 'reverting') {
    const back = [...d.targets.values()].filter(isGoingBack).map((t) => t.node);
    return back.length > 0 ? [`${some(back)} on the way back`] : [];
  }
  if (state.kind !== 'progressing') return [];
  if (state.phase === 'analysing') {
    const { readings } = strategy.gates;
    const last = d.rollout.readings.at(-1);
    const again = last?.verdict === 'inconclusive' ? [`so far: ${last.why}`] : [];
    return [`gate reading ${passedInRow(d.rollout.readings) + 1} of ${readings}`, ...again];
  }
  const out = [...plan.waits];
  const flying = [...d.targets.values()].filter((t) => isInFlight(t, m));
  const soaking = flying.filter((t) => t.state === 'soaking').map((t) => t.node);
  const others = flying.filter((t) => t.state !== 'soaking').map((t) => t.node);
  if (others.length > 0) out.unshift(`${some(others)} to become healthy`);
  if (soaking.length > 0)
    out.unshift(`${some(soaking)} to stay healthy for ${formatDuration(strategy.minHealthyMs)}`);
  if (out.length === 0) {
    const away = [...d.targets.values()].filter((t) => t.step <= step && t.state === 'deferred_offline');
    out.push(
      away.length > 0
        ? `${some(away.map((t) => t.node))} to return: no node of this step is healthy yet`
        : 'no node of this step can take it: make one eligible, or abort',
    );
  }
  return out;
}
