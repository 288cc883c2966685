import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server as NetServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WatchResponse, Entity as WireEntity } from '../../../proto/gen/aicdn/v1/console.ts';
import { decodeEntity, decodeWatch, encodeEntity } from '../../../proto/link/codec-watch.ts';
import type { ConsoleApi, LinkState } from '../../../proto/link/console-api.ts';
import { connectConsole } from '../../../proto/link/console-client.ts';
import { type TokenKeeper, tokensInMemory } from '../../../proto/link/people-api.ts';
import type { Caller } from '../../../proto/vocab/can.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { CommandId, NodeName, SilenceId, VersionLabel } from '../../../proto/vocab/ids.ts';
import type { WatchBegin, WatchEvent } from '../../../proto/vocab/watch.ts';
import * as a from '../../../test/fakes/console-arbitraries.ts';
import { memoryLog } from '../../../test/fakes/services.ts';
import type { Mutation, Services, WatchSink } from '../../service/api.ts';
import { ConsoleTransport } from './console-service.ts';
import { actorOf, peerReader, type ReadPeer } from './peercred.ts';
import { pack } from './watch-sink.ts';

let dir: string;
const toStop: (() => unknown)[] = [];
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-console-'));
});
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
  rmSync(dir, { recursive: true, force: true });
});

type Over = { [K in keyof Services]?: Partial<Services[K]> };

function refuse(noun: string): never {
  return new Proxy(
    {},
    {
      get: (_, method) => () => {
        throw new Error(`${noun}.${String(method)} is not part of this test`);
      },
    },
  ) as never;
}

async function start(over: Over, reader?: ReadPeer) {
  const readPeer = reader ?? (await peerReader()).read;
  const socket = path.join(dir, 'run', 'master.sock');
  const log = memoryLog();
  const nouns = [
    'enrolment',
    'nodes',
    'configs',
    'commands',
    'alerts',
    'silences',
    'watch',
    'people',
    'audit',
  ] as const;
  const services = Object.fromEntries(nouns.map((n) => [n, over[n] ?? refuse(n)])) as unknown as Services;
  const transport = new ConsoleTransport({ socket }, { services, log, readPeer });
  await transport.start();
  toStop.push(() => transport.stop());
  return { socket, log, transport };
}

function consoleAt(socket: string): ConsoleApi {
  const api = connectConsole({ socket, watch: { backoff: { baseMs: 1, maxMs: 1 } } });
  toStop.push(() => api.close());
  return api;
}

const begin: WatchBegin = {
  revision: 7,
  storeId: 'store-1',
  watchId: 'w-1',
  caller: { actor: 'lin(1000)', role: 'admin' },
  context: 'default',
  masterVersion: '0.1.0',
  heartbeatIntervalMs: 1000,
  advertise: '127.0.0.1:50051',
  caPin: 'ab'.repeat(32),
};

