import type { Mutation } from './api.ts';
import type { About, AuditTrail } from './audit.ts';
import { codeOf, Recorded, subjectOf, type Writer } from './write.ts';

/**
 * The service as transports see it: a mutation that is refused, wherever that happens, is recorded before the refusal
 * is told. A mutation is a call whose first argument is one; those that are done are recorded where they are decided.
 */
export function audited<T extends object>(
  noun: string,
  service: T,
  needs: { writer: Writer; audit: AuditTrail },
): T {
  const { writer, audit } = needs;
  return new Proxy(service, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]): unknown => {
        const [m] = args;
        if (!isMutation(m)) return method.apply(target, args);
        return refusalsTold(m, args);
      };

      async function refusalsTold(m: Mutation, args: unknown[]): Promise<unknown> {
        try {
          return await (method as (...a: unknown[]) => unknown).apply(target, args);
        } catch (error) {
          // What was decided has its record; what cannot be recorded was not tried.
          if (!(error instanceof Recorded) && audit.degraded() === null) {
            const { caller, requestId, reason } = m;
            const otherwise: About = {
              caller,
              action: ACTIONS[`${noun}.${String(key)}`] ?? `${noun}.${String(key)}`,
              subject: subjectOf(args[1]),
              requestId,
              reason,
            };
            await audit.tell(writer.aboutOf(m) ?? otherwise, codeOf(error));
          }
          throw error;
        }
      }
    },
  });
}

/** What is refused before it comes to its action. */
const ACTIONS: Readonly<Record<string, string>> = {
  'configs.create': 'config.create',
  'configs.publish': 'config.publish',
  'configs.rollback': 'config.rollback',
  'rollouts.verb': 'rollout.verb',
  'rollouts.revertLast': 'rollout.revert_last',
  'commands.run': 'command.run',
  'commands.cancel': 'command.cancel',
  'silences.create': 'silence.create',
  'silences.expire': 'silence.expire',
  'enrolment.createToken': 'token.create',
  'enrolment.revokeToken': 'token.revoke',
  'nodes.update': 'node.update',
  'nodes.remove': 'node.remove',
  'variables.setRegion': 'config.publish',
  'secrets.putSecret': 'secret.write',
  'secrets.putCertificate': 'secret.write',
  'secrets.remove': 'secret.remove',
  'people.createUser': 'user.write',
  'people.updateUser': 'user.write',
  'people.removeUser': 'user.write',
  'people.changePassword': 'user.password',
  'people.createApiKey': 'apikey.write',
  'people.revokeApiKey': 'apikey.write',
};

function isMutation(value: unknown): value is Mutation {
  return typeof value === 'object' && value !== null && 'caller' in value && 'requestId' in value;
}
