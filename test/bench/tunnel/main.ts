import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { buildGoPeer, type GoPeer } from '../../harness/go-peer.ts';
import type { Running } from '../../harness/running.ts';
import { createTestCa } from '../../harness/test-ca.ts';
import type { TlsFilePaths } from '../../harness/transports.ts';
import { descriptorLimit } from './figures.ts';
import { type Effort, idle, type Measure, measuresOf, type Sample } from './measures.ts';
import { type Ground, hasTool, OURS, PEERS, type Peer, type Started } from './peers.ts';
import { failuresOf, ratiosOf, tableOf } from './report.ts';

const QUICK: Effort = {
  rounds: 1,
  rpsSeconds: 1,
  connectionSeconds: 1,
  bulkSeconds: 1,
  streams: [500],
  streamSeconds: 2,
  idle: 1_000,
  many: 0,
};
const WHOLE: Effort = {
  rounds: 3,
  rpsSeconds: 3,
  connectionSeconds: 2,
  bulkSeconds: 2,
  streams: [500, 2_000],
  streamSeconds: 4,
  idle: 4_000,
  many: 100_000,
};
/** What a process needs beside the two descriptors a connection. */
const OWN_FILES = 500;
/** Of the ports the system gives out, so many towards one origin. */
const CONNECTIONS_AN_ORIGIN = 20_000;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const USAGE = `npm run bench:tunnel -- [--quick] [--json] [--rounds N] [--only PEER,PEER]
Measures the engine beside other forwarders on this machine. A minute with --quick, some six without.`;

const note = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<number> {
  if (flags.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const rounds =
    flags.rounds === undefined ? {} : { rounds: Math.max(1, Number.parseInt(flags.rounds, 10) || 1) };
  const effort = { ...(flags.quick ? QUICK : WHOLE), ...rounds };
  const stage = new Stage(await mkdtemp(join(tmpdir(), 'aicdn-bench-')));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stage.close().then(() => process.exit(130)));
  }
  try {
    return await measure(await prepare(stage), effort, stage);
  } catch (e) {
    // Origin and clients are of Go: without them nothing can be measured.
    note(`bench: ${e instanceof Error ? e.message : String(e)}`);
    return 1;
  } finally {
    await stage.close();
  }
}

/** What has been started and written, to be taken away again. */
class Stage {
  readonly dir: string;
  readonly #running: Running[] = [];
  #go: GoPeer | null = null;

  constructor(dir: string) {
    this.dir = dir;
  }

  async build(): Promise<GoPeer> {
    this.#go = await buildGoPeer();
    return this.#go;
  }

  add(...running: readonly Running[]): void {
    this.#running.push(...running);
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((r) => r.stop()));
    await this.#go?.remove();
    await rm(this.dir, { recursive: true, force: true });
  }
}

async function prepare(stage: Stage): Promise<Ground> {
  const { dir } = stage;
  const go = await stage.build();
  const ca = await createTestCa();
  const { cert, key } = await ca.issue('peer', { dns: 'peer.test' });
  const tls: TlsFilePaths = {
    certFile: join(dir, 'cert.pem'),
    keyFile: join(dir, 'key.pem'),
    caFile: join(dir, 'ca.pem'),
  };
  await writeFile(tls.certFile, cert);
  await writeFile(tls.keyFile, key, { mode: 0o600 });
  await writeFile(tls.caFile, ca.ca);
  return { dir, go, tls, origins: [await startOrigin(go, stage)], files: await descriptorLimit() };
}

async function startOrigin(go: GoPeer, stage: Stage): Promise<number> {
  const origin = await go.start('origin');
  stage.add(origin);
  return origin.port;
}

