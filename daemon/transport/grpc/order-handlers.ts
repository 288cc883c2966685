import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type * as g from '../../../proto/gen/aicdn/v1/console.ts';
import * as c from '../../../proto/link/codec-console.ts';
import { encodeToken } from '../../../proto/link/codec-token.ts';
import * as w from '../../../proto/link/wire.ts';
import { COMMAND_TYPES, isReserved } from '../../../proto/vocab/command.ts';
import type { CommandId } from '../../../proto/vocab/ids.ts';
import { NODE_TYPES } from '../../../proto/vocab/node.ts';
import type { Services } from '../../service/api.ts';
import { admitted, mutation, orNull, type Unary } from './handler.ts';

const LISTED = 50;

/** Commands, nodes and join tokens: what operators tell the fleet. Which command a caller may run, the service says. */
export function orderHandlers(u: Unary, s: Omit<Services, 'agents'>): UntypedServiceImplementation {
  const revision = (r: { revision: number }) => w.big(r.revision, 'revision');
  return {
    runCommand: u(
      'own',
      'runCommand',
      async (q: g.RunCommandRequest, caller): Promise<g.RunCommandResponse> => {
        const type = w.oneOf(q.type, COMMAND_TYPES, 'type');
        // Who may not is told so before what is wrong with the rest.
        if (!isReserved(type)) await admitted(s.audit, caller, `command.${type}`, q);
        const r = await s.commands.run(mutation(q, caller), {
          type,
          target: c.decodeTarget(q.target),
          timeoutMs: q.timeoutMs === 0 ? null : q.timeoutMs,
          expiresMs: q.expiresMs === 0 ? null : q.expiresMs,
          dryRun: q.dryRun,
          maxParallel: q.maxParallel === 0 ? null : q.maxParallel,
          options: c.decodeOptions(q.options, 'options'),
        });
        return {
          revision: revision(r),
          command: c.encodeTask(r.command),
          nodes: [...r.nodes],
          offline: [...r.offline],
        };
      },
    ),
    getCommand: u('watch', 'getCommand', (q: g.GetCommandRequest) => ({
      command: c.encodeTask(s.commands.get(w.required(q.id, 'id') as CommandId)),
    })),
    listCommands: u('watch', 'listCommands', (q: g.ListCommandsRequest): g.ListCommandsResponse => {
      const state = c.decodeTaskState(q.state, 'state');
      const { commands, next } = s.commands.list({
        ...(state === undefined ? {} : { state }),
        ...(q.type === '' ? {} : { type: w.oneOf(q.type, COMMAND_TYPES, 'type') }),
        limit: q.limit === 0 ? LISTED : q.limit,
        before: orNull(w.text(q.before, 'before', w.LONGEST.word)),
      });
      return { commands: commands.map(c.encodeTask), next: next ?? '' };
    }),
    cancelCommand: u('command.cancel', 'cancelCommand', async (q: g.CancelCommandRequest, caller) => {
      const r = await s.commands.cancel(mutation(q, caller), w.required(q.id, 'id') as CommandId);
      return { revision: revision(r), command: c.encodeTask(r.command) };
    }),
    getNode: u('watch', 'getNode', (q: g.GetNodeRequest): g.GetNodeResponse => {
      const { node, vitals } = s.nodes.get(w.required(q.name, 'name'));
      return { node: c.encodeNode(node), vitals: c.encodeVitals(vitals) };
    }),
    updateNode: u('node.update', 'updateNode', async (q: g.UpdateNodeRequest, caller) => {
      const labels = c.decodeAssigned(q.labels, 'labels');
      const r = await s.nodes.update(mutation(q, caller), {
        name: w.required(q.name, 'name'),
        ...(Object.keys(labels).length > 0 ? { labels } : {}),
        ...(q.eligibility === ''
          ? {}
          : { eligibility: w.oneOf(q.eligibility, c.ELIGIBILITY, 'eligibility') }),
      });
      return { revision: revision(r), node: c.encodeNode(r.node) };
    }),
    removeNode: u('node.remove', 'removeNode', async (q: g.RemoveNodeRequest, caller) => ({
      revision: revision(
        await s.nodes.remove(mutation(q, caller), { name: w.required(q.name, 'name'), keep: q.keep }),
      ),
    })),
    createJoinToken: u('token.create', 'createJoinToken', async (q: g.CreateJoinTokenRequest, caller) => {
      const r = await s.enrolment.createToken(mutation(q, caller), {
        nodeType: w.oneOf(q.nodeType, NODE_TYPES, 'node_type'),
        region: w.required(q.region, 'region'),
        name: orNull(w.text(q.name, 'name', w.LONGEST.word)),
        ttlMs: q.ttlS === 0 ? null : q.ttlS * 1000,
        replace: q.replace,
      });
      return {
        revision: revision(r),
        token: r.token,
        expiresAt: w.stamp(r.expiresAt),
        joinCommand: r.joinCommand,
      };
    }),
    listJoinTokens: u('token.list', 'listJoinTokens', (_: g.ListJoinTokensRequest, caller) => ({
      tokens: s.enrolment.listTokens(caller).map(encodeToken),
    })),
    revokeJoinToken: u('token.revoke', 'revokeJoinToken', async (q: g.RevokeJoinTokenRequest, caller) => {
      const r = await s.enrolment.revokeToken(mutation(q, caller), w.required(q.id, 'id'));
      return { revision: revision(r), token: encodeToken(r.token) };
    }),
  };
}
