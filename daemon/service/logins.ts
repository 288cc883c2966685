import { createHash, timingSafeEqual } from 'node:crypto';
import { type Caller, ROLES, type Role } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import { isUserName, type Session } from '../../proto/vocab/people.ts';
import { type Refusal, Throttle } from '../core/people/throttle.ts';
import type { About, AuditTrail } from './audit.ts';
import type {
  AccessClaims,
  AccessTokens,
  Clock,
  Draft,
  Log,
  LoginSession,
  Passwords,
  Random,
  Snapshot,
  User,
} from './ports.ts';
import type { Writer } from './write.ts';

export interface LoginSettings {
  /** How long an access token is good. */
  readonly accessMs: number;
}

interface Needs {
  readonly writer: Writer;
  readonly audit: AuditTrail;
  readonly passwords: Passwords;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const DAY_MS = 86_400_000;
/** A session that is not refreshed for so long is over, and every one is after a while. */
const REFRESH_MS = 7 * DAY_MS;
const LONGEST_SESSION_MS = 30 * DAY_MS;
const MOST_SESSIONS = 16;
const LONGEST_NAME = 64;
const LONGEST_PASSWORD = 256;

// One person mistypes a few times; a thousand guesses at one account cost five comparisons, then one a wait.
const ACCOUNT = { free: 5, baseMs: 1000, maxMs: 15 * 60_000, forgetMs: 3_600_000, most: 10_000 };
// Many people may share an address.
const ADDRESS = { free: 20, baseMs: 1000, maxMs: 5 * 60_000, forgetMs: 3_600_000, most: 10_000 };

const REFRESH = /^rt1\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})$/;

/** Logging in, staying so, and out. */
export class Logins {
  private readonly settings: LoginSettings;
  private readonly needs: Needs;
  private readonly accounts = new Throttle(ACCOUNT);
  private readonly addresses = new Throttle(ADDRESS);

  constructor(settings: LoginSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
  }

  async login(args: { name: string; password: string; remote: string }): Promise<Session> {
    const { name, remote } = args;
    const about = aboutOf('login', isUserName(name) ? name : 'unknown', remote);
    const user = await this.compared(args, about);
    const made = await this.needs.writer.told(
      about,
      (view, now) => {
        const still = view.get('user', user.name);
        // Changed or disabled while the password was compared.
        if (!still || still.disabled || still.passwordHash !== user.passwordHash) throw wrong();
        const opened = this.opened(still, remote, now);
        const put: Draft = { op: 'put', kind: 'user', key: name, value: { ...still, lastLoginAt: now } };
        return { ops: [...this.surplus(view, name), put, opened.op], events: [], result: opened };
      },
      () => user.name,
    );
    return this.answer(user, made.result, remote);
  }

  /**
   * The user whose password it is; the same work for a name that nobody has.
   * @param about of the record of a failure; `null`: the caller makes it
   * @throws AppError `unauthenticated`; `unavailable` when throttled
   */
  async compared(
    args: { name: string; password: string; remote: string },
    about: About | null,
  ): Promise<User> {
    const { name, password, remote } = args;
    if (name.length > LONGEST_NAME || password.length > LONGEST_PASSWORD) {
      throw new AppError(
        'invalid',
        `a name has ${LONGEST_NAME} characters at most, a password ${LONGEST_PASSWORD}`,
      );
    }
    const { writer, audit, passwords } = this.needs;
    audit.check();
    const view = writer.view();
    const counted = await this.admitted(view, name, remote, about);
    const user = view.get('user', name);
    const right = await passwords.verify(password, user?.passwordHash ?? null);
    if (!user || !right || user.disabled) {
      if (about) await audit.tell(about, 'unauthenticated');
      throw wrong();
    }
    counted.right();
    return user;
  }

