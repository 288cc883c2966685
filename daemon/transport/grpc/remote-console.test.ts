import { Metadata, status } from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ConsoleServiceClient, ConsoleServiceService } from '../../../proto/gen/aicdn/v1/console.ts';
import { connectConsole } from '../../../proto/link/console-client.ts';
import { dialConsoleAt, dialMaster } from '../../../proto/link/dial.ts';
import { type TokenKeeper, type Tokens, tokensInMemory } from '../../../proto/link/people-api.ts';
import { channelCredentials, MASTER_TLS_NAME } from '../../../proto/link/tls.ts';
import { type Action, type Caller, may, ROLES, type Role } from '../../../proto/vocab/can.ts';
import { COMMAND_TYPES, isReserved } from '../../../proto/vocab/command.ts';
import type { AppError } from '../../../proto/vocab/errors.ts';
import { ROLLOUT_VERBS } from '../../../proto/vocab/rollout.ts';
import type { WatchEvent } from '../../../proto/vocab/watch.ts';
import { type Issued, type TestCa, testCa } from '../../../test/fakes/certificates.ts';
import { realClock, realRandom } from '../../../test/fakes/services.ts';
import { MemoryMaster } from '../../../test/harness/memory-master.ts';
import { AgentTransport } from './agent-service.ts';
import { AgentSessions } from './agent-sessions.ts';

// A master's own services behind its own port, real TLS, the client that the console and aicdnctl use.

const PASSWORD = 'correct horse battery staple';
const MINUTE = 60_000;

let ca: TestCa;
let other: TestCa;
let server: Issued;
let hk1: Issued;
beforeAll(async () => {
  ca = await testCa();
  other = await testCa();
  server = await ca.issue({ dns: [MASTER_TLS_NAME] });
  hk1 = await ca.issue({ uri: 'spiffe://ai-cdn/node/hk-1' });
});

let m: MemoryMaster;
let addr: string;
const toStop: (() => unknown)[] = [];
beforeEach(async () => {
  m = await MemoryMaster.start();
  const transport = new AgentTransport(
    {
      listener: {
        host: '127.0.0.1',
        port: 0,
        certificatePem: server.certificatePem + ca.pem,
        keyPem: server.keyPem,
        caPem: ca.pem,
      },
      storeId: 'store-1',
      heartbeatMs: 1000,
      reportMs: 2000,
    },
    {
      sessions: new AgentSessions(),
      services: m.services,
      operators: m.services,
      log: m.log,
      clock: realClock,
      random: realRandom,
    },
  );
  const { port } = await transport.start();
  addr = `127.0.0.1:${port}`;
  toStop.push(() => transport.stop());
});
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

const make = (name: string, role: Role) =>
  m.services.people.createUser(m.m(), { name, role, password: PASSWORD });

/** A client, and every token it ever had. */
function consoleWith(tokens: TokenKeeper) {
  const api = connectConsole({ addr, caPin: ca.pin, tokens, watch: { backoff: { baseMs: 1, maxMs: 1 } } });
  toStop.push(() => api.close());
  return api;
}
function remembering(): TokenKeeper & { readonly seen: (Tokens | null)[] } {
  const inner = tokensInMemory(null);
  const seen: (Tokens | null)[] = [];
  return {
    ...inner,
    seen,
    set(t) {
      seen.push(t);
      inner.set(t);
    },
  };
}
async function loggedIn(role: Role, name = `${role}-1`) {
  await make(name, role);
  const tokens = remembering();
  const api = consoleWith(tokens);
  await api.login({ name, password: PASSWORD });
  return { api, tokens };
}
const refusal = (work: Promise<unknown>): Promise<AppError> =>
  work.then(
    () => {
      throw new Error('was not refused');
    },
    (e: AppError) => e,
  );

