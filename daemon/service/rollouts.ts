import type { Action } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { RolloutId } from '../../proto/vocab/ids.ts';
import {
  OVER,
  type RevertPreview,
  type Rollout,
  type RolloutTarget,
  type TargetState,
} from '../../proto/vocab/rollout.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { RolloutsService as Api, Mutation } from './api.ts';
import type { Snapshot } from './ports.ts';
import { authorise, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
}

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
    const targets = targetsOf(view, rollout).toSorted((a, b) => BADNESS[a.state] - BADNESS[b.state]);
    return { rollout, targets: targets.slice(0, args.targets), legal: [] };
  }

  targets(args: Parameters<Api['targets']>[0]): ReturnType<Api['targets']> {
    const view = this.needs.writer.view();
    const { before } = args;
    const found = targetsOf(view, must(view, args.id))
      .filter((t) => args.state === undefined || t.state === args.state)
      .filter((t) => before === null || t.node > before)
      .toSorted((a, b) => (a.node < b.node ? -1 : 1));
    const targets = found.slice(0, args.limit);
    return { targets, next: found.length > args.limit ? (targets.at(-1)?.node ?? null) : null };
  }

  async verb(m: Mutation, args: Parameters<Api['verb']>[1]): ReturnType<Api['verb']> {
    authorise(m.caller, `rollout.${args.verb}` satisfies Action);
    const rollout = must(this.needs.writer.view(), args.id);
    throw new AppError('precondition', `rollout ${rollout.id} is ${rollout.state.kind}`);
  }

  async previewRevert(): Promise<RevertPreview> {
    throw new AppError('precondition', NOTHING);
  }

  async revertLast(m: Mutation, _args: Parameters<Api['revertLast']>[1]): ReturnType<Api['revertLast']> {
    authorise(m.caller, 'rollout.revert_last');
    throw new AppError('precondition', NOTHING);
  }
}

const NOTHING = 'nothing was published by a rollout yet: there is nothing to take back';

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

function must(view: Snapshot, id: RolloutId): Rollout {
  const rollout = view.get('rollout', id);
  if (!rollout)
    throw new AppError('not_found', `there is no rollout ${JSON.stringify(safeText(id, { max: 32 }))}`);
  return rollout;
}

function targetsOf(view: Snapshot, rollout: Rollout): readonly RolloutTarget[] {
  return view.list('target').filter((t) => t.rollout === rollout.id);
}
