import type { Action } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName, RolloutId } from '../../proto/vocab/ids.ts';
import { OVER, type Rollout, type RolloutVerb, type TargetState } from '../../proto/vocab/rollout.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { legalVerbs } from '../core/rollout/verbs.ts';
import type { RolloutsService as Api, Mutation } from './api.ts';
import type { Clock, MetricsRings, Snapshot } from './ports.ts';
import { confirmed } from './published.ts';
import { LONGEST_TEXT, type Publisher } from './publisher.ts';
import { previewOf, toTakeBack } from './reverts.ts';
import { type ChangeNeeds, RolloutChange } from './rollout-change.ts';
import { type Decision, guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly publisher: Publisher;
  readonly change: ChangeNeeds;
  readonly rings: MetricsRings;
  readonly clock: Clock;
}

/** Rollouts as people see them, and what people say to them. What drives them is `RolloutRunner`. */
export class RolloutsService implements Api {
  private readonly needs: Needs;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  list(args: Parameters<Api['list']>[0]): ReturnType<Api['list']> {
    const all = this.needs.writer.view().list('rollout');
    const found = all
      .filter((r) => args.open === undefined || args.open === !OVER.includes(r.state.kind))
      .filter((r) => args.before === null || Number(r.id) < Number(args.before))
      .toReversed();
    const rollouts = found.slice(0, args.limit);
    return { rollouts, next: found.length > args.limit ? (rollouts.at(-1)?.id ?? null) : null };
  }

  get(args: Parameters<Api['get']>[0]): ReturnType<Api['get']> {
    const view = this.needs.writer.view();
    const rollout = must(view, args.id);
    const targets = this.needs.change.targets.of(view, rollout.id);
    const worst = targets.toSorted((a, b) => BADNESS[a.state] - BADNESS[b.state] || byName(a, b));
    return { rollout, targets: worst.slice(0, args.targets), legal: legalVerbs(rollout, targets) };
  }

  targets(args: Parameters<Api['targets']>[0]): ReturnType<Api['targets']> {
    const view = this.needs.writer.view();
    const { before } = args;
    const found = this.needs.change.targets
      .of(view, must(view, args.id).id)
      .filter((t) => args.state === undefined || t.state === args.state)
      .filter((t) => before === null || t.node > before)
      .toSorted(byName);
    const targets = found.slice(0, args.limit);
    return { targets, next: found.length > args.limit ? (targets.at(-1)?.node ?? null) : null };
  }

  verb(m: Mutation, args: Parameters<Api['verb']>[1]): ReturnType<Api['verb']> {
    return this.said(m, `rollout.${args.verb}`, args, (view, now) => {
      const rollout = must(view, args.id);
      guardRevision(m, `rollout ${rollout.id}`, rollout.modRevision);
      if (args.verb === 'undo' && rollout.state.kind === 'succeeded') {
        return this.takenBack(m, view, rollout, args.confirmNodes, now);
      }
      confirmed(args.confirmNodes, this.hit(view, rollout, args.verb));
      return this.given(m, view, rollout, args.verb, now);
    });
  }

  async previewRevert(): ReturnType<Api['previewRevert']> {
    const { writer, clock, rings, change, publisher } = this.needs;
    return previewOf(writer.view(), { ...change, rings, publisher }, clock.now());
  }

  revertLast(m: Mutation, args: Parameters<Api['revertLast']>[1]): ReturnType<Api['revertLast']> {
    return this.said(m, 'rollout.revert_last', args, (view, now) => {
      const rollout = toTakeBack(view);
      guardRevision(m, `rollout ${rollout.id}`, rollout.modRevision);
      if (OVER.includes(rollout.state.kind)) {
        return this.takenBack(m, view, rollout, args.confirmNodes, now);
      }
      confirmed(args.confirmNodes, this.hit(view, rollout, 'abort'));
      return this.given(m, view, rollout, 'abort', now);
    });
  }

  private async said(
    m: Mutation,
    action: Action,
    args: object,
    decide: (view: Snapshot, now: number) => Decision<RolloutId>,
  ): ReturnType<Api['verb']> {
    const { writer } = this.needs;
    const { revision, result } = await writer.mutate<RolloutId>(
      m,
      action,
      args,
      decide,
      (id) => id,
      (_view, id) => id as RolloutId,
    );
    return { revision, rollout: must(writer.view(), result) };
  }

  private given(
    m: Mutation,
    view: Snapshot,
    rollout: Rollout,
    verb: RolloutVerb,
    now: number,
  ): Decision<RolloutId> {
    const change = new RolloutChange(this.needs.change, view, now);
    change.verb(rollout, verb, {
      actor: m.caller.actor,
      reason: safeText(m.reason, { max: LONGEST_TEXT }),
    });
    const done = change.decision();
    return { ops: [], events: [], ...done, result: rollout.id };
  }

  private takenBack(
    m: Mutation,
    view: Snapshot,
    { id, version, target }: Rollout,
    confirmNodes: number | null,
    now: number,
  ): Decision<RolloutId> {
    const done = this.needs.publisher.takenBack(m, view, { label: version, target }, now, id);
    confirmed(confirmNodes, done.result.nodes.length);
    return { ...done, result: done.result.rollout };
  }

  /** Nodes that a verb reaches: what its caller confirms. */
  private hit(view: Snapshot, rollout: Rollout, verb: RolloutVerb): number {
    const targets = this.needs.change.targets.of(view, rollout.id);
    const released = targets.filter((t) => t.released).length;
    switch (verb) {
      case 'promote':
        return Math.max(0, (rollout.steps[rollout.step + 1]?.targets ?? released) - released);
      case 'promote_full':
        return targets.length - released;
      case 'retry':
        return targets.filter((t) => t.state === 'failed').length;
      default:
        return released;
    }
  }
}

/** Worst first. */
const BADNESS: Readonly<Record<TargetState, number>> = {
  failed: 0,
  reverted: 1,
  deferred_offline: 2,
  held_by_streams: 3,
  applying: 4,
  offered: 5,
  soaking: 6,
  waiting: 7,
  excluded: 8,
  healthy: 9,
};

const byName = (a: { node: NodeName }, b: { node: NodeName }): number =>
  a.node < b.node ? -1 : a.node > b.node ? 1 : 0;

function must(view: Snapshot, id: RolloutId): Rollout {
  const rollout = view.get('rollout', id);
  if (!rollout)
    throw new AppError('not_found', `there is no rollout ${JSON.stringify(safeText(id, { max: 32 }))}`);
  return rollout;
}