describe('logging in from elsewhere', () => {
  test('from the first start on: the code, a user, a key; reads, changes, and the record of who did it from where', async () => {
    const line = m.log.lines.find((l) => l.message.includes('one-time code'));
    const { code } = JSON.parse(line?.fields ?? '{}') as { code: string };
    const api = consoleWith(tokensInMemory(null));
    expect(await api.whoAmI()).toBeNull();
    expect((await refusal(api.listNodes())).code).toBe('unauthenticated');
    await api.bootstrap({ code, name: 'ann', password: PASSWORD });
    expect(await api.whoAmI()).toMatchObject({ actor: 'ann', role: 'admin' });
    expect((await api.listNodes()).nodes).toEqual([]);
    const { user } = await api.createUser(
      { reason: 'new here' },
      { name: 'wei', role: 'viewer', password: PASSWORD },
    );
    expect((await api.listUsers()).map((u) => u.name)).toEqual(['ann', 'wei']);
    await api.updateUser({ reason: '' }, { name: 'wei', role: 'operator' });
    expect(
      await refusal(
        api.updateUser({ reason: '', ifRevision: user.modRevision }, { name: 'wei', disabled: true }),
      ),
    ).toMatchObject({ code: 'conflict' });
    const { secret, key } = await api.createApiKey(
      { reason: '' },
      { name: 'grafana', role: 'viewer', scopes: ['metrics.read'], ttlMs: 3_600_000 },
    );
    const grafana = consoleWith(tokensInMemory({ accessToken: secret, refreshToken: null }));
    expect(await grafana.whoAmI()).toMatchObject({
      actor: 'key:grafana',
      role: 'viewer',
      scopes: ['metrics.read'],
    });
    expect((await refusal(grafana.listNodes())).code).toBe('forbidden');
    expect((await refusal(grafana.removeUser({ reason: '' }, 'wei'))).code).toBe('forbidden');
    const reload = { type: 'reload' as const, target: {}, timeoutMs: null, expiresMs: null, dryRun: false };
    const plain = { ...reload, maxParallel: null, options: {} };
    expect((await refusal(grafana.runCommand({ reason: '' }, plain))).code).toBe('forbidden');
    await api.revokeApiKey({ reason: '' }, key.id);
    expect((await refusal(grafana.whoAmI())).message).toContain('revoked');
    expect((await api.listApiKeys())[0]).toMatchObject({ id: key.id, scopes: ['metrics.read'] });
    await api.changePassword({ reason: '' }, { oldPassword: PASSWORD, newPassword: `${PASSWORD}!` });
    expect((await refusal(api.listNodes())).code).toBe('unauthenticated');
    expect(await refusal(api.login({ name: 'ann', password: PASSWORD }))).toMatchObject({
      code: 'unauthenticated',
      message: 'wrong name or password',
    });
    await api.login({ name: 'ann', password: `${PASSWORD}!` });
    await api.removeUser({ reason: '' }, 'wei');
    const { records, next } = await api.listAudit({ limit: 100, before: null });
    expect(records.map((r) => `${r.actor} ${r.role} ${r.source} ${r.action} ${r.outcome}`).reverse()).toEqual(
      [
        'ann null 127.0.0.1 bootstrap ok',
        'ann admin 127.0.0.1 user.write ok',
        'ann admin 127.0.0.1 user.write ok',
        'ann admin 127.0.0.1 user.write conflict',
        'ann admin 127.0.0.1 apikey.write ok',
        'key:grafana viewer 127.0.0.1 user.write forbidden',
        'key:grafana viewer 127.0.0.1 command.reload forbidden',
        'ann admin 127.0.0.1 apikey.write ok',
        'ann admin 127.0.0.1 user.password ok',
        'ann null 127.0.0.1 login unauthenticated',
        'ann null 127.0.0.1 login ok',
        'ann admin 127.0.0.1 user.write ok',
      ],
    );
    expect(next).toBeNull();
    expect((await api.listAudit({ limit: 2, before: 4, actor: 'ann' })).next).toBe(2);
    expect(await api.verifyAudit()).toEqual({ ok: true, records: 12, head: records[0]?.hash, fault: null });
    const used = await api.whoAmI().then(() => api.logout());
    expect(used).toBeUndefined();
    expect(await api.whoAmI()).toBeNull();
  });

  test('another CA than the pinned one gets no token: nothing is sent', async () => {
    const tokens = tokensInMemory({ accessToken: 'secret', refreshToken: 'secret' });
    const api = connectConsole({ addr, caPin: other.pin, tokens });
    toStop.push(() => api.close());
    expect(await refusal(api.listNodes())).toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('nothing was sent') as string,
    });
    expect(tokens.get()).toEqual({ accessToken: 'secret', refreshToken: 'secret' });
    expect(m.log.lines.filter((l) => l.message.startsWith('call'))).toEqual([]);
  });

  test('nobody there, and a wait that is throttled, are said as they are', async () => {
    const api = connectConsole({ addr: '127.0.0.1:1', caPin: ca.pin, tokens: tokensInMemory(null) });
    toStop.push(() => api.close());
    expect(await refusal(api.listNodes())).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('127.0.0.1:1') as string,
    });
    const guess = () =>
      refusal(consoleWith(tokensInMemory(null)).login({ name: 'ann', password: 'not this one' }));
    for (let i = 0; i < 5; i++) expect((await guess()).code).toBe('unauthenticated');
    expect(await guess()).toMatchObject({ code: 'unavailable', retryAfterMs: 1000 });
  });

  test('a password too long to be one is refused unread, and is nowhere in the log', async () => {
    const api = consoleWith(tokensInMemory(null));
    const password = `${'p'.repeat(300)}-secret`;
    expect((await refusal(api.login({ name: 'ann', password }))).code).toBe('invalid');
    expect(JSON.stringify(m.log.lines)).not.toContain('secret');
  });
});

