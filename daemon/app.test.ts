import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { get as httpsGet } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadMasterSettings } from '../config/master.ts';
import { connectConsole } from '../proto/link/console-client.ts';
import { fetchPinnedCa } from '../proto/link/tls.ts';
import { enrolmentTwin, heardEvents, memoryLog } from '../test/fakes/services.ts';
import { type AppNeeds, type Master, startMaster } from './app.ts';
import { createRings } from './drivers/rings/rings.ts';

let dir: string;
const running: Master[] = [];
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-app-'));
});
afterEach(async () => {
  for (const m of running.splice(0)) await m.stop();
  rmSync(dir, { recursive: true, force: true });
});

const settings = (over: Record<string, string> = {}) =>
  loadMasterSettings({
    env: {},
    flags: {
      'http.addr': '127.0.0.1:0',
      'grpc.addr': '127.0.0.1:0',
      'database.uri': `file://${dir}/state/db`,
      state_dir: `${dir}/state`,
      socket: `${dir}/run/master.sock`,
      ...over,
    },
  }).settings;

function needs() {
  const log = memoryLog();
  const order: string[] = [];
  let pin = '';
  const all: AppNeeds = {
    log,
    createRings,
    createServices(_s, n) {
      pin = n.ca.pin;
      return {
        enrolment: enrolmentTwin({}),
        agents: heardEvents(),
        nodes: {
          list: () => ({ nodes: [], vitals: [], revision: n.store.snapshot().revision }),
          facts: () => ({ nodes: [], revision: n.store.snapshot().revision }),
          detail: () => {
            throw new Error('not part of this test');
          },
        },
        degraded: () => null,
        start: async () => void order.push('services started'),
        tick: () => {},
        settled: async () => {},
        stop: async () => void order.push('services stopped'),
      } as unknown as ReturnType<AppNeeds['createServices']>;
    },
  };
  return { all, log, order, pin: () => pin };
}

async function start(n = needs(), s = settings()) {
  const master = await startMaster(s, n.all);
  running.push(master);
  return { master, n };
}

const get = async (at: string, what: string): Promise<[number, unknown]> => {
  const r = await fetch(`http://${at}${what}`);
  return [r.status, await r.json()];
};

const secureGet = (at: string, tls: TlsOptions): Promise<[number, string, unknown]> =>
  new Promise((resolve, reject) => {
    const r = httpsGet(`https://${at}/health`, { ...tls, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (d: Buffer) => {
        text += d.toString();
      });
      answer.on('end', () =>
        resolve([answer.statusCode ?? 0, text, answer.headers['strict-transport-security']]),
      );
    });
    r.on('error', reject);
  });

test('everything listens, where it says', async () => {
  const { master, n } = await start();
  const { bound } = master;
  expect(await get(bound.http, '/health')).toEqual([200, { status: 'ok' }]);
  expect(await get(bound.http, '/ready')).toEqual([200, { ready: true }]);
  expect((await get(bound.http, '/etc/passwd'))[0]).toBe(404);
  const pem = await fetchPinnedCa({ address: bound.grpc, pin: n.pin() });
  expect(readFileSync(bound.ca, 'utf8').trim()).toBe(pem.trim());
  const api = connectConsole({ socket: bound.socket });
  try {
    expect(await api.listNodes()).toEqual({ nodes: [], vitals: [], revision: 0 });
  } finally {
    api.close();
  }
  expect(n.log.lines.find((l) => l.message === 'listening')?.fields).toContain(bound.grpc);
});

test('REST is HTTPS with a certificate of the fleet, plain on loopback or where it is told so', async () => {
  const secure = await start(needs(), settings({ 'http.tls': 'on', 'http.addr': '127.0.0.1:0' }));
  const { bound } = secure.master;
  expect(bound.rest).toBe(`https://${bound.http}`);
  const ca = readFileSync(bound.ca);
  expect(await secureGet(bound.http, { ca })).toEqual([200, '{"status":"ok"}\n', 'max-age=31536000']);
  await expect(secureGet(bound.http, {})).rejects.toThrow(/self-signed|unable to verify/);
  await expect(secureGet(bound.http, { ca, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow();
  await expect(fetch(`http://${bound.http}/health`)).rejects.toThrow();
  await secure.master.stop();
  const open = await start(needs(), settings({ 'http.addr': ':0' }));
  expect(open.master.bound.rest).toMatch(/^https:/);
  await open.master.stop();
  const told = await start(needs(), settings({ 'http.addr': ':0', 'http.tls': 'off' }));
  expect(told.master.bound.rest).toMatch(/^http:/);
});

test('nothing secret is open to others', async () => {
  await start();
  const seen: string[] = [];
  const walk = (at: string): void => {
    for (const e of readdirSync(at, { withFileTypes: true })) {
      const full = path.join(at, e.name);
      if (e.isDirectory()) walk(full);
      else if (e.isFile() && (statSync(full).mode & 0o077) !== 0) seen.push(path.relative(dir, full));
    }
  };
  walk(dir);
  expect(seen).toEqual(['state/ca.crt']);
});

test('a stop is orderly, and a second start finds everything free', async () => {
  const { master, n } = await start();
  await master.stop();
  expect(n.order).toEqual(['services started', 'services stopped']);
  await expect(fetch(`http://${master.bound.http}/health`)).rejects.toThrow();
  const again = await start();
  expect(again.n.log.lines.some((l) => l.message.includes('new fleet CA'))).toBe(false);
});

test('a port that is taken: said plainly, and what was started is stopped again', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const at = taken.address();
  const port = typeof at === 'object' && at ? at.port : 0;
  const n = needs();
  await expect(startMaster(settings({ 'grpc.addr': `127.0.0.1:${port}` }), n.all)).rejects.toMatchObject({
    code: 'precondition',
    message: expect.stringContaining(`cannot listen on 127.0.0.1:${port}`) as string,
  });
  await new Promise((resolve) => taken.close(resolve));
  expect(n.order).toEqual(['services started', 'services stopped']);
  await start(); // the lock, the socket and the ports are free
});

test('a second master on the same store is refused, and the first goes on', async () => {
  const { master } = await start();
  await expect(startMaster(settings({ socket: `${dir}/run/other.sock` }), needs().all)).rejects.toMatchObject(
    {
      code: 'conflict',
    },
  );
  expect(await get(master.bound.http, '/health')).toEqual([200, { status: 'ok' }]);
});

test('any free port: what agents are told to dial is the one that was bound', async () => {
  const { all } = needs();
  let advertise = (): string => '';
  const createServices: AppNeeds['createServices'] = (s, n) => {
    advertise = s.advertise;
    return all.createServices(s, n);
  };
  const master = await startMaster(settings({ 'grpc.advertise': 'localhost' }), { ...all, createServices });
  running.push(master);
  expect(advertise()).toBe(master.bound.grpc.replace('127.0.0.1', 'localhost'));
});
