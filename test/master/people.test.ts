import { jwtVerify } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Mutation } from '../../daemon/service/api.ts';
import { openAuditFile } from '../../daemon/store/audit-file.ts';
import { createCrashDisk } from '../../daemon/store/crash-disk.ts';
import type { Caller, Role } from '../../proto/vocab/can.ts';
import type { Session } from '../../proto/vocab/people.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

const PASSWORD = 'correct horse battery staple';
const REMOTE = '203.0.113.7';
const MINUTE = 60_000;
const DAY = 86_400_000;

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
});

const admin = { actor: 'root(0)', role: 'admin', source: 'unix' } as const;
const by = (caller: Caller): Mutation => m.m({ caller });
const make = (name: string, role: Role = 'operator') =>
  m.services.people.createUser(m.m(), { name, role, password: PASSWORD });
const login = (name: string, password = PASSWORD, remote = REMOTE): Promise<Session> =>
  m.services.people.login({ name, password, remote });
const whoIs = (token: string): Caller => m.services.people.authenticate(token, REMOTE);
const refused = (code: string, message?: string) =>
  expect.objectContaining({
    code,
    ...(message ? { message: expect.stringContaining(message) as string } : {}),
  });
const records = async () =>
  (await m.services.audit.list(admin, { limit: 1000, before: null })).records
    .map((r) => `${r.actor} ${r.action} ${r.subject} ${r.outcome}`)
    .reverse();
function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (e) {
    return e;
  }
  throw new Error('was not refused');
}
const codeOf = (master: MemoryMaster): string | null => {
  const line = master.log.lines.findLast((l) => l.message.includes('one-time code'));
  return line ? (JSON.parse(line.fields) as { code: string }).code : null;
};