describe('calls over a real socket', () => {
  test('the caller is who the kernel says, with the mode and the place of the socket as promised', async () => {
    const seen: Mutation[] = [];
    const { socket } = await start({
      silences: {
        expire(m, id) {
          seen.push(m);
          const [s] = fc.sample(a.silence, 1);
          if (!s) throw new Error('no sample');
          return Promise.resolve({ revision: 9, silence: { ...s, id } });
        },
      },
    });
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    const api = consoleAt(socket);
    const r = await api.expireSilence(
      { reason: 'done', requestId: 'r-1', ifRevision: 4 },
      'S-1' as SilenceId,
    );
    expect(r).toMatchObject({ revision: 9, silence: { id: 'S-1' } });
    const me = userInfo();
    expect(seen).toEqual([
      {
        caller: { actor: `${me.username}(${me.uid})`, role: 'admin', source: 'unix' },
        requestId: 'r-1',
        reason: 'done',
        ifRevision: 4,
      },
    ]);
  });

  test('where the kernel cannot be asked the caller is nobody: `local`, who may look and log in, no more', async () => {
    const callers: Caller[] = [];
    const onRecord: string[] = [];
    let uid = 4_000_000;
    const { socket } = await start(
      {
        nodes: { list: () => ({ nodes: [], vitals: [], revision: 7 }) },
        commands: {
          run(m) {
            callers.push(m.caller);
            return Promise.reject(new AppError('precondition', 'no'));
          },
        },
        people: { authenticate: (bearer, source) => ({ actor: bearer, role: 'operator', source }) },
        audit: {
          async denied(caller, { action }) {
            onRecord.push(`${caller.actor} ${action}`);
          },
        },
      },
      () => {
        uid += 1;
        return uid % 2 === 0 ? null : { pid: 1, uid, gid: 1 };
      },
    );
    const args = {
      type: 'reload' as const,
      target: {},
      timeoutMs: null,
      expiresMs: null,
      dryRun: true,
      maxParallel: null,
      options: {},
    };
    const ask = async (tokens: TokenKeeper | null) => {
      const api = connectConsole({ socket, tokens });
      toStop.push(() => api.close());
      const who = await api.whoAmI();
      expect((await api.listNodes()).revision).toBe(7);
      const done = await api.runCommand({ reason: '' }, args).catch((e: AppError) => e.code);
      return [who?.actor, who?.role, done];
    };
    expect(await ask(null)).toEqual(['4000001', 'admin', 'precondition']);
    expect(await ask(null)).toEqual(['local', 'viewer', 'forbidden']);
    expect(onRecord).toEqual(['local command.reload']);
    uid += 1;
    const tokens = tokensInMemory({ accessToken: 'lin', refreshToken: null });
    expect(await ask(tokens)).toEqual(['lin', 'operator', 'precondition']);
    expect(callers.map((c) => [c.actor, c.source])).toEqual([
      ['4000001', 'unix'],
      ['lin', 'unix'],
    ]);
  });

  test('a refused document comes back with its lines and columns', async () => {
    const refusals = [
      { code: 'schema', message: 'unknown key', line: 12, column: 3, path: 'services[0].adr' },
    ];
    const { socket, log } = await start({
      configs: { create: () => Promise.reject(new AppError('invalid', 'one problem', { refusals })) },
    });
    const attempt = consoleAt(socket).createConfig(
      { reason: 'try' },
      { label: null, description: '', body: Buffer.from('x'), parent: null },
    );
    await expect(attempt).rejects.toMatchObject({ code: 'invalid', message: 'one problem', refusals });
    expect(log.lines.every((l) => l.level !== 'error')).toBe(true);
  });

  test('an unknown fault is `internal`; its text stays in the log', async () => {
    const { socket, log } = await start({
      nodes: {
        list() {
          throw new Error('heap of /etc/shadow');
        },
      },
    });
    await expect(consoleAt(socket).listNodes()).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('shadow') as string,
    });
    expect(JSON.stringify(log.lines)).toContain('shadow');
  });

  test('what is sent and what is asked for arrives whole', async () => {
    const [task] = fc.sample(a.task, 1);
    const [version] = fc.sample(a.version, 1);
    if (!task || !version) throw new Error('no sample');
    const asked: unknown[] = [];
    const { socket } = await start({
      commands: { get: (id) => ({ ...task, id }) },
      configs: {
        get: (_caller, label) =>
          Promise.resolve({
            version: { ...version, label: label as VersionLabel },
            body: Buffer.from('body'),
          }),
        previewRollback(args) {
          asked.push(args);
          return Promise.resolve({
            toLabel: 'v1' as VersionLabel,
            newLabel: 'v3' as VersionLabel,
            nodes: ['hk-1' as NodeName],
            streams: 4,
          });
        },
      },
    });
    const api = consoleAt(socket);
    expect(await api.getCommand('C-9' as CommandId)).toEqual({ ...task, id: 'C-9' });
    const got = await api.getConfig('v2');
    expect([got.version, Buffer.from(got.body).toString()]).toEqual([{ ...version, label: 'v2' }, 'body']);
    const target = {
      nodes: ['hk-1' as NodeName],
      regions: ['hk'],
      nodeType: 'edge' as const,
      labels: { a: 'b' },
    };
    expect(await api.previewRollback({ label: 'v2', target })).toEqual({
      toLabel: 'v1',
      newLabel: 'v3',
      nodes: ['hk-1'],
      streams: 4,
    });
    expect(asked).toEqual([{ label: 'v2', target }]);
  });

  test('a body above the message limit is refused as too large', async () => {
    const { socket } = await start({});
    const attempt = consoleAt(socket).createConfig(
      { reason: '' },
      { label: null, description: '', body: Buffer.alloc(300 * 1024), parent: null },
    );
    await expect(attempt).rejects.toMatchObject({ code: 'too_large' });
  });

  test('no master: where it was looked for, and why not', async () => {
    const missing = path.join(dir, 'none.sock');
    await expect(consoleAt(missing).listNodes()).rejects.toMatchObject({
      code: 'unavailable',
      message: `no master answers at ${missing}: there is no such socket`,
    });
  });
});