describe('nodes and people stay apart', () => {
  test('a node’s certificate gets at no call of the console, not even with an admin’s token', async () => {
    await make('ann', 'admin');
    const { accessToken } = await m.services.people.login({ name: 'ann', password: PASSWORD, remote: 'x' });
    const client = new ConsoleServiceClient(addr, channelCredentials({ caPem: ca.pem, identity: hk1 }), {
      'grpc.ssl_target_name_override': MASTER_TLS_NAME,
    });
    toStop.push(() => client.close());
    for (const token of [null, accessToken]) {
      for (const name of Object.keys(ConsoleServiceService)) {
        expect([name, await codeOf(client, name, {}, token)]).toEqual([name, status.PERMISSION_DENIED]);
      }
    }
    const stranger = await other.issue({ uri: 'spiffe://ai-cdn/node/hk-1' });
    const forged = new ConsoleServiceClient(addr, channelCredentials({ caPem: ca.pem, identity: stranger }), {
      'grpc.ssl_target_name_override': MASTER_TLS_NAME,
    });
    toStop.push(() => forged.close());
    expect(await codeOf(forged, 'listNodes', {}, accessToken)).toBe(status.UNAUTHENTICATED);
  });

  test('an admin’s token opens no agent’s conversation', async () => {
    await make('ann', 'admin');
    const { accessToken } = await m.services.people.login({ name: 'ann', password: PASSWORD, remote: 'x' });
    const client = dialMaster(addr, { caPem: ca.pem, identity: null });
    toStop.push(() => client.close());
    const call = client.connect(bearer(accessToken));
    const ended = await new Promise<{ code: number; details: string }>((resolve) => {
      call.on('error', (e) => resolve(e as never));
      call.on('data', () => resolve({ code: 0, details: 'was let in' }));
    });
    expect(ended).toMatchObject({ code: status.UNAUTHENTICATED, details: 'no certificate was shown' });
  });
});