describe('users', () => {
  it('names, roles and passwords are looked at; what is kept is an argon2id hash, and nobody is shown it', async () => {
    for (const [args, message] of [
      [{ name: 'Lin', role: 'viewer', password: PASSWORD }, 'user name "Lin"'],
      [{ name: 'lin(1000)', role: 'viewer', password: PASSWORD }, 'user name'],
      [{ name: 'master', role: 'viewer', password: PASSWORD }, 'user name'],
      [{ name: '1000', role: 'viewer', password: PASSWORD }, 'user name'],
      [{ name: 'lin', role: 'root', password: PASSWORD }, 'role "root"'],
      [{ name: 'lin', role: 'viewer', password: 'short' }, '12 to 256'],
      [{ name: 'lin', role: 'viewer', password: 'aaaaaaaaaaaaaaa' }, 'too easy'],
      [{ name: 'linlin', role: 'viewer', password: 'linlinlinlin123' }, 'too easy'],
    ] as const) {
      await expect(m.services.people.createUser(m.m(), args as never)).rejects.toEqual(
        refused('invalid', message),
      );
    }
    const { user, revision } = await make('lin');
    expect(user).toEqual({
      name: 'lin',
      role: 'operator',
      disabled: false,
      createdBy: 'lin(1000)',
      createdAt: m.now,
      lastLoginAt: null,
      modRevision: revision,
    });
    expect(m.services.people.listUsers(admin)).toEqual([user]);
    expect(m.store.snapshot().get('user', 'lin')?.passwordHash).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$/);
    await expect(make('lin')).rejects.toEqual(refused('conflict'));
    const operator = { actor: 'wei', role: 'operator', source: REMOTE } as const;
    expect(caught(() => m.services.people.listUsers(operator))).toEqual(refused('forbidden'));
    await expect(
      m.services.people.createUser(by(operator), { name: 'eve', role: 'admin', password: PASSWORD }),
    ).rejects.toEqual(refused('forbidden'));
  });

  it('one admin that can log in always remains', async () => {
    await make('ann', 'admin');
    const { people } = m.services;
    const takings = [
      () => people.removeUser(m.m(), 'ann'),
      () => people.updateUser(m.m(), { name: 'ann', disabled: true }),
      () => people.updateUser(m.m(), { name: 'ann', role: 'operator' }),
    ];
    for (const take of takings) await expect(take()).rejects.toEqual(refused('precondition', 'last admin'));
    await make('bob', 'admin');
    // Both at once: one of the two is refused.
    const both = await Promise.allSettled([people.removeUser(m.m(), 'ann'), people.removeUser(m.m(), 'bob')]);
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(people.listUsers(admin)).toHaveLength(1);
  });

  it.each([
    ['a new role', (p: typeof m.services.people) => p.updateUser(m.m(), { name: 'lin', role: 'viewer' })],
    [
      'a new password',
      (p: typeof m.services.people) => p.updateUser(m.m(), { name: 'lin', password: `${PASSWORD}!` }),
    ],
    ['being disabled', (p: typeof m.services.people) => p.updateUser(m.m(), { name: 'lin', disabled: true })],
    ['being removed', (p: typeof m.services.people) => p.removeUser(m.m(), 'lin')],
    [
      'an own new password',
      (p: typeof m.services.people) =>
        p.changePassword(by({ actor: 'lin', role: 'operator', source: REMOTE }), {
          oldPassword: PASSWORD,
          newPassword: `${PASSWORD}!`,
        }),
    ],
  ])('%s ends the sessions at once, and only this user’s', async (_what, change) => {
    await make('lin');
    await make('wei');
    const [a, b, other] = [await login('lin'), await login('lin'), await login('wei')];
    await change(m.services.people);
    for (const s of [a, b]) {
      expect(caught(() => whoIs(s.accessToken))).toEqual(refused('unauthenticated'));
      await expect(
        m.services.people.refresh({ refreshToken: s.refreshToken, remote: REMOTE }),
      ).rejects.toEqual(refused('unauthenticated'));
    }
    expect(whoIs(other.accessToken).actor).toBe('wei');
  });

  it('an update that changes nothing ends nothing; a stale one is a conflict', async () => {
    const { user } = await make('lin');
    const s = await login('lin');
    await m.services.people.updateUser(m.m(), { name: 'lin', role: 'operator' });
    expect(whoIs(s.accessToken).actor).toBe('lin');
    await expect(
      m.services.people.updateUser(m.m({ ifRevision: user.modRevision }), { name: 'lin', role: 'viewer' }),
    ).rejects.toEqual(refused('conflict'));
  });

  it('an own password is changed with the old one only, and by users only', async () => {
    await make('lin', 'viewer');
    const change = (caller: Caller, oldPassword: string) =>
      m.services.people.changePassword(by(caller), { oldPassword, newPassword: `${PASSWORD}!` });
    const lin = { actor: 'lin', role: 'viewer', source: REMOTE } as const;
    await expect(change(lin, 'not the old one!')).rejects.toEqual(refused('forbidden', 'old password'));
    for (const actor of ['lin(1000)', 'key:lin', 'local', 'nobody']) {
      await expect(change({ ...lin, actor }, PASSWORD)).rejects.toEqual(refused('precondition'));
    }
    await change(lin, PASSWORD);
    await expect(login('lin')).rejects.toEqual(refused('unauthenticated'));
    expect((await login('lin', `${PASSWORD}!`)).caller.actor).toBe('lin');
  });

  it('no password, no secret and no hash of one is in what watchers, the events or the audit log get', async () => {
    const secrets: string[] = [PASSWORD];
    const events: unknown[] = [];
    m.watch({ send: (e) => events.push(e) > 0, end: () => {} });
    await make('lin', 'admin');
    const s = await login('lin');
    const key = await m.services.people.createApiKey(m.m(), {
      name: 'ci',
      role: 'viewer',
      scopes: null,
      ttlMs: null,
    });
    const next = await m.services.people.refresh({ refreshToken: s.refreshToken, remote: REMOTE });
    for (const t of [s, next]) secrets.push(t.accessToken, t.refreshToken.split('.')[2] ?? '');
    secrets.push(key.secret, '$argon2id', m.store.snapshot().get('apikey', key.key.id)?.secretHash ?? '');
    await m.services.people.logout(
      { actor: 'lin', role: 'admin', source: REMOTE },
      { accessToken: next.accessToken },
    );
    const log = await m.services.audit.list(admin, { limit: 1000, before: null });
    const seen = JSON.stringify([events, log, m.log.lines, m.services.people.listApiKeys(admin)]);
    for (const secret of secrets) expect(seen).not.toContain(secret);
    const kinds = events.flatMap(
      (e) => JSON.stringify(e).match(/"kind":"(user|session|denied|apikey|audit|meta)"/g) ?? [],
    );
    expect(kinds).toEqual([]);
    expect(await records()).toEqual([
      'lin(1000) user.write lin ok',
      'lin login lin ok',
      `lin(1000) apikey.write ${key.key.id} ok`,
      'lin logout lin ok',
    ]);
  });
});

