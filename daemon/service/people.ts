import type { PeopleService } from './api.ts';
import { ApiKeys } from './api-keys.ts';
import type { AuditTrail } from './audit.ts';
import { type LoginSettings, Logins } from './logins.ts';
import type { AccessTokens, Clock, Draft, Log, Passwords, Random, Snapshot } from './ports.ts';
import { bootstrapCode, Users } from './users.ts';
import type { Writer } from './write.ts';

export interface PeopleNeeds {
  readonly writer: Writer;
  readonly audit: AuditTrail;
  readonly passwords: Passwords;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Users, logins and API keys, and what drives them. */
export interface People {
  readonly service: PeopleService;
  bootstrapCode(view: Snapshot): { readonly ops: readonly Draft[]; readonly code: string | null };
  tick(): Promise<unknown>;
}

export function createPeople(settings: LoginSettings, needs: PeopleNeeds): People {
  const logins = new Logins(settings, needs);
  const users = new Users({ ...needs, logins });
  const keys = new ApiKeys(needs);
  return {
    service: {
      login: (args) => logins.login(args),
      refresh: (args) => logins.refresh(args),
      logout: (caller, args) => logins.logout(caller, args),
      authenticate: (bearer, remote) =>
        ApiKeys.looksLike(bearer) ? keys.caller(bearer, remote) : logins.caller(bearer, remote),
      bootstrap: (args) => users.bootstrap(args),
      listUsers: (caller) => users.list(caller),
      createUser: (m, args) => users.create(m, args),
      updateUser: (m, args) => users.update(m, args),
      removeUser: (m, name) => users.remove(m, name),
      changePassword: (m, args) => users.changePassword(m, args),
      listApiKeys: (caller) => keys.list(caller),
      createApiKey: (m, args) => keys.create(m, args),
      revokeApiKey: (m, id) => keys.revoke(m, id),
    },
    bootstrapCode: (view) => bootstrapCode(view, 'start', needs.random),
    tick: () => keys.tick(),
  };
}
