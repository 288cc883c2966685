import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedEngine } from '../../agent/engine/embedded/client.ts';
import type { Engine } from '../../agent/engine/port.ts';
import { program } from '../../scripts/demo/process.ts';
import { createTestCa, type TestCa, writeIdentity } from '../harness/test-ca.ts';
import { type Chance, chanceOf, liveWildly, shakeHandsWildly } from '../harness/wild-streams.ts';

// Two engines as installed, thousands of streams that end in every way there is: afterwards nothing may be left of them.

const HOST = '127.0.0.1';
const CONNECTIONS = Number(process.env['SOAK_CONNECTIONS'] ?? 3_000);
const SEED = Number(process.env['SOAK_SEED'] ?? 1);
const AT_ONCE = 120;
// What is cut while its last bytes are under way has two times five seconds.
const SETTLE_MS = 12_000;
/** Of each of mtls and mwss. */
const SESSIONS = 4;
const MEMORY = 96 * 1024 * 1024;

interface Process {
  readonly name: string;
  readonly child: ChildProcess;
  readonly engine: Engine;
  /** Open before the first stream: its listeners, its socket, what the runtime itself holds. */
  readonly descriptors: number;
}

let ca: TestCa;
let dir: string;
let processes: Process[] = [];
const WAYS = ['tcp', 'tls', 'both', 'ws', 'wss', 'mtls', 'mwss'] as const;
type Way = (typeof WAYS)[number];
let ports: Record<Way, number>;
let origin: net.Server;
let removals: (() => Promise<void>)[] = [];
let chance: Chance = chanceOf(SEED);
const origins = new Set<Promise<void>>();

async function freePorts(n: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: n }, async () => {
      const server = net.createServer();
      await new Promise<void>((r) => server.listen(0, HOST, r));
      return server;
    }),
  );
  const found = servers.map((s) => (s.address() as net.AddressInfo).port);
  await Promise.all(servers.map((s) => new Promise<void>((r) => s.close(() => r()))));
  return found;
}

