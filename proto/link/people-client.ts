import { randomUUID } from 'node:crypto';
import type { ConsoleServiceClient } from '../gen/aicdn/v1/console.ts';
import * as c from './codec-people.ts';
import type { MutationArgs } from './console-api.ts';
import type { ConsoleChannel, UnaryMethod } from './console-channel.ts';
import type { PeopleApi } from './people-api.ts';
import * as w from './wire.ts';

/** @param methods the generated client's, without a connection */
export function peopleCalls(
  channel: ConsoleChannel,
  methods: ConsoleServiceClient,
  deadlines: { readonly readMs: number; readonly writeMs: number },
): PeopleApi {
  const { readMs, writeMs } = deadlines;
  const write = (m: MutationArgs) => ({
    requestId: m.requestId ?? randomUUID(),
    reason: m.reason,
    ifRevision: w.big(m.ifRevision ?? 0, 'if_revision'),
  });
  const read = <Q, R, V>(method: UnaryMethod<Q, R>, request: Q, as: (r: R) => V) =>
    channel.call(method, request, readMs, as);
  const change = <Q, R, V>(method: UnaryMethod<Q, R>, request: Q, as: (r: R) => V) =>
    channel.call(method, request, writeMs, as);
  const revision = (r: { readonly revision: bigint }) => ({ revision: w.int(r.revision, 'revision') });
  const user = (r: { revision: bigint; user: Parameters<typeof c.decodeUser>[0] | undefined }) => ({
    ...revision(r),
    user: c.decodeUser(w.present(r.user, 'user')),
  });

  return {
    async login(args) {
      const session = await channel.session((m) => m.login, args);
      channel.take(session);
      return session;
    },
    async logout() {
      try {
        await read(methods.logout, {}, () => undefined);
      } finally {
        channel.tokens?.set(null);
      }
    },
    whoAmI: () =>
      read(methods.whoAmI, {}, (r) => {
        if (!r.caller) return null;
        const scopes = c.decodeScopes(r, 'scopes');
        return { ...c.decodeCaller(r.caller, ''), ...(scopes === null ? {} : { scopes }) };
      }),
    async bootstrap(args) {
      const session = await channel.session((m) => m.bootstrap, args);
      channel.take(session);
      return session;
    },
    listUsers: () => read(methods.listUsers, {}, (r) => r.users.map(c.decodeUser)),
    createUser: (m, a) => change(methods.createUser, { ...write(m), ...a }, user),
    updateUser: (m, a) =>
      change(
        methods.updateUser,
        { ...write(m), name: a.name, role: a.role ?? '', password: a.password ?? '', disabled: a.disabled },
        user,
      ),
    removeUser: (m, name) => change(methods.removeUser, { ...write(m), name }, revision),
    changePassword: (m, a) => change(methods.changePassword, { ...write(m), ...a }, revision),
    listApiKeys: () => read(methods.listApiKeys, {}, (r) => r.keys.map(c.decodeKey)),
    createApiKey: (m, a) =>
      change(
        methods.createApiKey,
        {
          ...write(m),
          name: a.name,
          role: a.role,
          scoped: a.scopes !== null,
          scopes: [...(a.scopes ?? [])],
          ttlS: w.big((a.ttlMs ?? 0) / 1000, 'ttl_s'),
        },
        (r) => ({
          ...revision(r),
          key: c.decodeKey(w.present(r.key, 'key')),
          secret: w.required(r.secret, 'secret'),
        }),
      ),
    revokeApiKey: (m, id) => change(methods.revokeApiKey, { ...write(m), id }, revision),
    listAudit: (a) =>
      read(
        methods.listAudit,
        {
          limit: a.limit,
          before: a.before === null ? undefined : w.big(a.before, 'before'),
          actor: a.actor ?? '',
          action: a.action ?? '',
        },
        (r) => ({
          records: r.records.map(c.decodeRecord),
          next: r.next === undefined ? null : w.int(r.next, 'next'),
        }),
      ),
    verifyAudit: () =>
      read(methods.verifyAudit, {}, (r) => ({
        ok: r.ok,
        records: w.int(r.records, 'records'),
        head: r.head,
        fault: r.fault === '' ? null : r.fault,
      })),
  };
}
