import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type * as g from '../../../proto/gen/aicdn/v1/console.ts';
import * as c from '../../../proto/link/codec-people.ts';
import * as w from '../../../proto/link/wire.ts';
import { ROLES } from '../../../proto/vocab/can.ts';
import type { Services } from '../../service/api.ts';
import { mutation, type Open, orNull, type Unary } from './handler.ts';

/** What is typed: no message says how long it was. */
const LONGEST_PASSWORD = 256;
const USUAL_PAGE = 100;

/** Who may be here at all: logging in and out, users, API keys, and the record of what all of them did. */
export function peopleHandlers(
  u: Unary,
  open: Open,
  s: Pick<Services, 'people' | 'audit'>,
): UntypedServiceImplementation {
  const { people, audit } = s;
  return {
    login: open('login', async (q: g.LoginRequest, { remote }): Promise<g.LoginResponse> => {
      const args = { name: w.text(q.name, 'name', w.LONGEST.word), password: password(q.password) };
      return { session: c.encodeSession(await people.login({ ...args, remote })) };
    }),
    refresh: open('refresh', async (q: g.RefreshRequest, { remote }): Promise<g.RefreshResponse> => {
      const refreshToken = w.required(q.refreshToken, 'refresh_token', c.LONGEST_TOKEN);
      return { session: c.encodeSession(await people.refresh({ refreshToken, remote })) };
    }),
    logout: open('logout', async (_: g.LogoutRequest, { caller, bearer }): Promise<g.LogoutResponse> => {
      await people.logout(caller(), { accessToken: bearer ?? '' });
      return {};
    }),
    whoAmI: open('whoAmI', (_: g.WhoAmIRequest, asks): g.WhoAmIResponse => {
      const who = asks.callerOrNull();
      return {
        caller: who ? c.encodeCaller(who) : undefined,
        scoped: who?.scopes !== undefined,
        scopes: [...(who?.scopes ?? [])],
      };
    }),
    bootstrap: open('bootstrap', async (q: g.BootstrapRequest, { remote }): Promise<g.BootstrapResponse> => {
      const args = {
        code: w.required(q.code, 'code'),
        name: w.required(q.name, 'name'),
        password: password(q.password),
      };
      return { session: c.encodeSession(await people.bootstrap({ ...args, remote })) };
    }),
    listUsers: u('user.list', 'listUsers', (_: g.ListUsersRequest, caller) => ({
      users: people.listUsers(caller).map(c.encodeUser),
    })),
    createUser: u('user.write', 'createUser', async (q: g.CreateUserRequest, caller) => {
      const r = await people.createUser(mutation(q, caller), {
        name: w.required(q.name, 'name'),
        role: w.oneOf(q.role, ROLES, 'role'),
        password: password(q.password),
      });
      return { revision: w.big(r.revision, 'revision'), user: c.encodeUser(r.user) };
    }),
    updateUser: u('user.write', 'updateUser', async (q: g.UpdateUserRequest, caller) => {
      const r = await people.updateUser(mutation(q, caller), {
        name: w.required(q.name, 'name'),
        ...(q.role === '' ? {} : { role: w.oneOf(q.role, ROLES, 'role') }),
        ...(q.password === '' ? {} : { password: password(q.password) }),
        ...(q.disabled === undefined ? {} : { disabled: q.disabled }),
      });
      return { revision: w.big(r.revision, 'revision'), user: c.encodeUser(r.user) };
    }),
    removeUser: u('user.write', 'removeUser', async (q: g.RemoveUserRequest, caller) => {
      const r = await people.removeUser(mutation(q, caller), w.required(q.name, 'name'));
      return { revision: w.big(r.revision, 'revision') };
    }),
    changePassword: u('own', 'changePassword', async (q: g.ChangePasswordRequest, caller) => {
      const r = await people.changePassword(mutation(q, caller), {
        oldPassword: password(q.oldPassword),
        newPassword: password(q.newPassword),
      });
      return { revision: w.big(r.revision, 'revision') };
    }),
    listApiKeys: u('apikey.list', 'listApiKeys', (_: g.ListApiKeysRequest, caller) => ({
      keys: people.listApiKeys(caller).map(c.encodeKey),
    })),
    createApiKey: u('apikey.write', 'createApiKey', async (q: g.CreateApiKeyRequest, caller) => {
      const ttl = w.int(q.ttlS, 'ttl_s') * 1000;
      const r = await people.createApiKey(mutation(q, caller), {
        name: w.required(q.name, 'name'),
        role: w.oneOf(q.role, ROLES, 'role'),
        scopes: c.decodeScopes(q, 'scopes'),
        ttlMs: ttl === 0 ? null : ttl,
      });
      return { revision: w.big(r.revision, 'revision'), key: c.encodeKey(r.key), secret: r.secret };
    }),
    revokeApiKey: u('apikey.write', 'revokeApiKey', async (q: g.RevokeApiKeyRequest, caller) => {
      const r = await people.revokeApiKey(mutation(q, caller), w.required(q.id, 'id'));
      return { revision: w.big(r.revision, 'revision') };
    }),
    listAudit: u(
      'audit.read',
      'listAudit',
      async (q: g.ListAuditRequest, caller): Promise<g.ListAuditResponse> => {
        const actor = orNull(w.text(q.actor, 'actor', w.LONGEST.word));
        const action = orNull(w.text(q.action, 'action', w.LONGEST.word));
        const { records, next } = await audit.list(caller, {
          limit: q.limit === 0 ? USUAL_PAGE : q.limit,
          before: q.before === undefined ? null : w.int(q.before, 'before'),
          ...(actor === null ? {} : { actor }),
          ...(action === null ? {} : { action }),
        });
        return {
          records: records.map(c.encodeRecord),
          next: next === null ? undefined : w.big(next, 'next'),
        };
      },
    ),
    verifyAudit: u(
      'audit.read',
      'verifyAudit',
      async (_: g.VerifyAuditRequest, caller): Promise<g.VerifyAuditResponse> => {
        const v = await audit.verify(caller);
        return { ok: v.ok, records: w.big(v.records, 'records'), head: v.head, fault: v.fault ?? '' };
      },
    ),
  };
}

function password(value: string): string {
  if (value === '') throw w.invalid('password', 'is missing');
  if (value.length > LONGEST_PASSWORD)
    throw w.invalid('password', `longer than ${LONGEST_PASSWORD} characters`);
  return value;
}
