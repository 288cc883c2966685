import type { Action, Caller, Role } from './can.ts';
import type { Millis, Revision } from './ids.ts';

/** A person who logs in. What is kept of the password never leaves the master. */
export interface UserView {
  readonly name: string;
  readonly role: Role;
  /** May not log in; none of the user's sessions goes on. */
  readonly disabled: boolean;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly lastLoginAt: Millis | null;
  readonly modRevision: Revision;
}

/** A machine's way in: `ck1.<id>.<secret>`, the secret shown once. */
export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Narrower than the role; `null`: all that the role may. */
  readonly scopes: readonly Action[] | null;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  /** To the hour. */
  readonly lastUsedAt: Millis | null;
  readonly revokedAt: Millis | null;
  readonly modRevision: Revision;
}

/** What a login gets. The refresh token works once: the answer to it holds the next. */
export interface Session {
  readonly accessToken: string;
  readonly expiresAt: Millis;
  readonly refreshToken: string;
  readonly refreshExpiresAt: Millis;
  readonly caller: Caller;
}

/** What an actor is called that is no user: a name of these could be taken for it. */
const RESERVED: readonly string[] = ['local', 'master', 'node', 'tick', 'unix', 'anonymous'];

/**
 * 2-32 of a-z, 0-9, `-`, `_` and `.`, beginning with a letter and ending with a letter or digit. Actors that are no
 * users, `lin(1000)`, `1000`, `key:ci`, `node hk-1`, are never user names.
 */
export function isUserName(s: string): boolean {
  return /^[a-z][a-z0-9._-]{0,30}[a-z0-9]$/.test(s) && !RESERVED.includes(s);
}
