import { mkdir, readFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { type Effort, QUICK, WHOLE } from './effort.ts';
import { gostPeers } from './gost.ts';
import { measureLine } from './line.ts';
import { manyConnections } from './many.ts';
import { idle, type Measure, measuresOf, type Sample, warm } from './measures.ts';
import { type Ground, hasTool, OURS, PEERS, type Peer, type Started } from './peers.ts';
import { profileOurs } from './profiled.ts';
import { EXPECTED, failuresOf, ratiosOf, tablesOf } from './report.ts';
import { prepare, Stage } from './stage.ts';

const USAGE = `npm run bench:tunnel -- [--quick] [--json] [--rounds N] [--workers N] [--only PEER,PEER] [--profile DIR]

Measures the engine beside other forwarders on this machine: about a minute with --quick, some twenty without.
  --quick        one short round: no line with delay and loss, no 100,000 connections, fewer rows
  --json         one JSON document on stdout, everything else on stderr
  --rounds N     so many rounds; the peers take turns within each, ratios are medians over the rounds
  --workers N    threads of haproxy and nginx, carrying processes of ours: 1 when left out, so that load and origin have
                 a core beside them on a small machine
  --only A,B     these peers only, such as direct,haproxy,ours,"ours mtls"
                 (many: the 100,000 connections, line: the line with delay and loss)
  --profile DIR  afterwards, our engine's busiest worker under V8's profiler, a file a measure
  GOST_BIN=PATH  the environment's: the real gost as one more peer, one hop and two

Wanted: go; haproxy, nginx, wrk where they are there; root for the line. test/bench/tunnel/README.md says how to read it.
Exit status: 0 when the ratios could be taken.`;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    workers: { type: 'string' },
    only: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const note = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<number> {
  if (flags.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const rounds = flags.rounds === undefined ? {} : { rounds: count(flags.rounds) };
  const workers = count(flags.workers ?? '1');
  const effort = { ...(flags.quick ? QUICK : WHOLE), ...rounds };
  const stage = await Stage.open();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Ctrl-c comes twice by way of npm.
    process.on(signal, () => void stage.close().then(() => process.exit(130)));
  }
  try {
    return await bench(await prepare(stage, workers), effort, stage);
  } catch (e) {
    note(`bench: ${said(e)}`);
    return 1;
  } finally {
    await stage.close();
  }
}

async function bench(ground: Ground, effort: Effort, stage: Stage): Promise<number> {
  const only = flags.only?.split(',') ?? null;
  const wants = (name: string): boolean => only === null || only.includes(name);
  const results = await measureAll(ground, effort, stage, wants);
  const many = effort.many > 0 && wants('many') ? await manyConnections(ground, effort.many, stage) : null;
  const line =
    effort.line && wants('line')
      ? await measureLine(ground, stage)
      : { said: 'Without the line with delay and loss: not with --quick, nor with --only.', results: {} };
  const profiles = flags.profile === undefined ? [] : await profileTo(flags.profile, ground, effort);
  const ratios = ratiosOf(results);
  const failures = failuresOf(results);
  const where = await machine(ground);
  if (flags.json) {
    const samples = Object.fromEntries([...results].map(([peer, m]) => [peer, Object.fromEntries(m)]));
    const all = { ratios, many, line: line.results, failures, machine: where, samples };
    process.stdout.write(`${JSON.stringify(all)}\n`);
    for (const p of profiles) note(p);
  } else {
    const figures = Object.entries(ratios).map(([name, value]) => `${name}: ${value}`);
    const parts = [where, tablesOf(results), figures.join('\n'), many?.said ?? '', line.said, ...profiles];
    parts.push(failures.map((f) => `failed: ${f}`).join('\n'));
    process.stdout.write(`${parts.filter((p) => p !== '').join('\n\n')}\n`);
  }
  if (only !== null) return 0;
  const missing = EXPECTED.filter((name) => ratios[name] === undefined);
  if (missing.length > 0) note(`bench: not taken: ${missing.join(', ')}`);
  return missing.length === 0 ? 0 : 1;
}

async function measureAll(
  ground: Ground,
  effort: Effort,
  stage: Stage,
  wants: (peer: string) => boolean,
): Promise<Map<string, Map<string, Sample[]>>> {
  const { go } = ground;
  const peers = await startPeers(ground, effort, stage, wants);
  const results = new Map<string, Map<string, Sample[]>>([...peers.keys()].map((name) => [name, new Map()]));
  const take = async (name: string, measure: string, run: () => Promise<Sample>): Promise<void> => {
    if (stage.closing) throw new Error('stopped');
    const measures = results.get(name);
    // Every round has a place, so that rounds are compared with their like.
    const put = (s: Sample) => measures?.set(measure, [...(measures.get(measure) ?? []), s]);
    try {
      put(await run());
    } catch (e) {
      put({});
      note(`bench: ${name}, ${measure}: ${said(e)}`);
    }
  };
  if (peers.size > 0) note('warming up');
  for (const peer of peers.values()) await warm(peer, go, effort.warmSeconds);
  // Before what the other loads leave behind.
  for (const [name, peer] of peers) {
    if (peer.processes.length > 0 && (effort.idleOf?.includes(name) ?? true))
      await take(name, 'idle', () => idle(peer, go, effort.idle));
  }
  const measures = await available(measuresOf(effort));
  for (let round = 1; round <= effort.rounds && peers.size > 0; round++) {
    note(`round ${round} of ${effort.rounds}`);
    for (const m of measures) {
      for (const [name, peer] of peers) {
        if (!m.tls || peer.tlsPort !== null) await take(name, m.name, () => m.run(peer, go));
      }
    }
  }
  return results;
}

async function startPeers(
  ground: Ground,
  effort: Effort,
  stage: Stage,
  wants: (peer: string) => boolean,
): Promise<Map<string, Started>> {
  const gost = process.env['GOST_BIN'] ?? '';
  if (gost === '') note('bench: without gost: GOST_BIN is not set (GOST_BIN=/path/to/gost)');
  const left = (name: string): boolean =>
    !name.startsWith(`${OURS} `) || effort.transports.some((t) => name === `${OURS} ${t}`);
  const all = [...PEERS.filter((p) => left(p.name)), ...(gost === '' ? [] : gostPeers(gost))];
  const started = new Map<string, Started>();
  for (const peer of all.filter((p) => wants(p.name))) {
    const s = await startPeer(peer, ground, stage);
    if (s !== null) started.set(peer.name, s);
  }
  return started;
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
    note(`bench: without ${peer.name}: ${said(e)}`);
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

async function profileTo(dir: string, ground: Ground, effort: Effort): Promise<string[]> {
  const to = resolve(dir);
  await mkdir(to, { recursive: true });
  note('once more under the profiler');
  return profileOurs(ground, effort, to);
}

async function machine(ground: Ground): Promise<string> {
  const version = async (file: string, ...args: string[]): Promise<string> => {
    const r = await execa(file, args, { reject: false, all: true });
    return r.failed && r.all === '' ? '' : (String(r.all).split('\n')[0] ?? '');
  };
  const load = (await readFile('/proc/loadavg', 'utf8')).split(' ').slice(0, 3).join(' ');
  const all = cpus();
  const versions = await Promise.all([
    version('go', 'version'),
    version('haproxy', '-v'),
    version('nginx', '-v'),
    version('wrk', '-v'),
  ]);
  return [
    `${all.length} × ${all[0]?.model ?? 'unknown processor'}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, Linux ${release()}, load ${load}`,
    [`Node ${process.version}`, ...versions].join('; '),
    `${ground.workers} workers or threads of each peer, ${ground.files} descriptors a process`,
  ].join('\n');
}

function count(text: string): number {
  return Math.max(1, Number.parseInt(text, 10) || 1);
}

function said(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}

process.exitCode = await main();