describe('a token that is over', () => {
  interface Watched {
    readonly events: WatchEvent[];
    readonly states: { kind: string; code?: string; reason?: string }[];
    until(done: () => boolean): Promise<void>;
  }
  function watching(api: ReturnType<typeof consoleWith>): Watched {
    const events: WatchEvent[] = [];
    const states: Watched['states'] = [];
    let wake = (): void => {};
    const told =
      <T>(list: T[]) =>
      (x: T) => {
        list.push(x);
        wake();
      };
    let known: { revision: number; storeId: string } | null = null;
    const w = api.watch(
      { client: 't', since: () => known },
      (e) => {
        if (e.kind === 'begin') known = { revision: e.revision, storeId: e.storeId };
        told(events)(e);
      },
      told(states),
    );
    toStop.push(() => w.close());
    return {
      events,
      states,
      async until(done) {
        while (!done()) await new Promise<void>((resolve) => (wake = resolve));
      },
    };
  }

  test('is refreshed once for all calls that need it, and each gets its answer', async () => {
    const { api, tokens } = await loggedIn('operator');
    m.now += 16 * MINUTE;
    const before = m.store.snapshot().revision;
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.whoAmI()));
    expect(answers.map((c) => c?.actor)).toEqual(Array(10).fill('operator-1'));
    expect(tokens.seen).toHaveLength(2); // the login's, and one more
    expect(m.store.snapshot().revision).toBe(before + 1);
  });

  test('ends a watch, which goes on with the next one from what it knows', async () => {
    const { api, tokens } = await loggedIn('viewer');
    const w = watching(api);
    await w.until(() => w.events.some((e) => e.kind === 'end'));
    m.now += 16 * MINUTE;
    await w.until(() => w.events.some((e) => e.kind === 'resumed'));
    expect(w.events.filter((e) => e.kind === 'begin')).toHaveLength(1);
    expect(tokens.seen).toHaveLength(2);
    expect(w.states.map((s) => s.kind)).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open']);
  });

  test('is refreshed before a log is followed, and ends one that is', async () => {
    await m.join('hk-1');
    const { api, tokens } = await loggedIn('operator');
    m.now += 16 * MINUTE;
    const ended = new Promise<string>((resolve) => {
      const follow = api.followLogs({ node: 'hk-1', lines: 10, maxMs: 600_000 }, () => {}, resolve);
      toStop.push(() => follow.close());
    });
    while (!m.said.some((s) => s.kind === 'follow')) await new Promise((resolve) => setImmediate(resolve));
    expect(tokens.seen).toHaveLength(2);
    await m.services.people.updateUser(m.m(), { name: 'operator-1', disabled: true });
    expect(await ended).toMatch(/session is over/);
  });

  test('a user who is disabled is out of a running watch, and stays out', async () => {
    const { api, tokens } = await loggedIn('viewer');
    const w = watching(api);
    await w.until(() => w.events.some((e) => e.kind === 'end'));
    await m.services.people.updateUser(m.m(), { name: 'viewer-1', disabled: true });
    await w.until(() => w.states.some((s) => s.kind === 'waiting'));
    expect(w.states.find((s) => s.kind === 'waiting')).toMatchObject({ code: 'unauthenticated' });
    expect(tokens.get()).toBeNull();
    expect(w.events.some((e) => e.kind === 'resumed')).toBe(false);
  });

  test('a key that is revoked ends its watch as well', async () => {
    const { secret, key } = await m.services.people.createApiKey(m.m(), {
      name: 'wall',
      role: 'viewer',
      scopes: ['watch'],
      ttlMs: null,
    });
    const w = watching(consoleWith(tokensInMemory({ accessToken: secret, refreshToken: null })));
    await w.until(() => w.events.some((e) => e.kind === 'end'));
    await m.services.people.revokeApiKey(m.m(), key.id);
    await w.until(() => w.states.some((s) => s.kind === 'waiting'));
    expect(w.states.at(-1)).toMatchObject({
      code: 'unauthenticated',
      reason: 'the API key wall was revoked',
    });
  });

  test('another program that shares the tokens has refreshed: its are taken, the session lives', async () => {
    const { api, tokens } = await loggedIn('viewer');
    const stale = tokens.get();
    m.now += 16 * MINUTE;
    const next = await m.services.people.refresh({ refreshToken: stale?.refreshToken ?? '', remote: 'x' });
    const { exclusively } = tokens;
    // Between the refusal and our turn the other one wrote its tokens down.
    tokens.exclusively = (work) => {
      tokens.set({ accessToken: next.accessToken, refreshToken: next.refreshToken });
      return exclusively(work);
    };
    expect((await api.whoAmI())?.actor).toBe('viewer-1');
    expect(m.store.snapshot().count('session')).toBe(1);
  });
});

