import type { Caller, Role } from '../../proto/vocab/can.ts';
import { ROLES } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { isUserName, type Session, type UserView } from '../../proto/vocab/people.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Mutation, PeopleService } from './api.ts';
import type { AuditTrail } from './audit.ts';
import { aboutOf, type Logins, same, sessionsEnded, sha256 } from './logins.ts';
import type { Draft, Passwords, Random, Snapshot, User } from './ports.ts';
import { authorise, codeOf, type EventDraft, guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly audit: AuditTrail;
  readonly passwords: Passwords;
  readonly logins: Logins;
}

const SHORTEST_PASSWORD = 12;
const LONGEST_PASSWORD = 256;
const MOST_USERS = 1000;

/** Where the one-time code of the first start is kept: who made it, and its sha256. */
const BOOTSTRAP = 'bootstrap_code';
/** No letters or digits that look alike. */
const LETTERS = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';
const CODE_LETTERS = 20;

export class Users {
  private readonly needs: Needs;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  list(caller: Caller): readonly UserView[] {
    authorise(caller, 'user.list');
    return this.needs.writer.view().list('user').map(viewOf);
  }

  async create(
    m: Mutation,
    { name, role, password }: Parameters<PeopleService['createUser']>[1],
  ): ReturnType<PeopleService['createUser']> {
    authorise(m.caller, 'user.write');
    checkUser(name, role, password);
    const passwordHash = await this.needs.passwords.hash(password);
    // The password is not among the arguments that a repeat is told by: their hash is kept.
    return this.changed(m, name, { name, role }, (view, now) => {
      if (view.get('user', name)) throw new AppError('conflict', `there is a user ${name} already`);
      if (view.count('user') >= MOST_USERS)
        throw new AppError('precondition', `there are ${MOST_USERS} users`);
      const made = { name, role, passwordHash, disabled: false };
      const value = { ...made, createdBy: m.caller.actor, createdAt: now, lastLoginAt: null };
      return { ops: [put(value)], text: `made user ${name}, ${role}` };
    });
  }

  async update(
    m: Mutation,
    args: Parameters<PeopleService['updateUser']>[1],
  ): ReturnType<PeopleService['updateUser']> {
    authorise(m.caller, 'user.write');
    const { name, role, password, disabled } = args;
    if (role !== undefined) checkRole(role);
    if (password !== undefined) checkPassword(password, name);
    const passwordHash = password === undefined ? undefined : await this.needs.passwords.hash(password);
    const what = { name, role, disabled, password: password !== undefined };
    return this.changed(m, name, what, (view) => {
      const user = must(view, name);
      guardRevision(m, name, user.modRevision);
      const next = {
        ...user,
        role: role ?? user.role,
        disabled: disabled ?? user.disabled,
        passwordHash: passwordHash ?? user.passwordHash,
      };
      keepAnAdmin(view, name, next);
      const parts = [
        next.role === user.role ? '' : `role ${next.role}`,
        next.disabled === user.disabled ? '' : next.disabled ? 'disabled' : 'enabled',
        passwordHash === undefined ? '' : 'a new password',
      ].filter((p) => p !== '');
      const text = `user ${name}: ${parts.join(', ') || 'nothing changed'}`;
      return { ops: [put(next), ...(parts.length > 0 ? sessionsEnded(view, name) : [])], text };
    });
  }

  async remove(m: Mutation, name: string): ReturnType<PeopleService['removeUser']> {
    const { revision } = await this.needs.writer.mutate(
      m,
      'user.write',
      { remove: true, name },
      (view) => {
        const user = must(view, name);
        guardRevision(m, name, user.modRevision);
        keepAnAdmin(view, name, null);
        const gone: Draft = { op: 'del', kind: 'user', key: name };
        const event = said(m, name, `removed user ${name}`);
        return { ops: [gone, ...sessionsEnded(view, name)], events: [event], result: name };
      },
      (n) => n,
      (_view, n) => n,
    );
    return { revision };
  }

