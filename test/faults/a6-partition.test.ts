import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MASTER_KEYS } from '../../config/master.ts';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import { end, program, until } from '../../scripts/demo/process.ts';
import { buildGoPeer, type GoPeer } from '../harness/go-peer.ts';
import { Hosts } from '../harness/hosts.ts';
import { Running } from '../harness/running.ts';

// A6: a master and four nodes, each on a host of its own behind a line of its own. One is cut off, one hears nothing, one
// is unplugged; the fourth has 100 ms and 1 % loss all the time.
const HEARTBEAT_MS = 2_000;
/** Three missed, and one of grace. */
const DOWN_AFTER_MS = 4 * HEARTBEAT_MS;
/** How long the bad line is watched, at least. */
const LOSSY_MS = process.env['AICDN_FAULTS_LONG'] === '1' ? 600_000 : 15_000;
const NODES = ['parted', 'deaf', 'unplugged', 'lossy'] as const;
type Name = (typeof NODES)[number];
const CUT = ['parted', 'deaf', 'unplugged'] as const satisfies readonly Name[];
const PATIENCE_MS = 90_000;
const PORT = 50_051;

let go: GoPeer;
let hosts: Hosts;
let dir: string;
let master: Running;
let api: ConsoleApi;
const agents: Running[] = [];
const engines = new Set<number>();

const documentOf = (port: number): string => `services:
- name: chat
  addr: "127.0.0.1:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder:
    nodes:
    - {name: origin, addr: "127.0.0.1:9"}
`;

beforeAll(async () => {
  go = await buildGoPeer();
  const good = { delayMs: 1, loss: 0 };
  // One way: 100 ms there and back.
  hosts = await Hosts.start(go, {
    parted: good,
    deaf: good,
    unplugged: good,
    lossy: { delayMs: 50, loss: 0.01 },
  });
  dir = mkdtempSync('/tmp/aicdn-a6-');
  await startMaster();
  await publish('v1', 12_001);
  await Promise.all(NODES.map(startAgent));
  await inSync('v1');
}, 120_000);

afterAll(async () => {
  api?.close();
  for (const agent of agents) await agent.stop();
  for (const pid of engines) await end(pid);
  await master?.stop();
  await hosts?.stop();
  await go?.remove();
  if (dir) rmSync(dir, { recursive: true, force: true });
});

async function startMaster(): Promise<void> {
  const socket = path.join(dir, 'm.sock');
  const ready = path.join(dir, 'ready');
  const set = [
    `grpc.addr=0.0.0.0:${PORT}`,
    'grpc.advertise=10.78.0.1',
    'http.addr=127.0.0.1:0',
    `state_dir=${path.join(dir, 'master')}`,
    `socket=${socket}`,
    `heartbeat.interval=${HEARTBEAT_MS}ms`,
    ...('rollout.strategy' in MASTER_KEYS ? ['rollout.strategy=at-once'] : []),
  ].flatMap((s) => ['--set', s]);
  master = within(
    undefined,
    program('master'),
    'run',
    '--config',
    '/dev/null',
    '--ready-file',
    ready,
    ...set,
  );
  await until(
    'the master is ready',
    PATIENCE_MS,
    () => readFileSync(ready, 'utf8'),
    () => master.text.slice(-500),
  );
  api = connectConsole({ socket });
}

function within(host: Name | undefined, ...argv: readonly string[]): Running {
  const [ip = '', ...words] = hosts.within(host);
  return new Running(ip, [...words, process.execPath, ...argv], { NODE_ENV: 'production' });
}

async function startAgent(name: Name): Promise<void> {
  const { token } = await api.createToken(
    { reason: 'a6' },
    { nodeType: 'edge', region: 'hk', name, ttlMs: null, replace: false },
  );
  const home = path.join(dir, name);
  mkdirSync(home, { mode: 0o700 });
  const config = path.join(home, 'agent.yml');
  writeFileSync(
    config,
    `node: {type: edge, region: hk, name: ${name}}
master: {addr: "${hosts.gateway(name)}:${PORT}", token: ${token}}
gost: {config_path: ${path.join(home, 'gost.yml')}}
state_dir: ${path.join(home, 'state')}
engine: {socket: ${path.join(home, 'engine.sock')}, spawn: true, workers: 1}
`,
    { mode: 0o600 },
  );
  const ready = path.join(home, 'ready');
  const agent = within(name, program('agent'), 'run', '--config', config, '--ready-file', ready);
  agents.push(agent);
  const text = await until(
    `${name} is ready`,
    PATIENCE_MS,
    () => readFileSync(ready, 'utf8'),
    () => agent.text.slice(-500),
  );
  engines.add((JSON.parse(text) as { enginePid: number }).enginePid);
}

