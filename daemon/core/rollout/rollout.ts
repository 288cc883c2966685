import type { Target } from '../../../proto/vocab/config-version.ts';
import type { Millis, NodeName, Revision, RolloutId, VersionLabel } from '../../../proto/vocab/ids.ts';
import type { Strategy } from '../../../proto/vocab/rollout.ts';
import { requestOf } from './analysis.ts';
import { Draft } from './draft.ts';
import type { Advance, NodeFacts, StoredRollout, StoredTarget, World } from './facts.ts';
import { isOffline, unfitFor } from './node-facts.ts';
import { takeBackMore } from './reverting.ts';
import { isOver } from './state.ts';
import { stepped } from './step.ts';
import { layout } from './steps.ts';
import { countsOf } from './tally.ts';
import { goneBack, type Moment, observed } from './target.ts';
import { told } from './told.ts';

export interface Begin {
  readonly id: RolloutId;
  readonly version: VersionLabel;
  readonly target: Target;
  readonly revision: Revision;
  readonly reverts: RolloutId | null;
  readonly strategy: Strategy;
  readonly nodes: readonly NodeFacts[];
  readonly createdBy: string;
  readonly reason: string;
  readonly now: Millis;
}

/** -> pending. Nothing is released; the first advance goes on from here. */
export function begin(args: Begin): {
  readonly rollout: StoredRollout;
  readonly targets: readonly StoredTarget[];
} {
  const { id, now } = args;
  const able = args.nodes.filter((f) => unfitFor(f) === null);
  const { steps, sizes, stepOf } = layout(args.strategy.steps, able);
  const targets = args.nodes.map((f): StoredTarget => {
    const unfit = unfitFor(f);
    const state = unfit !== null ? 'excluded' : isOffline(f) ? 'deferred_offline' : 'waiting';
    return {
      rollout: id,
      node: f.name,
      region: f.region,
      step: stepOf.get(f.name) ?? steps.length - 1,
      state,
      since: now,
      released: false,
      why: unfit ?? (state === 'waiting' ? '' : `it is ${f.status}; it gets its turn when it returns`),
      offeredAt: null,
      switchedAt: null,
    };
  });
  const { nodes: _, now: __, strategy, ...said } = args;
  const rollout: StoredRollout = {
    ...said,
    // What takes something back has nothing to go back to but the bad version.
    strategy: { ...strategy, steps, autoRevert: strategy.autoRevert && args.reverts === null },
    state: { kind: 'pending' },
    step: 0,
    steps: sizes.map((targets) => ({ targets, startedAt: null, endedAt: null, note: '' })),
    counts: countsOf(targets),
    readings: [],
    nextReadingAt: null,
    waits: [],
    failuresLeft: null,
    deadline: null,
    createdAt: now,
    updatedAt: now,
    endedAt: null,
  };
  return { rollout, targets };
}

/**
 * What has become of it, and what is to be done now. Called on every tick and after every change of one of its nodes;
 * the same input gives the same output, and nothing is remembered but what is in rollout and targets.
 * What it says is released or taken back must be so, in the registry, before the next call.
 */
export function advance(
  rollout: StoredRollout,
  targets: readonly StoredTarget[],
  facts: ReadonlyMap<NodeName, NodeFacts>,
  world: World,
  now: Millis,
): Advance {
  const d = new Draft(rollout, targets, facts, world);
  const moment = (): Moment => ({
    now,
    since: world.since,
    frozen: world.suspect !== null,
    strategy: d.rollout.strategy,
    step: d.rollout.step,
  });
  if (isOver(rollout)) return d.done(moment(), null);
  const back = rollout.state.kind === 'aborting' || rollout.state.kind === 'reverting';
  const m = moment();
  if (back) d.each((t, f) => goneBack(t, f, m));
  else d.each((t, f) => observed(t, f, m));
  for (;;) {
    const was = d.rollout;
    const { kind } = was.state;
    d.rollout =
      kind === 'aborting' || kind === 'reverting' ? takeBackMore(d, moment()) : stepped(d, moment());
    if (d.rollout === was || isOver(d.rollout)) break;
  }
  d.rollout = told(d, moment());
  const { state, nextReadingAt } = d.rollout;
  const due =
    state.kind === 'progressing' &&
    state.phase === 'analysing' &&
    nextReadingAt !== null &&
    now >= nextReadingAt &&
    world.suspect === null;
  return d.done(moment(), due ? requestOf(d.rollout, d.targets, facts, now) : null);
}
