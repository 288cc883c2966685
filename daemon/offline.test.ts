import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadMasterSettings } from '../config/master.ts';
import { connectConsole } from '../proto/link/console-client.ts';
import { tokensInMemory } from '../proto/link/people-api.ts';
import { memoryLog } from '../test/fakes/services.ts';
import { type Master, startMaster } from './app.ts';
import { createRings } from './drivers/rings/rings.ts';
import { makeBootstrapCode, verifyAudit } from './offline.ts';
import { ownHealth } from './own-health.ts';
import { createServices } from './service/services.ts';

// A whole master over real files, and what is done beside it while it is stopped.

const PASSWORD = 'correct horse battery staple';
let dir: string;
let running: Master | null = null;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-offline-'));
});
afterEach(async () => {
  await running?.stop();
  running = null;
  rmSync(dir, { recursive: true, force: true });
});

const settings = () =>
  loadMasterSettings({
    env: {},
    flags: {
      'http.addr': '127.0.0.1:0',
      'grpc.addr': '127.0.0.1:0',
      'database.uri': `file://${dir}/state/db`,
      state_dir: `${dir}/state`,
      socket: `${dir}/run/master.sock`,
    },
  }).settings;

async function start() {
  const log = memoryLog();
  running = await startMaster(settings(), { log, createServices, createRings });
  const told = log.lines.find((l) => l.message.includes('one-time code'));
  const pin = /"pin":"([0-9a-f]{64})"/.exec(
    log.lines.find((l) => l.message === 'listening')?.fields ?? '',
  )?.[1];
  const tokens = tokensInMemory(null);
  const api = connectConsole({ addr: running.bound.grpc, caPin: pin ?? '', tokens });
  const stop = async () => {
    api.close();
    await running?.stop();
    running = null;
  };
  return { api, log, stop, code: told ? (JSON.parse(told.fields) as { code: string }).code : null };
}

test('a code made by hand outlives the start, works over the network once, and none is made when there is an admin', async () => {
  const first = await start();
  expect(first.code).not.toBeNull();
  await expect(makeBootstrapCode(settings())).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('The master runs') as string,
  });
  await first.stop();
  const code = await makeBootstrapCode(settings());
  const second = await start();
  expect(second.code).toBeNull();
  await expect(
    second.api.bootstrap({ code: first.code ?? '', name: 'eve', password: PASSWORD }),
  ).rejects.toMatchObject({ code: 'unauthenticated' });
  await second.api.bootstrap({ code, name: 'ann', password: PASSWORD });
  expect((await second.api.listNodes()).nodes).toEqual([]);
  const { records } = await second.api.listAudit({ limit: 10, before: null });
  expect(records.map((r) => `${r.source} ${r.action} ${r.outcome}`)).toEqual([
    '127.0.0.1 bootstrap ok',
    '127.0.0.1 bootstrap unauthenticated',
    'offline bootstrap.code ok',
  ]);
  await second.stop();
  await expect(makeBootstrapCode(settings())).rejects.toMatchObject({ code: 'precondition' });
});

test('a login lasts over a restart, and what was typed is in no file', async () => {
  const first = await start();
  await first.api.bootstrap({ code: first.code ?? '', name: 'ann', password: PASSWORD });
  await first.stop();
  const files = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => readFileSync(path.join(e.parentPath, e.name), 'utf8'));
  expect(files.length).toBeGreaterThan(5);
  for (const secret of [PASSWORD, first.code ?? '?', (first.code ?? '?').replaceAll('-', '')]) {
    expect(files.some((f) => f.includes(secret))).toBe(false);
  }
  const second = await start();
  expect((await second.api.login({ name: 'ann', password: PASSWORD })).caller.role).toBe('admin');
});

test('the audit log is verified while the master is stopped: whole, then with its end cut, then edited', async () => {
  const first = await start();
  await expect(verifyAudit(settings())).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('aicdnctl audit verify') as string,
  });
  await first.api.bootstrap({ code: first.code ?? '', name: 'ann', password: PASSWORD });
  for (const password of ['a wrong password', 'another wrong one']) {
    await first.api.login({ name: 'ann', password }).catch(() => {});
  }
  await first.stop();
  expect((await verifyAudit(settings())).text).toMatch(
    /^the audit log is whole: 3 records, head [0-9a-f]{64}$/,
  );
  const audit = path.join(dir, 'state', 'audit');
  const [name = ''] = readdirSync(audit);
  const file = path.join(audit, name);
  const text = readFileSync(file, 'utf8');
  const lines = text.trimEnd().split('\n');
  // Both ends are refusals, which made no commit: the journal knows of them all the same.
  writeFileSync(file, `${lines.slice(0, 2).join('\n')}\n`);
  expect(await verifyAudit(settings())).toEqual({
    ok: false,
    text: 'the audit log was tampered with: seq 3 is missing: the log ends at 2, it was cut',
  });
  writeFileSync(file, text.replace('"subject":"ann","outcome":"ok"', '"subject":"bob","outcome":"ok"'));
  expect(await verifyAudit(settings())).toEqual({
    ok: false,
    text: 'the audit log was tampered with: seq 1 was changed: its hash does not hold',
  });
});

test('its health is asked over the loopback and over TLS, and nobody there is said', async () => {
  for (const addr of ['127.0.0.1:0', ':0']) {
    const { stateDir } = settings();
    const wanted = {
      ...settings(),
      http: loadMasterSettings({ env: {}, flags: { 'http.addr': addr } }).settings.http,
    };
    const log = memoryLog();
    running = await startMaster(wanted, { log, createServices, createRings });
    const port = Number(running.bound.http.split(':').at(-1));
    const http = { ...wanted.http, addr: { ...wanted.http.addr, port } };
    expect(running.bound.rest).toMatch(addr === ':0' ? /^https:/ : /^http:/);
    expect(await ownHealth({ http, stateDir })).toEqual({ ok: true, text: 'ok' });
    await running.stop();
    running = null;
    expect(await ownHealth({ http, stateDir })).toMatchObject({
      ok: false,
      text: expect.stringMatching(/does not answer on/),
    });
  }
});