  /** The refresh token works once: whoever shows an old one had it from somewhere, so the session is over. */
  async refresh(args: { refreshToken: string; remote: string }): Promise<Session> {
    const { remote } = args;
    const { writer, clock, audit } = this.needs;
    const m = REFRESH.exec(args.refreshToken);
    const id = m?.[1] ?? '';
    const hash = sha256(m?.[2] ?? '');
    const seen = writer.view().get('session', id);
    if (!seen || clock.now() >= seen.expiresAt) throw over();
    audit.check();
    const about = { ...aboutOf('refresh', seen.user, remote), subject: id };
    type Made = { readonly user: User; readonly opened: Opened } | null;
    const rotated = await writer.write<Made>(seen.user, remote, (view, now) => {
      const session = view.get('session', id);
      const user = session && view.get('user', session.user);
      if (!session || !user || user.disabled || now >= session.expiresAt) throw over();
      if (!same(session.refreshHash, hash)) return { ops: [endOf(id)], events: [], result: null };
      const opened = this.opened(user, remote, now, session);
      return { ops: [opened.op], events: [], result: { user, opened } };
    });
    const made = rotated?.result ?? null;
    if (made === null) {
      const reason = 'a refresh token was used a second time: the session was ended';
      await audit.tell({ ...about, reason }, 'unauthenticated');
      throw new AppError(
        'unauthenticated',
        `${reason}; log in again, and change the password if it was not you`,
      );
    }
    return this.answer(made.user, made.opened, remote);
  }

  async logout(caller: Caller, args: { accessToken: string }): Promise<void> {
    const { writer, tokens } = this.needs;
    const claims = tokens.read(args.accessToken);
    if (claims === null) {
      throw new AppError('invalid', 'only a login is logged out; an API key is revoked');
    }
    const about = { ...aboutOf('logout', caller.actor, caller.source), caller };
    await writer.told(
      about,
      () => {
        const { jti, sid, expiresAt } = claims;
        const denied: Draft = { op: 'put', kind: 'denied', key: jti, value: { id: jti, until: expiresAt } };
        return { ops: [denied, endOf(sid)], events: [], result: null };
      },
      () => claims.sub,
    );
  }

  /** @throws AppError `unauthenticated` */
  caller(token: string, remote: string): Caller {
    const claims = this.needs.tokens.read(token);
    if (claims === null)
      throw new AppError('unauthenticated', 'this is no access token of this master; log in');
    return { ...this.bearer(claims), source: remote };
  }

  /** A session for a user that was just made, to be put beside it in the same commit. */
  opened(user: Pick<User, 'name'>, remote: string, now: Millis, before?: LoginSession): Opened {
    const { random } = this.needs;
    const id = before?.id ?? random.hex(16);
    const secret = Buffer.from(random.bytes(32)).toString('base64url');
    const startedAt = before?.startedAt ?? now;
    const session = {
      id,
      user: user.name,
      remote,
      startedAt,
      refreshHash: sha256(secret),
      refreshedAt: now,
      expiresAt: Math.min(now + REFRESH_MS, startedAt + LONGEST_SESSION_MS),
    };
    return {
      op: { op: 'put', kind: 'session', key: id, value: session },
      refreshToken: `rt1.${id}.${secret}`,
      refreshExpiresAt: session.expiresAt,
      sid: id,
      at: now,
    };
  }

  async answer(user: Pick<User, 'name' | 'role'>, opened: Opened, remote: string): Promise<Session> {
    const { tokens, random } = this.needs;
    const { sid, at, refreshToken, refreshExpiresAt } = opened;
    const issuedAt = at - (at % 1000);
    const expiresAt = issuedAt + this.settings.accessMs;
    const claims = { jti: random.hex(16), sub: user.name, role: user.role, sid, issuedAt, expiresAt };
    return {
      accessToken: await tokens.sign(claims),
      expiresAt,
      refreshToken,
      refreshExpiresAt,
      caller: { actor: user.name, role: user.role, source: remote },
    };
  }

