import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Agent, startAgent } from '../../agent/app.ts';
import { OwnLines } from '../../agent/core/own-lines.ts';
import { loadAgentSettings } from '../../config/agent.ts';
import type { NodeStatus } from '../../proto/vocab/node.ts';
import { until } from '../../scripts/demo/process.ts';
import { memoryLog } from '../fakes/services.ts';
import { LoneMaster } from '../harness/lone-master.ts';

// A9: the master's clock is set 30 days forwards, or 31 back, while a node is connected: it is called neither down nor
// disconnected, no alert fires, and what the certificates make of it is said in words. libfaketime moves the clock.

const FAKETIME = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketime.so.1`;
const DAY = 86_400_000;
let dir: string;
let master: LoneMaster;
let agent: { stop(reason: string): Promise<void>; log: ReturnType<typeof memoryLog> };
const clock = (offset: string): void => writeFileSync(path.join(dir, 'clock'), `${offset}\n`);

async function start(token: string | null): Promise<typeof agent> {
  const flags = {
    'node.type': 'edge',
    'node.region': 'hk',
    'node.name': 'hk-1',
    'master.addr': master.bound.grpc,
    'gost.config_path': path.join(dir, 'gost.yml'),
    state_dir: path.join(dir, 'state'),
    'engine.socket': path.join(dir, 'e.sock'),
    ...(token === null ? {} : { 'master.token': token }),
  };
  const log = memoryLog();
  const running: Agent = await startAgent(loadAgentSettings({ env: {}, flags }).settings, null, {
    ...{ log, own: new OwnLines(), engineProgram: '/none', env: {} },
    ...{ now: () => Date.now(), random: () => 0.5 },
  });
  return { stop: (reason) => running.stop(reason), log };
}

beforeAll(async () => {
  expect(existsSync(FAKETIME)).toBe(true);
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-a9-'));
  clock('+0');
  const env = {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: path.join(dir, 'clock'),
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  master = await LoneMaster.start({ dir, env, heartbeat: '300ms' });
});
afterAll(async () => {
  await agent?.stop('the test is over');
  await master?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const vitals = async () => (await master.api.listNodes()).vitals[0];
/** The clock is set; every status it is seen in until it was heard of at the new time and has a status again. */
async function jump(offset: string, ms: number): Promise<ReadonlySet<NodeStatus>> {
  const seen = new Set<NodeStatus>();
  clock(offset);
  let beats = 0;
  let last = 0;
  await until('it has been heard of at the new time', 30_000, async () => {
    const v = await vitals();
    if (!v) return null;
    seen.add(v.status);
    const drift = Math.abs((v.lastSeen ?? 0) - (Date.now() + ms));
    if (drift < DAY / 2 && v.lastSeen !== last) beats += 1;
    last = v.lastSeen ?? 0;
    return beats > 10 && v.status === 'initializing' ? true : null;
  });
  return seen;
}
const steady = (seen: ReadonlySet<NodeStatus>): void => {
  expect([...seen].filter((s) => s !== 'initializing' && s !== 'unknown')).toEqual([]);
};
const alerts = async () => (await master.api.listAlerts()).alerts.map((a) => a.rule);

it('30 days forwards and 31 back: no flap, and the certificates’ fate is said', async () => {
  const { token } = await master.api.createToken(
    { reason: 'test' },
    { nodeType: 'edge', region: 'hk', name: null, ttlMs: null, replace: false },
  );
  agent = await start(token);
  await until('it is here', 20_000, async () => ((await vitals())?.status === 'initializing' ? true : null));

  steady(await jump('+30d', 30 * DAY));
  expect(await alerts()).toEqual([]);
  // A new conversation: the certificate has run out by this clock; it may renew, and goes on.
  await agent.stop('it begins anew');
  agent = await start(null);
  await until('it has renewed', 20_000, () =>
    agent.log.lines.some((l) => l.message === 'certificate renewed') ? true : null,
  );
  await until('it is here', 20_000, async () => ((await vitals())?.status === 'initializing' ? true : null));

  steady(await jump('-31d', -31 * DAY));
  expect(await alerts()).toEqual([]);
  await agent.stop('it begins anew');
  agent = await start(null);
  const said = await until(
    'it is told',
    20_000,
    () => agent.log.lines.find((l) => l.fields.includes('not valid before')) ?? null,
  );
  expect(said.fields).toMatch(/check the clock/);

  // Set right, it goes on by itself.
  clock('+30d');
  await until('it is here again', 30_000, async () =>
    (await vitals())?.status === 'initializing' ? true : null,
  );
});
