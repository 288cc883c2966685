import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type * as g from '../../../proto/gen/aicdn/v1/console.ts';
import { MOST_NODES } from '../../../proto/link/codec-console.ts';
import * as rollouts from '../../../proto/link/codec-rollouts.ts';
import * as w from '../../../proto/link/wire.ts';
import { ROLLOUT_VERBS } from '../../../proto/vocab/rollout.ts';
import type { Pace, Services } from '../../service/api.ts';
import { mutation, orNull, type Unary } from './handler.ts';

const MOST_A_PAGE = 200;
const A_PAGE = 50;

/** Rollouts and the fleet revert. */
export function rolloutHandlers(u: Unary, s: Pick<Services, 'rollouts'>): UntypedServiceImplementation {
  return {
    listRollouts: u('watch', 'listRollouts', (q: g.ListRolloutsRequest) => {
      const r = s.rollouts.list({
        limit: q.limit === 0 ? A_PAGE : Math.min(q.limit, MOST_A_PAGE),
        before: orNull(w.text(q.before, 'before', w.LONGEST.word)),
        ...(q.open === undefined ? {} : { open: q.open }),
      });
      return { rollouts: r.rollouts.map(rollouts.encodeRollout), next: r.next ?? '' };
    }),
    getRollout: u('watch', 'getRollout', (q: g.GetRolloutRequest) => {
      const r = s.rollouts.get({
        id: rollouts.rolloutId(q.id, 'id'),
        targets: Math.min(q.targets, MOST_NODES),
      });
      return {
        rollout: rollouts.encodeRollout(r.rollout),
        targets: r.targets.map(rollouts.encodeRolloutTarget),
        legal: r.legal.map((l) => ({ ...l })),
      };
    }),
    // Each verb is an action of its own: the service says who may give it.
    giveRolloutVerb: u('own', 'giveRolloutVerb', async (q: g.GiveRolloutVerbRequest, caller) => {
      const verb = w.oneOf(q.verb, ROLLOUT_VERBS, 'verb');
      const r = await s.rollouts.verb(mutation(q, caller), {
        id: rollouts.rolloutId(q.id, 'id'),
        verb,
        confirmNodes: q.confirmNodes === 0 ? null : q.confirmNodes,
      });
      return { revision: w.big(r.revision, 'revision'), rollout: rollouts.encodeRollout(r.rollout) };
    }),
    previewRevert: u('watch', 'previewRevert', async (_: g.PreviewRevertRequest) =>
      rollouts.encodeRevert(await s.rollouts.previewRevert()),
    ),
    revertLast: u('rollout.revert_last', 'revertLast', async (q: g.RevertLastRequest, caller) => {
      const r = await s.rollouts.revertLast(mutation(q, caller), {
        confirmNodes: q.confirmNodes === 0 ? null : q.confirmNodes,
      });
      return { revision: w.big(r.revision, 'revision'), rollout: rollouts.encodeRollout(r.rollout) };
    }),
  };
}

export function paceOf(q: Pick<g.PublishConfigVersionRequest, 'strategy' | 'overrides'>): Pace {
  const overrides = rollouts.decodeOverrides(q.overrides);
  return {
    ...(q.strategy === '' ? {} : { strategy: w.text(q.strategy, 'strategy', w.LONGEST.word) }),
    ...(overrides ? { overrides } : {}),
  };
}