async function publish(label: string, port: number): Promise<void> {
  const body = Buffer.from(documentOf(port));
  await api.createConfig({ reason: 'a6' }, { label, description: '', body, parent: null });
  await api.publish({ reason: 'a6' }, { label, target: {}, dryRun: false });
}

async function inSync(label: string, names: readonly Name[] = NODES): Promise<void> {
  let seen = '';
  await until(
    `${names.join(', ')} ready with ${label}`,
    PATIENCE_MS,
    async () => {
      const { nodes, vitals } = await api.listNodes();
      const status = new Map(vitals.map((v) => [`${v.name}`, v.status]));
      const mine = nodes.filter((n) => names.some((name) => name === n.name));
      seen = mine
        .map((n) => `${n.name} ${status.get(n.name)} ${n.configSync} ${n.effective?.version}`)
        .join(', ');
      const well = mine.filter(
        (n) => status.get(n.name) === 'ready' && n.configSync === 'in_sync' && n.effective?.version === label,
      );
      return well.length === names.length ? true : null;
    },
    () => seen,
  );
}

interface Seen {
  readonly at: number;
  readonly status: string;
  readonly lastSeen: number;
}

/** What a console is told of each node from now on, second by second; only what changes is kept. */
function watchStatuses() {
  const seen = new Map<string, Seen[]>(NODES.map((n) => [n, []]));
  const watch = api.watch(
    { client: 'a6', since: () => null },
    (event) => {
      if (event.kind !== 'vitals') return;
      for (const v of event.nodes) {
        const mine = seen.get(v.name);
        if (mine && mine.at(-1)?.status !== v.status) {
          mine.push({ at: event.at, status: v.status, lastSeen: v.lastSeen ?? 0 });
        }
      }
    },
    () => undefined,
  );
  return { of: (n: Name): readonly Seen[] => seen.get(n) ?? [], close: () => watch.close() };
}

test(
  'who cannot be heard is down when its time is up, comes back with what it missed, and a bad line is not taken for a dead one',
  async () => {
    const statuses = watchStatuses();
    try {
      await until('all are seen', PATIENCE_MS, () => NODES.every((n) => statuses.of(n).length > 0) || null);
      const began = Date.now();
      await hosts.cut('parted', 'both');
      await hosts.cut('deaf', 'to');
      await hosts.unplug('unplugged');
      await publish('v2', 12_002);
      await inSync('v2', ['lossy']);
      const downs = await Promise.all(
        CUT.map((n) =>
          until(`${n} is down`, PATIENCE_MS, () => statuses.of(n).find((s) => s.status === 'down') ?? null),
        ),
      );
      // Not a moment before what the heartbeat promises; how soon after is said.
      for (const d of downs) expect(d.at - d.lastSeen).toBeGreaterThanOrEqual(DOWN_AFTER_MS);
      const healedAt = Date.now();
      await Promise.all(CUT.map((n) => hosts.heal(n)));
      await inSync('v2');
      const converged = Date.now() - healedAt;
      await sleep(Math.max(0, began + LOSSY_MS - Date.now()));
      const said = CUT.map(
        (n, i) => `${n} ${(((downs[i]?.at ?? 0) - (downs[i]?.lastSeen ?? 0)) / 1000).toFixed(1)} s`,
      );
      console.log(
        `A6: down after ${said.join(', ')} of silence; converged ${(converged / 1000).toFixed(1)} s after healing`,
      );
      for (const n of CUT) {
        const turns = statuses
          .of(n)
          .map((s) => s.status)
          .filter((s) => s === 'ready' || s === 'down');
        expect([n, ...turns]).toEqual([n, 'ready', 'down', 'ready']);
      }
      expect(statuses.of('lossy').map((s) => s.status)).toEqual(['ready']);
    } finally {
      statuses.close();
    }
  },
  LOSSY_MS + 4 * PATIENCE_MS,
);
