import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Running } from '../../harness/running.ts';
import { childrenOf, figuresOf, memoryFree } from './figures.ts';
import { pidsOf, target } from './measures.ts';
import { type Ground, startOurs } from './peers.ts';
import { type Stage, startOrigin } from './stage.ts';

/** What a process needs beside its connections. */
const OWN_FILES = 1_500;
/** Of the ports the system gives out, so many between two addresses. */
const PORTS_OF_A_PAIR = 20_000;
/** A connection's buffers in the kernel and in both ends, all told, on the safe side. */
const KIB_A_CONNECTION = 64;

export interface Many {
  readonly wanted: number;
  readonly tried: number;
  readonly standing: number;
  /** Of those standing, once all stood. */
  readonly answered: number;
  readonly workers: number;
  /** Descriptors each of our processes held then, most first. */
  readonly descriptors: readonly number[];
  readonly kibPerConnection: number;
  /** What kept it from being more; empty when nothing did. */
  readonly limit: string;
  readonly said: string;
}

/** As many connections at once through one engine of several workers as the machine allows, of `wanted`. */
export async function manyConnections(ground: Ground, wanted: number, stage: Stage): Promise<Many> {
  process.stderr.write(`${wanted} connections at once\n`);
  const { tried, why } = bounded(wanted, await memoryFree());
  // Two descriptors a connection in a worker, one in a client and an origin.
  const ofWorker = Math.floor((ground.files - OWN_FILES) / 2);
  const ofEnd = Math.min(ground.files - OWN_FILES, PORTS_OF_A_PAIR);
  const workers = Math.max(Math.ceil(tried / ofWorker), availableParallelism());
  const origins = [...ground.origins];
  while (origins.length * ofEnd < tried) origins.push(await startOrigin(ground.go, stage));
  const started = await startOurs({ ...ground, origins, workers }, { name: 'many' });
  stage.add(...started.processes);
  const before = await figuresOf(pidsOf(started));
  const droppedBefore = await droppedPackets();
  const loads: { readonly load: Running; readonly n: number }[] = [];
  for (let left = tried, i = 0; left > 0; left -= ofEnd, i++) {
    const n = Math.min(left, ofEnd);
    const args = ['-target', target(started), '-n', String(n), '-source', `127.0.1.${1 + i}`];
    const load = new Running(ground.go.binary, ['load', 'hold', ...args]);
    stage.add(load);
    loads.push({ load, n });
  }
  const held = await Promise.all(
    loads.map(async ({ load }) => {
      const text = await load.wrote(/^\{"error.*\}$/m);
      return JSON.parse(text) as { standing: number; error: string };
    }),
  );
  const standing = held.reduce((sum, h) => sum + h.standing, 0);
  const after = await figuresOf(pidsOf(started));
  const descriptors = await descriptorsOf(pidsOf(started));
  const again = await Promise.all(
    loads.map(async ({ load }) => {
      load.tell('again\n');
      return (JSON.parse(await load.wrote(/^\{"answered.*\}$/m)) as { answered: number }).answered;
    }),
  );
  const answered = again.reduce((sum, n) => sum + n, 0);
  for (const { load } of loads) await load.stop();
  for (const p of started.processes) await p.stop();
  const kibPerConnection = standing === 0 ? Number.NaN : (after.rssKib - before.rssKib) / standing;
  const error = held.find((h) => h.error !== '')?.error ?? '';
  const dropped = (await droppedPackets()) - droppedBefore;
  const limits = why === '' ? [] : [why];
  if (standing < tried) limits.push(`the first that failed: ${error}`);
  if (answered < standing && dropped > 0) limits.push(await lossOf(dropped));
  const limit = limits.join('; ');
  const said = [
    `${standing} of ${tried} connections stood at once through ${workers} workers (${wanted} wanted)`,
    `${answered} of them answered when asked again`,
    `${kibPerConnection.toFixed(1)} KiB of the engine's memory each`,
    `descriptors held a worker: ${descriptors.slice(0, workers).join(', ')}`,
    `what limited it: ${limit === '' ? 'nothing' : limit}`,
  ].join('\n');
  return { wanted, tried, standing, answered, workers, descriptors, kibPerConnection, limit, said };
}

/**
 * The kernel sends the keepalive probes of many idle connections in one burst, and drops what its queue does not hold:
 * probes that are lost often enough end connections that were sound.
 */
async function lossOf(dropped: number): Promise<string> {
  const queue = (await readFile('/proc/sys/net/core/netdev_max_backlog', 'utf8')).trim();
  return `the kernel dropped ${dropped} packets, its queue holds ${queue}: raise net.core.netdev_max_backlog`;
}

/** Of all processors, since the start of the machine. */
async function droppedPackets(): Promise<number> {
  const lines = (await readFile('/proc/net/softnet_stat', 'utf8')).trim().split('\n');
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] ?? '0', 16), 0);
}

function bounded(wanted: number, freeKib: number): { tried: number; why: string } {
  const fits = Math.floor(freeKib / KIB_A_CONNECTION);
  if (fits >= wanted) return { tried: wanted, why: '' };
  return { tried: fits, why: `${Math.floor(freeKib / 1024)} MiB of memory are free` };
}

async function descriptorsOf(pids: readonly number[]): Promise<number[]> {
  const all = await childrenOf(pids);
  const held = await Promise.all(all.map(async (pid) => (await readdir(`/proc/${pid}/fd`)).length));
  return held.sort((a, b) => b - a);
}