  private bearer({ sub, jti, sid, role, expiresAt }: AccessClaims): { actor: string; role: Role } {
    const { writer, clock } = this.needs;
    const view = writer.view();
    if (clock.now() >= expiresAt) {
      throw new AppError('unauthenticated', 'the access token has expired; refresh it, or log in again');
    }
    const user = view.get('user', sub);
    if (!user || user.disabled || !view.get('session', sid) || view.get('denied', jti)) throw over();
    const known = ROLES.find((r) => r === role);
    // A role that changed has ended the session; the lesser one holds should that ever not be so.
    if (known === undefined || known !== user.role) throw over();
    return { actor: user.name, role: known };
  }

  /**
   * Counted as a failure from here on, by account and by address. An address that the user has a session from is
   * counted by itself, so that strangers do not lock people out.
   */
  private async admitted(view: Snapshot, name: string, remote: string, about: About | null) {
    const now = this.needs.clock.now();
    const known = view.list('session').some((s) => s.user === name && s.remote === remote);
    const account = known ? `${name} ${remote}` : name;
    const refusal = this.accounts.refusal(account, now);
    if (refusal !== null) throw await this.refused(refusal, about);
    // In one turn with the look at both: a thousand at once must not all pass before the first is counted.
    const address = this.counted(remote);
    if ('refusal' in address) throw await this.refused(address.refusal, about);
    this.accounts.attempt(account, now);
    return {
      right: () => {
        this.accounts.clear(account);
        address.right();
      },
    };
  }

  /** An attempt of this address: a failure, unless `right` says otherwise. At once. */
  counted(remote: string): { readonly right: () => void } | { readonly refusal: Refusal } {
    const address = networkOf(remote);
    const now = this.needs.clock.now();
    const refusal = this.addresses.refusal(address, now);
    return refusal === null ? { right: this.addresses.attempt(address, now) } : { refusal };
  }

  /** What to say, recorded once a wait: a flood of guesses must not become a flood of records. */
  async refused({ waitMs, first }: Refusal, about: About | null): Promise<AppError> {
    if (first && about) await this.needs.audit.tell({ ...about, reason: 'too many failures' }, 'unavailable');
    return new AppError('unavailable', `too many failures; try again in ${Math.ceil(waitMs / 1000)} s`, {
      retryAfterMs: waitMs,
    });
  }

  /** The oldest sessions of a user that has as many as there may be. */
  private surplus(view: Snapshot, name: string): Draft[] {
    const own = view.list('session').filter((s) => s.user === name);
    return own
      .sort((a, b) => a.refreshedAt - b.refreshedAt)
      .slice(0, Math.max(0, own.length - MOST_SESSIONS + 1))
      .map((s) => endOf(s.id));
  }
}

export interface Opened {
  readonly op: Draft;
  readonly refreshToken: string;
  readonly refreshExpiresAt: Millis;
  readonly sid: string;
  readonly at: Millis;
}

/** Ends all sessions of a user, and with them every watch that runs on one. */
export function sessionsEnded(view: Snapshot, user: string): Draft[] {
  return view
    .list('session')
    .filter((s) => s.user === user)
    .map((s) => endOf(s.id));
}

export function aboutOf(action: string, actor: string, source: string): About {
  return { caller: { actor, role: null, source }, action, subject: actor, requestId: '', reason: '' };
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Two hashes in hex, in a time that tells nothing. */
export function same(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

function endOf(id: string): Draft {
  return { op: 'del', kind: 'session', key: id };
}

function wrong(): AppError {
  return new AppError('unauthenticated', 'wrong name or password');
}

function over(): AppError {
  return new AppError('unauthenticated', 'the session is over; log in again');
}

/** What one household or host has: an IPv4 address, the /64 of an IPv6 one. */
function networkOf(remote: string): string {
  const bare = remote.replace(/^::ffff:(?=\d+\.)/, '');
  return bare.includes(':') ? bare.split(':').slice(0, 4).join(':') : bare;
}