async function startEngine(name: string, document: string): Promise<Process> {
  const id = await writeIdentity(ca, name);
  removals.push(id.remove);
  const file = join(dir, `${name}.yml`);
  const socket = join(dir, `${name}.sock`);
  await writeFile(file, document);
  const identity = ['--identity-cert', id.certFile, '--identity-key', id.keyFile, '--identity-ca', id.caFile];
  const child = spawn(
    process.execPath,
    // One process, so that what is counted is what carries.
    [program('engine'), '--socket', socket, '--document', file, '--workers', '0', ...identity],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let told = '';
  child.stderr?.on('data', (c) => {
    told = (told + c).slice(-65_536);
  });
  const engine = createEmbeddedEngine({ socket });
  await new Promise<void>((r) => engine.onLink((up) => up && r()));
  while ((await engine.info()).generation === 0) {
    if (child.exitCode !== null) throw new Error(told);
    await sleep(20);
  }
  child.once('exit', (code) => {
    if (code !== null && code !== 0) process.stderr.write(`${name} died: ${told.slice(-4_000)}\n`);
  });
  return { name, child, engine, descriptors: await descriptorsOf(child) };
}

beforeAll(async () => {
  ca = await createTestCa();
  dir = await mkdtemp(join(tmpdir(), 'aicdn-soak-'));
  origin = net.createServer({ allowHalfOpen: true, noDelay: true }, (s) => {
    const life = liveWildly(s, s, chance).finally(() => origins.delete(life));
    origins.add(life);
  });
  await new Promise<void>((r) => origin.listen(0, HOST, 4096, r));
  const to = (origin.address() as net.AddressInfo).port;
  const tunnels = WAYS.filter((w) => w !== 'both');
  const free = await freePorts(WAYS.length + tunnels.length);
  ports = Object.fromEntries(WAYS.map((w, i) => [w, free[i]])) as Record<Way, number>;
  const cores = Object.fromEntries(tunnels.map((w, i) => [w, free[WAYS.length + i]]));
  const web = await ca.issue('web', { dns: 'localhost' });
  const [certFile, keyFile] = [join(dir, 'web.pem'), join(dir, 'web.key')];
  await writeFile(certFile, web.cert);
  await writeFile(keyFile, web.key);
  const forwarder = `{nodes: [{name: o, addr: "${HOST}:${to}"}]}`;
  const core = await startEngine(
    'core',
    `services:\n${tunnels.map((w) => `  - {name: svc-${w}, addr: "${HOST}:${cores[w]}", handler: {type: relay}, listener: {type: ${w}}, forwarder: ${forwarder}}\n`).join('')}`,
  );
  const edge = await startEngine(
    'edge',
    `services:
${tunnels.map((w) => `  - {name: ${w}, addr: "${HOST}:${ports[w]}", handler: {type: tcp, chain: ${w}}}`).join('\n')}
  - {name: both, addr: "${HOST}:${ports.both}", handler: {type: tcp, chain: tls}, listener: {type: tls, tls: {certFile: "${certFile}", keyFile: "${keyFile}"}}}
chains: [${tunnels.map((w) => `{name: ${w}, hops: [{name: ${w}}]}`).join(', ')}]
hops:
${tunnels.map((w) => `  - {name: ${w}, nodes: [{name: n, addr: "${HOST}:${cores[w]}", connector: {type: relay}, dialer: {type: ${w}}}]}`).join('\n')}
`,
  );
  // The sessions kept to a core are there before the first stream, and stay.
  while ((await descriptorsOf(core.child)) < core.descriptors + 2 * SESSIONS) await sleep(20);
  processes = [];
  for (const p of [edge, core]) processes.push({ ...p, descriptors: await descriptorsOf(p.child) });
});

afterAll(async () => {
  for (const { engine, child } of processes) {
    engine.close();
    if (child.exitCode === null) child.kill('SIGKILL');
  }
  origin?.close();
  for (const remove of removals) await remove();
  await rm(dir, { recursive: true, force: true });
  removals = [];
});

async function run(way: Way, connections: number): Promise<void> {
  let left = connections;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const raw = net.connect({ port: ports[way], host: HOST, allowHalfOpen: true });
      const options = { servername: 'localhost', ca: ca.ca };
      const socket = way === 'both' ? await shakeHandsWildly(raw, options, chance) : raw;
      if (socket !== null) await liveWildly(socket, raw, chance);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  while (origins.size > 0) await Promise.all(origins);
}

async function descriptorsOf(child: ChildProcess): Promise<number> {
  return (await readdir(`/proc/${child.pid}/fd`)).length;
}

async function left(p: Process): Promise<{ streams: number; descriptors: number; memory: number }> {
  const { services } = await p.engine.stats();
  const status = await readFile(`/proc/${p.child.pid}/statm`, 'utf8');
  return {
    streams: services.reduce((n, s) => n + s.streams, 0),
    descriptors: await descriptorsOf(p.child),
    memory: Number(status.split(' ')[1]) * 4096,
  };
}

/** What is left once all streams have had their time: at once when that is nothing. */
async function settle(p: Process): Promise<Awaited<ReturnType<typeof left>>> {
  const until = performance.now() + SETTLE_MS;
  for (;;) {
    const now = await left(p);
    if ((now.streams === 0 && now.descriptors <= p.descriptors) || performance.now() > until) return now;
    await sleep(100);
  }
}

describe('streams that end in every way there is', () => {
  it.each(WAYS)('leave nothing behind: %s', async (way) => {
    chance = chanceOf(SEED);
    await run(way, CONNECTIONS / 4);
    const before = await Promise.all(processes.map(settle));
    await run(way, (CONNECTIONS * 3) / 4);
    for (const [i, p] of processes.entries()) {
      const { streams, descriptors, memory } = await settle(p);
      const nothing = { at: p.name, streams: 0, descriptors: p.descriptors };
      expect({ at: p.name, streams, descriptors }).toEqual(nothing);
      expect(memory - (before[i]?.memory ?? 0)).toBeLessThan(MEMORY);
      expect(p.child.exitCode).toBeNull();
    }
  });
});