describe('logging in', () => {
  beforeEach(() => make('lin'));

  it('gets a token that says who it is, to jose as well, for as long as it is set', async () => {
    const s = await login('lin');
    expect(s.caller).toEqual({ actor: 'lin', role: 'operator', source: REMOTE });
    expect(whoIs(s.accessToken)).toEqual(s.caller);
    const key = Buffer.from('of this test, as long as it must be');
    const { payload, protectedHeader } = await jwtVerify(s.accessToken, key, {
      currentDate: new Date(m.now),
    });
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(payload).toMatchObject({ sub: 'lin', role: 'operator', iss: 'ai-cdn-master' });
    expect(payload.jti).toMatch(/^[0-9a-f]{32}$/);
    expect((payload.exp ?? 0) * 1000).toBe(s.expiresAt);
    m.now = s.expiresAt - 1;
    whoIs(s.accessToken);
    m.now = s.expiresAt;
    expect(caught(() => whoIs(s.accessToken))).toEqual(refused('unauthenticated', 'expired'));
  });

  it('what it says of itself is not believed: another signature, none, another role, another secret', async () => {
    const { accessToken } = await login('lin');
    const [head = '', body = '', sign = ''] = accessToken.split('.');
    const forge = (h: object, b: object): string =>
      [h, b].map((p) => Buffer.from(JSON.stringify(p)).toString('base64url')).join('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
    const bad = [
      `${forge({ alg: 'none' }, claims)}.`,
      `${forge({ alg: 'HS256' }, { ...claims, role: 'admin' })}.${sign}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      `${head}.${body}.${sign.slice(0, -2)}`,
      `${head}.${body}x.${sign}`,
      '',
      '..',
      'x'.repeat(5000),
      `ck1.${'0'.repeat(12)}.${'A'.repeat(43)}`,
      'ck1.',
    ];
    for (const token of bad)
      expect(
        caught(() => whoIs(token)),
        token,
      ).toEqual(refused('unauthenticated'));
  });

  it('wrong passwords, unknown and disabled users get the same words; each is recorded', async () => {
    await make('dee');
    await m.services.people.updateUser(m.m(), { name: 'dee', disabled: true });
    const words = new Set<string>();
    for (const [name, password] of [
      ['lin', 'wrong password'],
      ['nobody', PASSWORD],
      ['dee', PASSWORD],
      ['N0 b%dy', PASSWORD],
    ] as const) {
      const e = await login(name, password).catch((x: Error) => x);
      words.add(String(e));
    }
    expect([...words]).toEqual(['AppError: wrong name or password']);
    expect((await records()).slice(-4)).toEqual([
      'lin login lin unauthenticated',
      'nobody login nobody unauthenticated',
      'dee login dee unauthenticated',
      // What was typed there may have been a password.
      'unknown login unknown unauthenticated',
    ]);
  });

  it('at most 16 sessions a user: the one refreshed least recently goes', async () => {
    const all: Session[] = [];
    for (let i = 0; i < 18; i++) {
      m.now += 1000;
      all.push(await login('lin'));
    }
    const alive = all.map((s) => {
      try {
        return whoIs(s.accessToken).actor === 'lin';
      } catch {
        return false;
      }
    });
    expect(alive).toEqual([false, false, ...Array<boolean>(16).fill(true)]);
  });
});

describe('refreshing', () => {
  let first: Session;
  const refresh = (s: Session) => m.services.people.refresh({ refreshToken: s.refreshToken, remote: REMOTE });
  beforeEach(async () => {
    await make('lin');
    first = await login('lin');
  });

  it('each token once: a second use ends the session, and is recorded', async () => {
    m.now += 20 * MINUTE;
    const second = await refresh(first);
    expect(whoIs(second.accessToken).actor).toBe('lin');
    await expect(refresh(first)).rejects.toEqual(refused('unauthenticated', 'second time'));
    expect(caught(() => whoIs(second.accessToken))).toEqual(refused('unauthenticated'));
    await expect(refresh(second)).rejects.toEqual(refused('unauthenticated'));
    expect((await records()).at(-1)).toMatch(/^lin refresh [0-9a-f]{32} unauthenticated$/);
  });

  it('two at once: one gets the next, the other ends the session', async () => {
    const both = await Promise.allSettled([refresh(first), refresh(first)]);
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(m.store.snapshot().count('session')).toBe(0);
  });

  it('a week without one is the end; a month is in any case', async () => {
    m.now += 7 * DAY;
    await expect(refresh(first)).rejects.toEqual(refused('unauthenticated'));
    let s = await login('lin');
    const began = m.now;
    for (;;) {
      m.now += 5 * DAY;
      if (m.now - began >= 30 * DAY) break;
      s = await refresh(s);
    }
    await expect(refresh(s)).rejects.toEqual(refused('unauthenticated'));
  });

  it('survives a restart of the master', async () => {
    const next = await MemoryMaster.start(m.store, m.now + MINUTE);
    expect(next.services.people.authenticate(first.accessToken, REMOTE).actor).toBe('lin');
    const again = await next.services.people.refresh({ refreshToken: first.refreshToken, remote: REMOTE });
    expect(next.services.people.authenticate(again.accessToken, REMOTE).actor).toBe('lin');
  });

  it('a disk that refuses ends nothing: the token is as good as before', async () => {
    m.store.fail('no space left on device');
    await expect(refresh(first)).rejects.toEqual(refused('unavailable'));
    m.store.fail(null);
    expect(whoIs((await refresh(first)).accessToken).actor).toBe('lin');
  });
});

describe('logging out', () => {
  it('ends the session; the token is refused after a restart too, and forgotten once it would have expired', async () => {
    await make('lin');
    const s = await login('lin');
    await m.services.people.logout(s.caller, { accessToken: s.accessToken });
    expect(caught(() => whoIs(s.accessToken))).toEqual(refused('unauthenticated'));
    expect(m.store.snapshot().count('denied')).toBe(1);
    const next = await MemoryMaster.start(m.store, m.now);
    expect(caught(() => next.services.people.authenticate(s.accessToken, REMOTE))).toEqual(
      refused('unauthenticated'),
    );
    // Even with a session of that id: the token itself is denied.
    await next.pass(61);
    expect(next.store.snapshot().count('denied')).toBe(1);
    next.now = s.expiresAt + 1;
    await next.pass(61);
    expect(next.store.snapshot().count('denied')).toBe(0);
    expect(next.store.snapshot().count('session')).toBe(0);
  });
});

describe('guessing', () => {
  const guess = (name: string, remote: string) =>
    login(name, 'a guess that is wrong', remote).then(
      () => 'in',
      (e: { code: string; retryAfterMs: number | null }) => e,
    );
  beforeEach(async () => {
    await make('lin');
    await make('wei');
  });

  it('a wait after five, twice as long each time; the right password has to wait as well', async () => {
    for (let i = 0; i < 5; i++)
      expect(await guess('lin', '198.51.100.1')).toMatchObject({ code: 'unauthenticated' });
    expect(await guess('lin', '198.51.100.2')).toMatchObject({ code: 'unavailable', retryAfterMs: 1000 });
    await expect(login('lin')).rejects.toEqual(refused('unavailable', 'try again in 1 s'));
    expect((await login('wei')).caller.actor).toBe('wei');
    m.now += 1000;
    expect(await guess('lin', '198.51.100.3')).toMatchObject({ code: 'unauthenticated' });
    expect(await guess('lin', '198.51.100.4')).toMatchObject({ retryAfterMs: 2000 });
    m.now += 2000;
    expect((await login('lin')).caller.actor).toBe('lin');
    expect(await guess('lin', '198.51.100.5')).toMatchObject({ code: 'unauthenticated' });
  });

  it('strangers do not lock out a person who is logged in from elsewhere', async () => {
    await login('lin');
    for (let i = 0; i < 30; i++) await guess('lin', `198.51.100.${i}`);
    expect((await login('lin')).caller.actor).toBe('lin');
  });

  it('many names from one address are one guesser', async () => {
    const codes: string[] = [];
    for (let i = 0; i < 40; i++)
      codes.push(((await guess(`user-${i}`, '198.51.100.1')) as { code: string }).code);
    expect(codes.filter((c) => c === 'unauthenticated')).toHaveLength(20);
    expect(((await guess('user-x', '198.51.100.2')) as { code: string }).code).toBe('unauthenticated');
    // The /64 of an IPv6 host is one address.
    for (let i = 0; i < 30; i++) await guess(`other-${i}`, `2001:db8:1:2::${i}`);
    expect(await guess('one-more', '2001:db8:1:2:ffff::1')).toMatchObject({ code: 'unavailable' });
    expect(await guess('one-more', '2001:db8:1:3::1')).toMatchObject({ code: 'unauthenticated' });
  });

  it('a flood of them is a record a wait, not one each', async () => {
    for (let i = 0; i < 200; i++) await guess('lin', '198.51.100.1');
    const told = (await records()).filter((r) => r.startsWith('lin login'));
    expect(told.map((r) => r.split(' ').at(-1))).toEqual([
      ...Array<string>(5).fill('unauthenticated'),
      'unavailable',
    ]);
  });
});

describe('the first start', () => {
  it('prints a code once, keeps its hash, and it makes the first admin, once', async () => {
    const code = codeOf(m) ?? '';
    expect(code).toMatch(/^([A-Z2-9]{5}-){3}[A-Z2-9]{5}$/);
    expect(JSON.stringify(m.store.snapshot().list('meta'))).not.toContain(code);
    const { people } = m.services;
    const boot = (c: string, name = 'ann') =>
      people.bootstrap({ code: c, name, password: PASSWORD, remote: REMOTE });
    await expect(boot('AAAAA-AAAAA-AAAAA-AAAAA')).rejects.toEqual(refused('unauthenticated'));
    await expect(boot('')).rejects.toEqual(refused('unauthenticated'));
    await expect(boot(code, 'root(0)')).rejects.toEqual(refused('invalid'));
    const s = await boot(` ${code.toLowerCase().replaceAll('-', ' ')}`);
    expect(whoIs(s.accessToken)).toMatchObject({ actor: 'ann', role: 'admin' });
    await expect(boot(code, 'eve')).rejects.toEqual(refused('precondition'));
    expect((await login('ann')).caller.role).toBe('admin');
    expect(await records()).toEqual([
      'ann bootstrap ann unauthenticated',
      'ann bootstrap ann unauthenticated',
      'unknown bootstrap unknown invalid',
      'ann bootstrap ann ok',
      'eve bootstrap eve precondition',
      'ann login ann ok',
    ]);
    const next = await MemoryMaster.start(m.store, m.now);
    expect(codeOf(next)).toBeNull();
  });

  it('each start prints a new one while there is no admin, and the old one is void', async () => {
    const old = codeOf(m) ?? '';
    const next = await MemoryMaster.start(m.store, m.now);
    const code = codeOf(next) ?? '';
    expect(code).not.toBe(old);
    const boot = (c: string) =>
      next.services.people.bootstrap({ code: c, name: 'ann', password: PASSWORD, remote: REMOTE });
    await expect(boot(old)).rejects.toEqual(refused('unauthenticated'));
    await boot(code);
  });

  it('an admin made another way voids it', async () => {
    const code = codeOf(m) ?? '';
    await make('ann', 'admin');
    await expect(
      m.services.people.bootstrap({ code, name: 'eve', password: PASSWORD, remote: REMOTE }),
    ).rejects.toEqual(refused('precondition'));
    expect(
      (await MemoryMaster.start(m.store, m.now)).store.snapshot().get('meta', 'bootstrap_code'),
    ).toBeUndefined();
  });

  it('guesses at it are counted by address, and a flood of them is a record a wait', async () => {
    const guess = (remote: string) =>
      m.services.people.bootstrap({ code: 'AAAAA', name: 'eve', password: PASSWORD, remote }).then(
        () => 'in',
        (e: { code: string }) => e.code,
      );
    const codes: string[] = [];
    for (let i = 0; i < 300; i++) codes.push(await guess('198.51.100.1'));
    expect(codes.filter((c) => c === 'unauthenticated')).toHaveLength(20);
    expect(await records()).toHaveLength(21);
    expect(await guess('198.51.100.2')).toBe('unauthenticated');
  });

  it('used twice at once it makes one admin, and both are recorded', async () => {
    const code = codeOf(m) ?? '';
    const both = await Promise.allSettled(
      ['ann', 'eve'].map((name) =>
        m.services.people.bootstrap({ code, name, password: PASSWORD, remote: REMOTE }),
      ),
    );
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(m.services.people.listUsers(admin)).toHaveLength(1);
    expect((await records()).map((r) => r.split(' ').at(-1)).sort()).toEqual(['ok', 'precondition']);
  });
});

describe('API keys', () => {
  const key = (over: object = {}) =>
    m.services.people.createApiKey(m.m(), {
      name: 'grafana',
      role: 'viewer',
      scopes: ['metrics.read'],
      ttlMs: null,
      ...over,
    });

  it('are who they say, narrower than their role, until they expire or are revoked: at once', async () => {
    const made = await key();
    expect(made.secret).toMatch(/^ck1\.[0-9a-f]{12}\.[A-Za-z0-9_-]{43}$/);
    expect(whoIs(made.secret)).toEqual({
      actor: 'key:grafana',
      role: 'viewer',
      source: REMOTE,
      scopes: ['metrics.read'],
    });
    expect(
      caught(() => whoIs(`${made.secret.slice(0, -1)}${made.secret.endsWith('A') ? 'B' : 'A'}`)),
    ).toEqual(refused('unauthenticated'));
    await expect(key()).rejects.toEqual(refused('conflict'));
    await m.services.people.revokeApiKey(m.m(), made.key.id);
    expect(caught(() => whoIs(made.secret))).toEqual(refused('unauthenticated', 'revoked'));
    const next = await key({ scopes: null, ttlMs: MINUTE });
    expect(whoIs(next.secret).scopes).toBeUndefined();
    m.now += MINUTE;
    expect(caught(() => whoIs(next.secret))).toEqual(refused('unauthenticated', 'expired'));
  });

  it('do not widen themselves, and name real actions', async () => {
    for (const scopes of [['user.write'], ['apikey.write', 'watch'], ['everything'], []]) {
      await expect(key({ scopes, role: 'admin' })).rejects.toEqual(refused('invalid'));
    }
    await expect(key({ name: 'A b' })).rejects.toEqual(refused('invalid'));
    await expect(key({ ttlMs: 400 * DAY })).rejects.toEqual(refused('invalid'));
    const scoped = await key();
    await expect(
      m.services.people.createApiKey(by(whoIs(scoped.secret)), {
        name: 'x',
        role: 'admin',
        scopes: null,
        ttlMs: null,
      }),
    ).rejects.toEqual(refused('forbidden'));
  });

  it('a call is no write: when it was last used is kept to the hour', async () => {
    const made = await key();
    const used = () => m.store.snapshot().get('apikey', made.key.id)?.lastUsedAt;
    const { revision } = m.store.snapshot();
    for (let i = 0; i < 100; i++) whoIs(made.secret);
    expect(m.store.snapshot().revision).toBe(revision);
    await m.pass(1);
    const once = used();
    expect(once).toBe(m.now - 1000);
    for (let i = 0; i < 30; i++) {
      whoIs(made.secret);
      await m.pass(1);
    }
    expect(used()).toBe(once);
    m.now += 3_600_000;
    whoIs(made.secret);
    await m.pass(1);
    expect(used()).toBe(m.now - 1000);
  });
});

it('a login is not answered before its record is on disk; with no place for records there is none', async () => {
  const disk = createCrashDisk();
  const audit = await openAuditFile({ dir: '/audit' }, { disk: disk.boot() });
  m = await MemoryMaster.start(undefined, undefined, audit);
  await make('lin');
  const s = await login('lin');
  disk.fault = (op) => {
    if (op === 'write') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  };
  await expect(login('lin')).rejects.toEqual(refused('unavailable'));
  await expect(login('lin')).rejects.toEqual(refused('unavailable'));
  expect(whoIs(s.accessToken).actor).toBe('lin');
});
