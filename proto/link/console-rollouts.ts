import * as rollouts from './codec-rollouts.ts';
import type { Caller } from './console-centre.ts';
import type { RolloutsApi } from './rollouts-api.ts';
import * as w from './wire.ts';

/** Rollouts and the fleet revert. */
export function rolloutCalls({ client, call, write, readMs, writeMs }: Caller): RolloutsApi {
  const done = (r: {
    revision: bigint;
    rollout: Parameters<typeof rollouts.decodeRollout>[0] | undefined;
  }) => ({
    revision: w.int(r.revision, 'revision'),
    rollout: rollouts.decodeRollout(w.present(r.rollout, 'rollout')),
  });

  return {
    listRollouts: (a) =>
      call(
        client.listRollouts,
        { limit: w.whole(a.limit, 'limit'), before: a.before ?? '', open: a.open },
        readMs,
        (r) => ({
          rollouts: r.rollouts.map(rollouts.decodeRollout),
          next: r.next === '' ? null : r.next,
        }),
      ),
    getRollout: (a) =>
      call(client.getRollout, { id: a.id, targets: w.whole(a.targets, 'targets') }, readMs, (r) => ({
        rollout: rollouts.decodeRollout(w.present(r.rollout, 'rollout')),
        targets: rollouts.decodeRolloutTargets(r.targets),
        legal: rollouts.decodeLegal(r.legal),
      })),
    rolloutVerb: (m, a) =>
      call(
        client.giveRolloutVerb,
        { ...write(m), id: a.id, verb: a.verb, confirmNodes: w.whole(a.confirmNodes ?? 0, 'confirm_nodes') },
        writeMs,
        done,
      ),
    previewRevert: () => call(client.previewRevert, {}, readMs, rollouts.decodeRevert),
    revertLast: (m, a) =>
      call(
        client.revertLast,
        { ...write(m), confirmNodes: w.whole(a.confirmNodes ?? 0, 'confirm_nodes') },
        writeMs,
        done,
      ),
  };
}
