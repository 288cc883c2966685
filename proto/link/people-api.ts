import type { AuditRecord, AuditVerdict } from '../vocab/audit.ts';
import type { Action, Caller, Role } from '../vocab/can.ts';
import type { Millis, Revision } from '../vocab/ids.ts';
import type { ApiKeyView, Session, UserView } from '../vocab/people.ts';
import type { MutationArgs } from './console-api.ts';

/** What a client shows, and how it gets the next. An API key has no next. */
export interface Tokens {
  /** A JWT, or an API key `ck1.…`. */
  readonly accessToken: string;
  /** `null`: not to be refreshed. */
  readonly refreshToken: string | null;
}

/** Where a client keeps its tokens; in a file when several programs of one person share them. */
export interface TokenKeeper {
  /** As they are now: another program may have changed them. `null`: not logged in. */
  get(): Tokens | null;
  /** @param session what came with the tokens; absent when they are forgotten */
  set(tokens: Tokens | null, session?: Session): void;
  /**
   * Runs `work` while nobody else who shares these tokens runs theirs: a refresh token works once, and a second use
   * ends the session.
   */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
}

/** Tokens of this process alone. */
export function tokensInMemory(tokens: Tokens | null): TokenKeeper {
  let kept = tokens;
  return {
    get: () => kept,
    set: (next) => {
      kept = next;
    },
    exclusively: (work) => work(),
  };
}

/** People, keys and the audit log, as the console and aicdnctl ask for them; errors as in `ConsoleApi`. */
export interface PeopleApi {
  /** What it gets goes to the token keeper as well. */
  login(args: { readonly name: string; readonly password: string }): Promise<Session>;
  /** Ends the session and forgets the tokens. */
  logout(): Promise<void>;
  /** `null`: nobody is logged in. `scopes`: of an API key that has them. */
  whoAmI(): Promise<Caller | null>;
  /** The one-time code of the first start makes the first admin, who is logged in by it. */
  bootstrap(args: {
    readonly code: string;
    readonly name: string;
    readonly password: string;
  }): Promise<Session>;
  listUsers(): Promise<readonly UserView[]>;
  createUser(
    m: MutationArgs,
    args: { readonly name: string; readonly role: Role; readonly password: string },
  ): Promise<{ readonly revision: Revision; readonly user: UserView }>;
  updateUser(
    m: MutationArgs,
    args: {
      readonly name: string;
      readonly role?: Role;
      readonly password?: string;
      readonly disabled?: boolean;
    },
  ): Promise<{ readonly revision: Revision; readonly user: UserView }>;
  removeUser(m: MutationArgs, name: string): Promise<{ readonly revision: Revision }>;
  /** Ends all sessions of the caller: log in anew. */
  changePassword(
    m: MutationArgs,
    args: { readonly oldPassword: string; readonly newPassword: string },
  ): Promise<{ readonly revision: Revision }>;
  listApiKeys(): Promise<readonly ApiKeyView[]>;
  createApiKey(
    m: MutationArgs,
    args: {
      readonly name: string;
      readonly role: Role;
      /** `null`: all that the role may. */
      readonly scopes: readonly Action[] | null;
      /** `null`: 90 days. */
      readonly ttlMs: Millis | null;
    },
  ): Promise<{ readonly revision: Revision; readonly key: ApiKeyView; readonly secret: string }>;
  revokeApiKey(m: MutationArgs, id: string): Promise<{ readonly revision: Revision }>;
  /** Newest first. `next`: `before` of the page that follows. */
  listAudit(args: {
    readonly limit: number;
    readonly before: number | null;
    readonly actor?: string;
    readonly action?: string;
  }): Promise<{ readonly records: readonly AuditRecord[]; readonly next: number | null }>;
  verifyAudit(): Promise<AuditVerdict>;
}