  async changePassword(
    m: Mutation,
    args: Parameters<PeopleService['changePassword']>[1],
  ): ReturnType<PeopleService['changePassword']> {
    const { writer, logins, passwords } = this.needs;
    const name = m.caller.actor;
    const own = isUserName(name) && m.caller.scopes === undefined && writer.view().get('user', name);
    if (!own)
      throw new AppError('precondition', `${name} is no user of this master and has no password here`);
    checkPassword(args.newPassword, name);
    await logins.compared({ name, password: args.oldPassword, remote: m.caller.source }, null).catch((e) => {
      // The caller is who they are: to be told to log in again would be no help.
      if (codeOf(e) === 'unauthenticated') throw new AppError('forbidden', 'the old password is wrong');
      throw e;
    });
    const passwordHash = await passwords.hash(args.newPassword);
    const { revision } = await writer.mutate(
      m,
      'user.password',
      { name },
      (view) => {
        const user = must(view, name);
        const ops = [put({ ...user, passwordHash }), ...sessionsEnded(view, name)];
        return { ops, events: [], result: name };
      },
      (n) => n,
      (_view, n) => n,
    );
    return { revision };
  }

  async bootstrap(args: Parameters<PeopleService['bootstrap']>[0]): Promise<Session> {
    const { writer, audit, logins, passwords } = this.needs;
    const { name, password, remote } = args;
    const about = { ...aboutOf('bootstrap', isUserName(name) ? name : 'unknown', remote) };
    audit.check();
    const counted = logins.counted(remote);
    if ('refusal' in counted) throw await logins.refused(counted.refusal, about);
    // Looked at before the password is hashed, so that guesses cost nothing; decided again in the commit.
    await this.told(about, () => checkCode(writer.view(), args.code));
    await this.told(about, () => checkUser(name, 'admin', password));
    const passwordHash = await passwords.hash(password);
    const { result } = await writer.told(
      about,
      (view, now) => {
        checkCode(view, args.code);
        const user = { name, role: 'admin' as const, passwordHash, disabled: false };
        const value = { ...user, createdBy: 'bootstrap', createdAt: now, lastLoginAt: now };
        const opened = logins.opened(value, remote, now);
        const used: Draft = { op: 'del', kind: 'meta', key: BOOTSTRAP };
        const text = `made the first admin, ${name}, with the one-time code`;
        const event = { kind: 'master', who: name, subject: name, level: 'info', text } as const;
        return { ops: [put(value), used, opened.op], events: [event], result: opened };
      },
      () => name,
    );
    counted.right();
    return logins.answer({ name, role: 'admin' }, result, remote);
  }

  private async told(about: Parameters<AuditTrail['tell']>[0], check: () => void): Promise<void> {
    try {
      check();
    } catch (error) {
      await this.needs.audit.tell(about, error instanceof AppError ? error.code : 'internal');
      throw error;
    }
  }

  private async changed(
    m: Mutation,
    name: string,
    args: unknown,
    decide: (view: Snapshot, now: number) => { ops: readonly Draft[]; text: string },
  ): Promise<{ revision: number; user: UserView }> {
    const { writer } = this.needs;
    const { revision } = await writer.mutate(
      m,
      'user.write',
      args,
      (view, now) => {
        const { ops, text } = decide(view, now);
        return { ops, events: [said(m, name, text)], result: name };
      },
      (n) => n,
      (_view, n) => n,
    );
    return { revision, user: viewOf(must(writer.view(), name)) };
  }
}

/**
 * While there is no admin that can log in: a code that makes the first one. Each start makes another, but for one made
 * by hand.
 * @returns the code to tell once the ops are on disk; `null`: none is needed, or one made by hand is good still
 */