describe('the watch', () => {
  test('snapshot, changes, a restart of the master, and on from what is known', async () => {
    const asked: unknown[] = [];
    const looked: unknown[] = [];
    const sinks: WatchSink[] = [];
    const watch: Services['watch'] = {
      subscribe(_caller, args, sink) {
        asked.push({ since: args.sinceRevision, store: args.storeId });
        sinks.push(sink);
        sink.send(
          args.storeId === null ? { kind: 'begin', ...begin } : { kind: 'resumed', ...begin, watchId: 'w-2' },
        );
        return { watchId: 'w', drained() {}, close() {} };
      },
      look: (id, nodes) => looked.push([id, nodes]),
    };
    const first = await start({ watch });
    const api = consoleAt(first.socket);
    const events: WatchEvent[] = [];
    const states: LinkState[] = [];
    let wake = (): void => {};
    const until = async (done: () => boolean): Promise<void> => {
      while (!done()) await new Promise<void>((resolve) => (wake = resolve));
    };
    let known: { revision: number; storeId: string } | null = null;
    const w = api.watch(
      { client: 'test', since: () => known },
      (e) => {
        events.push(e);
        wake();
      },
      (s) => {
        states.push(s);
        wake();
      },
    );
    w.look(['hk-1' as NodeName]);
    await until(() => events.length === 1);
    while (looked.length < 1) await new Promise((resolve) => setImmediate(resolve));
    known = { revision: 7, storeId: 'store-1' };
    sinks[0]?.send({
      kind: 'change',
      revision: 8,
      put: [],
      deleted: [{ kind: 'node', key: 'x' }],
      conflated: false,
    });
    await until(() => events.length === 2);
    await first.transport.stop();
    await until(() => states.some((s) => s.kind === 'waiting'));
    await start({ watch });
    await until(() => events.length === 3);
    expect(events.map((e) => e.kind)).toEqual(['begin', 'change', 'resumed']);
    expect(asked).toEqual([
      { since: null, store: null },
      { since: 7, store: 'store-1' },
    ]);
    expect(states.find((s) => s.kind === 'waiting')).toMatchObject({ reason: 'the master is stopping' });
    expect(states.at(-1)?.kind).toBe('open');
    while (looked.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(looked).toEqual([
      ['w-1', ['hk-1']],
      ['w-2', ['hk-1']],
    ]);
    w.close();
    expect(states.at(-1)?.kind).toBe('stopped');
  });

  test('a refusal to watch is said, and the wait says why', async () => {
    const { socket } = await start({
      watch: {
        subscribe() {
          throw new AppError('unavailable', 'too many watchers');
        },
      },
    });
    const reason = await new Promise<string>((resolve) => {
      consoleAt(socket).watch(
        { client: 't', since: () => null },
        () => {},
        (s) => s.kind === 'waiting' && resolve(s.reason),
      );
    });
    expect(reason).toBe('too many watchers');
  });

  test('a reader that does not read is told full, never waited for, and told when it drained', async () => {
    const [node] = fc.sample(a.node, 1);
    if (!node) throw new Error('no sample');
    const entity = {
      kind: 'node',
      key: node.name,
      value: { ...node, labels: { pad: 'x'.repeat(500) } },
    } as const;
    const part: WatchEvent = { kind: 'part', entities: Array.from({ length: 100 }, () => entity) };
    let sink: WatchSink | null = null;
    let drained = 0;
    let closed = 0;
    const { socket } = await start({
      watch: {
        subscribe(_c, _a, s) {
          sink = s;
          s.send({ kind: 'begin', ...begin });
          return { watchId: 'w', drained: () => drained++, close: () => closed++ };
        },
      },
    });
    let parts = 0;
    const w = consoleAt(socket).watch(
      { client: 't', since: () => null },
      (e) => e.kind === 'part' && parts++,
      () => {},
    );
    while (!sink) await new Promise((resolve) => setImmediate(resolve));
    const full = sink as WatchSink;
    // One turn of the loop: the reader has no chance to read.
    let sent = 0;
    while (full.send(part)) sent++;
    expect(sent).toBeLessThan(5);
    while (drained === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(full.send({ kind: 'end', revision: 7 })).toBe(true);
    while (parts <= sent) await new Promise((resolve) => setImmediate(resolve));
    w.close();
    while (closed === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(full.send(part)).toBe(true); // gone: taken and dropped
    expect(closed).toBe(1);
  });

  test('no message is larger than 200 KiB, and nothing is lost by the cut', () => {
    const nodes = fc
      .sample(a.node, 400)
      .map((n, i) => ({ ...n, name: `n-${i}` as NodeName, labels: { pad: 'x'.repeat(500) } }));
    const part: WatchEvent = {
      kind: 'part',
      entities: nodes.map((n) => ({ kind: 'node', key: n.name, value: n })),
    };
    const messages = pack(part);
    expect(messages.length).toBeGreaterThan(1);
    expect(Math.max(...messages.map((m) => m.length))).toBeLessThanOrEqual(200 * 1024);
    const back = messages.flatMap((m) => {
      const e = decodeWatch(WatchResponse.decode(m));
      return e.kind === 'part' ? e.entities.map((x) => x.key) : [];
    });
    expect(back).toEqual(nodes.map((n) => n.name));
  });
});

describe('the socket’s place', () => {
  test('one left behind by a dead master is taken over', async () => {
    const left = path.join(dir, 'run', 'master.sock');
    const { transport } = await start({});
    await transport.stop();
    // What a killed process leaves: a socket file nobody listens on.
    const ghost = await ghostSocket(left);
    expect(existsSync(left)).toBe(true);
    await start({});
    expect(ghost.listening).toBe(false);
  });

  test('one that is answered on is left alone', async () => {
    await start({});
    await expect(start({})).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringContaining('another master answers') as string,
    });
  });

  test('a file that is no socket is left alone', async () => {
    const { transport, socket } = await start({});
    await transport.stop();
    writeFileSync(socket, 'precious');
    await expect(start({})).rejects.toMatchObject({ code: 'precondition' });
    expect(existsSync(socket)).toBe(true);
  });
});

/** Binds at another name and renames: closing then cannot unlink it. */
async function ghostSocket(at: string): Promise<NetServer> {
  const { renameSync } = await import('node:fs');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${at}.tmp`, resolve));
  renameSync(`${at}.tmp`, at);
  await new Promise((resolve) => server.close(resolve));
  return server;
}

test('entities come out of the wire as they went in', () => {
  fc.assert(
    fc.property(a.entity, (e) => {
      const wire = WireEntity.decode(WireEntity.encode(encodeEntity(e)).finish());
      expect(decodeEntity(wire)).toEqual(e);
    }),
    { numRuns: 200 },
  );
});

test('a uid has a name, or stands alone', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nlin:x:1000:1000::/home/lin:/bin/sh\n';
  expect(actorOf(1000, passwd)).toBe('lin(1000)');
  expect(actorOf(7, passwd)).toBe('7');
});