async function measure(ground: Ground, effort: Effort, stage: Stage): Promise<number> {
  const { go } = ground;
  const only = flags.only?.split(',');
  const peers = new Map<string, Started>();
  for (const peer of PEERS) {
    if (only !== undefined && !only.includes(peer.name)) continue;
    const started = await startPeer(peer, ground, stage);
    if (started !== null) peers.set(peer.name, started);
  }
  const results = new Map<string, Map<string, Sample[]>>([...peers.keys()].map((name) => [name, new Map()]));
  const take = async (name: string, measure: string, run: () => Promise<Sample>): Promise<void> => {
    const measures = results.get(name);
    try {
      const sample = await run();
      measures?.set(measure, [...(measures.get(measure) ?? []), sample]);
    } catch (e) {
      note(`bench: ${name}, ${measure}: ${e instanceof Error ? e.message : String(e)}`);
    }
  };
  // First, while nothing has grown from other loads.
  for (const [name, peer] of peers) {
    if (peer.processes.length > 0) await take(name, 'idle', () => idle(peer, go, effort.idle));
  }
  const measures = await available(measuresOf(effort));
  for (let round = 1; round <= effort.rounds; round++) {
    note(`round ${round} of ${effort.rounds}`);
    for (const m of measures)
      for (const [name, peer] of peers) await take(name, m.name, () => m.run(peer, go));
  }
  const ratios = ratiosOf(results);
  const many = effort.many > 0 && peers.has(OURS) ? await manyConnections(ground, effort.many, stage) : null;
  const failures = failuresOf(results);
  if (flags.json) {
    const medians = Object.fromEntries([...results].map(([peer, m]) => [peer, Object.fromEntries(m)]));
    process.stdout.write(
      `${JSON.stringify({ ratios, many, failures, machine: await machine(), samples: medians })}\n`,
    );
  } else {
    process.stdout.write(`${await machine()}\n\n${tableOf(results)}\n\n`);
    for (const [name, value] of Object.entries(ratios)) process.stdout.write(`${name}: ${value}\n`);
    if (many !== null) process.stdout.write(`${many.said}\n`);
    for (const f of failures) process.stdout.write(`failed: ${f}\n`);
  }
  return Object.keys(ratios).length > 0 ? 0 : 1;
}

async function startPeer(peer: Peer, ground: Ground, stage: Stage): Promise<Started | null> {
  if (peer.tool !== null && !(await hasTool(peer.tool.command))) {
    note(`bench: without ${peer.name}: ${peer.tool.command} is not on PATH; ${peer.tool.apt}`);
    return null;
  }
  try {
    const started = await peer.start(ground);
    stage.add(...started.processes);
    return started;
  } catch (e) {
    note(`bench: without ${peer.name}: ${e instanceof Error ? e.message : String(e)}`);
    return null;
  }
}

async function available(measures: readonly Measure[]): Promise<Measure[]> {
  const able: Measure[] = [];
  for (const m of measures) {
    if (m.tool === null || (await hasTool(m.tool.command))) able.push(m);
    else note(`bench: without ${m.name}: ${m.tool.command} is not on PATH; ${m.tool.apt}`);
  }
  return able;
}

/** As many connections through one engine at once as its descriptors allow, of `wanted`. */
async function manyConnections(
  ground: Ground,
  wanted: number,
  stage: Stage,
): Promise<{ standing: number; tried: number; said: string }> {
  const tried = Math.min(wanted, Math.floor((ground.files - OWN_FILES) / 2));
  const origins = [...ground.origins];
  while (origins.length * CONNECTIONS_AN_ORIGIN < tried) origins.push(await startOrigin(ground.go, stage));
  const ours = PEERS.find((p) => p.name === OURS) as Peer;
  const started = await ours.start({ ...ground, origins, dir: await mkdtemp(join(ground.dir, 'many-')) });
  stage.add(...started.processes);
  const { standing = 0, kibPerConnection = 0 } = await idle(started, ground.go, tried);
  const why = tried < wanted ? `; ${ground.files} descriptors a process allow no more of ${wanted}` : '';
  const said = `many connections: ${standing} of ${tried} stand, ${kibPerConnection.toFixed(1)} KiB each${why}`;
  return { standing, tried, said };
}

async function machine(): Promise<string> {
  const version = async (file: string, ...args: string[]): Promise<string> => {
    const r = await execa(file, args, { reject: false, all: true });
    return r.failed && r.all === '' ? '' : (String(r.all).split('\n')[0] ?? '');
  };
  const load = (await readFile('/proc/loadavg', 'utf8')).split(' ').slice(0, 3).join(' ');
  const all = cpus();
  return [
    `${all.length} × ${all[0]?.model ?? 'unknown processor'}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, Linux ${release()}, load ${load}`,
    `Node ${process.version}; ${await version('go', 'version')}; ${await version('haproxy', '-v')}; ${await version('nginx', '-v')}; ${await version('wrk', '-v')}`,
  ].join('\n');
}

process.exitCode = await main();