export function bootstrapCode(
  view: Snapshot,
  by: 'start' | 'hand',
  random: Random,
): { readonly ops: readonly Draft[]; readonly code: string | null } {
  const kept = String(view.get('meta', BOOTSTRAP)?.value ?? '');
  if (hasAdmin(view)) {
    return { ops: kept === '' ? [] : [{ op: 'del', kind: 'meta', key: BOOTSTRAP }], code: null };
  }
  if (by === 'start' && kept.startsWith('hand:')) return { ops: [], code: null };
  const code = makeCode(random);
  const value = { id: BOOTSTRAP, value: `${by}:${sha256(plain(code))}` };
  return { ops: [{ op: 'put', kind: 'meta', key: BOOTSTRAP, value }], code };
}

/** An admin that can log in. */
export function hasAdmin(view: Snapshot): boolean {
  return view.list('user').some((u) => u.role === 'admin' && !u.disabled);
}

function keepAnAdmin(view: Snapshot, name: string, next: Pick<User, 'role' | 'disabled'> | null): void {
  const is = (u: Pick<User, 'role' | 'disabled'>): boolean => u.role === 'admin' && !u.disabled;
  const was = view.get('user', name);
  if (!was || !is(was) || (next !== null && is(next))) return;
  if (view.list('user').some((u) => u.name !== name && is(u))) return;
  throw new AppError('precondition', `${name} is the last admin that can log in; make another one first`);
}

function checkCode(view: Snapshot, code: string): void {
  const kept = String(view.get('meta', BOOTSTRAP)?.value ?? '').replace(/^\w+:/, '');
  const right = same(kept, sha256(plain(code)));
  if (hasAdmin(view)) {
    throw new AppError('precondition', 'there is an admin already: the first start is over; log in');
  }
  if (!right) {
    throw new AppError(
      'unauthenticated',
      'the code is wrong or was used; the master prints one at its start, `aicdn-master bootstrap-code` makes another',
    );
  }
}

/** As it is compared: whatever the case, with or without dashes. */
function plain(code: string): string {
  return code
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '')
    .slice(0, 64);
}

/** 98 bits in four groups of five. */
function makeCode(random: Random): string {
  let letters = '';
  while (letters.length < CODE_LETTERS) {
    for (const byte of random.bytes(32)) {
      // Only whole rounds of the letters, so that none is likelier than another.
      if (byte < LETTERS.length * Math.floor(256 / LETTERS.length)) letters += LETTERS[byte % LETTERS.length];
    }
  }
  return (letters.slice(0, CODE_LETTERS).match(/.{5}/g) ?? []).join('-');
}

function checkUser(name: string, role: Role, password: string): void {
  if (!isUserName(name)) {
    throw new AppError(
      'invalid',
      `user name ${JSON.stringify(safeText(name, { max: 32 }))}: 2 to 32 of a-z, 0-9 and - . _, beginning with a letter, are wanted; names of the master's own are not`,
    );
  }
  checkRole(role);
  checkPassword(password, name);
}

export function checkRole(role: string): asserts role is Role {
  if (!(ROLES as readonly string[]).includes(role)) {
    throw new AppError(
      'invalid',
      `role ${JSON.stringify(safeText(role, { max: 32 }))}: one of ${ROLES.join(', ')}`,
    );
  }
}

function checkPassword(password: string, name: string): void {
  const length = [...password].length;
  if (length < SHORTEST_PASSWORD || password.length > LONGEST_PASSWORD) {
    throw new AppError(
      'invalid',
      `the password has ${length} characters: ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} are wanted, whichever they are`,
    );
  }
  if (new Set(password).size < 5 || password.toLowerCase().replaceAll(name, '').length < 5) {
    throw new AppError(
      'invalid',
      'the password is too easy to guess: a few words that do not belong together are good',
    );
  }
}

function put(value: Omit<User, 'modRevision'>): Draft {
  return { op: 'put', kind: 'user', key: value.name, value };
}

function said(m: Mutation, name: string, text: string): EventDraft {
  return { kind: 'master', who: m.caller.actor, subject: name, level: 'info', text };
}

function viewOf({ passwordHash: _, ...user }: User): UserView {
  return user;
}

function must(view: Snapshot, name: string): User {
  const user = view.get('user', name);
  if (!user) throw new AppError('not_found', `there is no user ${safeText(name, { max: 64 })}`);
  return user;
}