function bearer(token: string | null): Metadata {
  const metadata = new Metadata();
  if (token !== null) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

/** The status that a call of any rpc ends with; of a stream, the first thing that happens. */
function codeOf(
  client: ConsoleServiceClient,
  name: string,
  request: object,
  token: string | null,
): Promise<number> {
  const definition = ConsoleServiceService[name as keyof typeof ConsoleServiceService];
  return new Promise((resolve) => {
    const encode = definition.requestSerialize as (r: object) => Buffer;
    const decode = definition.responseDeserialize as (b: Buffer) => object;
    const full = (definition.requestDeserialize as (b: Buffer) => object)(Buffer.alloc(0));
    const sent = { ...full, ...request };
    if (definition.responseStream) {
      const call = client.makeServerStreamRequest(definition.path, encode, decode, sent, bearer(token));
      call.on('data', () => {
        resolve(status.OK);
        call.cancel();
      });
      call.on('error', (e) => resolve((e as { code?: number }).code ?? -1));
    } else {
      client.makeUnaryRequest(definition.path, encode, decode, sent, bearer(token), (e) =>
        resolve(e?.code ?? status.OK),
      );
    }
  });
}

/**
 * Which action each rpc is, and with which request where that decides. `open`: nobody needs to be known; `own`: everybody
 * who is known. An rpc that is missing here fails the test below.
 */
const TABLE: Readonly<Record<string, Action | 'open' | 'own'>> = {
  watch: 'watch',
  look: 'watch',
  getNodeDetail: 'watch',
  listRegionSeries: 'watch',
  getConfigVersion: 'watch',
  listConfigVersions: 'watch',
  listNodes: 'watch',
  listAlerts: 'watch',
  getCommand: 'watch',
  previewSilence: 'watch',
  previewRollback: 'watch',
  createConfigVersion: 'config.create',
  publishConfigVersion: 'config.publish',
  rollbackConfig: 'config.rollback',
  runCommand: 'own', // by its type: below
  createSilence: 'silence.create',
  expireSilence: 'silence.expire',
  createJoinToken: 'token.create',
  listCommands: 'watch',
  cancelCommand: 'command.cancel',
  followLogs: 'command.logs',
  getNode: 'watch',
  updateNode: 'node.update',
  removeNode: 'node.remove',
  listJoinTokens: 'token.list',
  revokeJoinToken: 'token.revoke',
  login: 'open',
  refresh: 'open',
  logout: 'open',
  whoAmI: 'open',
  bootstrap: 'open',
  listUsers: 'user.list',
  createUser: 'user.write',
  updateUser: 'user.write',
  removeUser: 'user.write',
  changePassword: 'own',
  listApiKeys: 'apikey.list',
  createApiKey: 'apikey.write',
  revokeApiKey: 'apikey.write',
  listAudit: 'audit.read',
  verifyAudit: 'audit.read',
  validateConfig: 'config.create',
  diffConfigs: 'watch',
  previewPublish: 'watch',
  listRegionVariables: 'watch',
  setRegionVariables: 'config.publish',
  listSecrets: 'secret.list',
  putSecret: 'secret.write',
  putCertificate: 'secret.write',
  removeSecret: 'secret.remove',
  createBackup: 'backup.create',
  listRollouts: 'watch',
  getRollout: 'watch',
  giveRolloutVerb: 'own', // by its verb: below
  previewRevert: 'watch',
  revertLast: 'rollout.revert_last',
};

interface Row {
  readonly name: string;
  readonly request: object;
  readonly action: Action | 'open' | 'own';
}

/** Each rpc with an empty request, and the one whose action its request decides with each of these. */
const ROWS: readonly Row[] = [
  ...Object.entries(TABLE)
    // Logging out would end the session that the rest asks with.
    .filter(([name]) => !['logout', 'runCommand', 'giveRolloutVerb'].includes(name))
    .map(([name, action]) => ({ name, request: {}, action })),
  ...COMMAND_TYPES.filter((type) => !isReserved(type)).map((type) => ({
    name: 'runCommand',
    request: { requestId: `matrix-${type}`, type, dryRun: true },
    action: `command.${type}` as Action,
  })),
  ...ROLLOUT_VERBS.map((verb) => ({
    name: 'giveRolloutVerb',
    request: { requestId: `matrix-${verb}`, id: '1', verb },
    action: `rollout.${verb}` as Action,
  })),
];

describe('every rpc × every role', () => {
  test('each rpc has a row', () => {
    expect(Object.keys(TABLE).sort()).toEqual(Object.keys(ConsoleServiceService).sort());
  });

  test('is let in or refused as the table of roles says', async () => {
    const callers: [Caller | null, string | null][] = [
      [null, null],
      [null, 'no token'],
    ];
    for (const role of ROLES) {
      const { secret } = await m.services.people.createApiKey(m.m(), {
        name: role,
        role,
        scopes: null,
        ttlMs: null,
      });
      callers.push([{ actor: role, role, source: '' }, secret]);
    }
    const scopes = ['watch', 'silence.create', 'token.create'] as const;
    for (const role of ROLES) {
      const made = await m.services.people.createApiKey(m.m(), {
        name: `scoped-${role}`,
        role,
        scopes,
        ttlMs: null,
      });
      callers.push([{ actor: role, role, source: '', scopes }, made.secret]);
    }
    await make('wei', 'viewer');
    const wei = await m.services.people.login({ name: 'wei', password: PASSWORD, remote: 'x' });
    callers.push([{ actor: 'wei', role: 'viewer', source: '' }, wei.accessToken]);
    const client = dialConsoleAt(addr, ca.pem);
    toStop.push(() => client.close());
    const wrong: string[] = [];
    let asked = 0;
    for (const { name, request, action } of ROWS) {
      for (const [caller, token] of callers) {
        const code = await codeOf(client, name, request, token);
        asked += 1;
        const verdict =
          code === status.PERMISSION_DENIED
            ? 'forbidden'
            : code === status.UNAUTHENTICATED
              ? 'unauthenticated'
              : 'in';
        const due =
          action === 'open'
            ? openVerdict(name, token)
            : caller === null
              ? 'unauthenticated'
              : action === 'own' || may(caller, action)
                ? 'in'
                : 'forbidden';
        if (verdict !== due)
          wrong.push(
            `${name} by ${caller?.actor ?? 'nobody'} ${caller?.scopes ?? ''}: ${verdict}, not ${due}`,
          );
      }
    }
    expect(wrong).toEqual([]);
    expect(asked).toBe(ROWS.length * callers.length);
  });

  /** Empty requests: what is missing is said before anybody is asked who they are. */
  function openVerdict(name: string, token: string | null): string {
    return name === 'whoAmI' && token === 'no token' ? 'unauthenticated' : 'in';
  }
});
