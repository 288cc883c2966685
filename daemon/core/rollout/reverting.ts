import type { Draft } from './draft.ts';
import type { StoredRollout } from './facts.ts';
import { interleaved, some } from './plan.ts';
import { cancelled, revertFailed, reverting, rolledBack } from './state.ts';
import { closed } from './step.ts';
import { couldNot, isGoingBack, type Moment, takenBack } from './target.ts';

/** aborting -> reverting | cancelled; reverting: the next batch, until none is left -> rolled_back | revert_failed. */
export function takeBackMore(d: Draft, m: Moment): StoredRollout {
  const r = d.rollout;
  if (r.state.kind === 'aborting') {
    const { why } = r.state;
    const any = [...d.targets.values()].some((t) => t.released);
    if (any && r.strategy.autoRevert) return reverting(r, why, m.now);
    d.say(
      'warn',
      any ? 'stops where it is: nothing is put back by itself' : 'is cancelled: nothing had begun',
    );
    return closed(cancelled(r, why, m.now));
  }
  if (r.state.kind !== 'reverting') return r;
  const released = [...d.targets.values()].filter((t) => t.released);
  let room = r.strategy.maxParallel - [...d.targets.values()].filter(isGoingBack).length;
  for (const node of interleaved(released.map((t) => ({ name: t.node, region: t.region })))) {
    if (room <= 0) break;
    const t = d.targets.get(node);
    if (!t) continue;
    const back = takenBack(t, d.facts.get(node), m.now);
    d.put(back);
    // Those out of reach, and those that never left what they had, take nobody's place.
    if (isGoingBack(back)) room -= 1;
  }
  const all = [...d.targets.values()];
  if (all.some((t) => t.released || isGoingBack(t))) return r;
  const stuck = all.filter(couldNot);
  if (stuck.length > 0) {
    const why = `${r.state.why}; could not go back: ${some(stuck.map((t) => t.node))}: ${stuck[0]?.why}`;
    d.say('error', `the revert failed: ${why}`);
    return closed(revertFailed(r, why, m.now));
  }
  d.say('warn', `rolled back: ${r.state.why}`);
  return closed(rolledBack(r, r.state.why, m.now));
}
