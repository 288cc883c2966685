import { execa } from 'execa';
import type { GoPeer } from '../../harness/go-peer.ts';
import { Running } from '../../harness/running.ts';
import type { Effort } from './effort.ts';
import { figuresOf } from './figures.ts';
import type { Started } from './peers.ts';
import { readWrk } from './wrk-output.ts';

const HOST = '127.0.0.1';

/** What one run of one measure says; units are in the names. */
export type Sample = Readonly<Record<string, number>>;

export interface Measure {
  readonly name: string;
  readonly tool: { readonly command: string; readonly apt: string } | null;
  /** It is of those that end TLS. */
  readonly tls: boolean;
  run(peer: Started, go: GoPeer): Promise<Sample>;
}

const WRK = { command: 'wrk', apt: 'apt-get install wrk' };
const EVENTS_A_SECOND = 20;

export function measuresOf(effort: Effort): readonly Measure[] {
  const { rpsSeconds, connectionSeconds, tlsSeconds, bulkSeconds, streams, streamSeconds } = effort;
  const clear = { tls: false };
  return [
    { ...clear, name: 'rps', tool: WRK, run: (peer) => wrk(peer, rpsSeconds, [url(peer)]) },
    {
      ...clear,
      name: 'connections',
      tool: WRK,
      run: (peer) => wrk(peer, connectionSeconds, ['-H', 'Connection: close', url(peer)]),
    },
    {
      name: 'tls rps',
      tool: WRK,
      tls: true,
      run: (peer) => wrk(peer, tlsSeconds, [`https://${HOST}:${peer.tlsPort}/`]),
    },
    { name: 'tls handshakes', tool: null, tls: true, run: (peer, go) => handshakes(peer, go, tlsSeconds) },
    { ...clear, name: 'bulk', tool: null, run: (peer, go) => bulk(peer, go, bulkSeconds) },
    ...streams.map(
      (n): Measure => ({
        ...clear,
        name: `sse ${n}`,
        tool: null,
        run: (peer, go) => events(peer, go, { n, seconds: streamSeconds }),
      }),
    ),
  ];
}

/** Requests that nobody times: a JIT needs them, the others do not mind. */
export async function warm(peer: Started, go: GoPeer, seconds: number): Promise<void> {
  const ask = ['load', 'ask', '-n', '64', '-seconds', String(seconds)];
  await execa(go.binary, [...ask, '-target', target(peer)]);
  if (peer.tlsPort !== null) await execa(go.binary, [...ask, '-tls', '-target', `${HOST}:${peer.tlsPort}`]);
}

/** 64 clients that ask again as soon as they are answered: requests/s and processor time a request. */
async function wrk(peer: Started, seconds: number, what: readonly string[]): Promise<Sample> {
  const args = ['-t1', '-c64', `-d${seconds}s`, '--latency', ...what];
  const { text, cpu } = await during(peer, 'wrk', args, seconds);
  const { perSecond, requests, p99Ms, failed } = readWrk(text);
  return { perSecond, p99Ms, failed, cpuUs: each(cpu, requests) };
}

async function bulk(peer: Started, go: GoPeer, seconds: number): Promise<Sample> {
  const args = ['load', 'bulk', '-target', target(peer), '-n', '4', '-seconds', String(seconds)];
  const { text, cpu } = await during(peer, go.binary, args, seconds);
  const said = JSON.parse(text) as { bytes: number; seconds: number; failed: number };
  const mb = said.bytes / 1e6;
  return { mbPerSecond: mb / said.seconds, failed: said.failed, cpuUsPerMb: each(cpu, mb) };
}

/** New connections over TLS 1.3, none resumed, each with one small answer. */
async function handshakes(peer: Started, go: GoPeer, seconds: number): Promise<Sample> {
  const shape = ['-tls', '-n', '32', '-seconds', String(seconds)];
  const args = ['load', 'shake', '-target', `${HOST}:${peer.tlsPort}`, ...shape];
  const { text, cpu } = await during(peer, go.binary, args, seconds);
  const said = JSON.parse(text) as { connections: number; seconds: number; failed: number };
  const perSecond = said.connections / said.seconds;
  return { perSecond, failed: said.failed, cpuUs: each(cpu, said.connections) };
}

/**
 * How old an event is when it arrives: the way there through the machine as it is. What is added is the difference
 * to `direct` of the same round. `cores` is of the time in which all streams stand.
 */
async function events(
  peer: Started,
  go: GoPeer,
  { n, seconds }: { n: number; seconds: number },
): Promise<Sample> {
  const shape = ['-n', n, '-rate', EVENTS_A_SECOND, '-seconds', seconds].map(String);
  const load = new Running(go.binary, ['load', 'sse', '-target', target(peer), ...shape]);
  try {
    const figures = async () => ({ cpu: (await figuresOf(pidsOf(peer))).cpuSeconds, at: performance.now() });
    // Streams that fail never stand: then the last of them says so.
    await load.wrote(/"standing"|"chunks"/);
    const before = await figures();
    const late = /"ending"/.test(load.text);
    await load.wrote(/"ending"|"chunks"/);
    const after = await figures();
    const text = await load.wrote(/^\{"chunks.*\}$/m);
    const said = JSON.parse(text) as { p50_ms: number | null; p99_ms: number | null; failed: number };
    const cores = late ? Number.NaN : (after.cpu - before.cpu) / ((after.at - before.at) / 1000);
    return {
      p50Ms: said.p50_ms ?? Number.NaN,
      p99Ms: said.p99_ms ?? Number.NaN,
      failed: said.failed,
      ...(peer.processes.length === 0 ? {} : { cores, cpuUs: (cores * 1e6) / (n * EVENTS_A_SECOND) }),
    };
  } finally {
    await load.stop();
  }
}

/**
 * Memory a connection that has had one answer and stays: the slope between few of them and more, so that what the
 * first ones bring into memory for all does not count as theirs.
 */
export async function idle(
  peer: Started,
  go: GoPeer,
  [few, more]: readonly [number, number],
): Promise<Sample> {
  const loads: Running[] = [];
  const hold = async (n: number): Promise<number> => {
    const load = new Running(go.binary, ['load', 'hold', '-target', target(peer), '-n', String(n)]);
    loads.push(load);
    const said = JSON.parse(await load.wrote(/^\{.*\}$/m)) as { standing: number; error: string };
    if (said.error !== '') process.stderr.write(`bench: a connection failed: ${said.error}\n`);
    return said.standing;
  };
  try {
    let standing = await hold(few);
    const before = await figuresOf(pidsOf(peer));
    const added = await hold(more - few);
    const after = await figuresOf(pidsOf(peer));
    standing += added;
    const kib = added === 0 ? Number.NaN : (after.rssKib - before.rssKib) / added;
    return { kibPerConnection: kib, standing, failed: more - standing };
  } finally {
    await Promise.all(loads.map((l) => l.stop()));
  }
}

async function during(
  peer: Started,
  file: string,
  args: readonly string[],
  seconds: number,
): Promise<{ text: string; cpu: number }> {
  const before = await figuresOf(pidsOf(peer));
  const { stdout } = await execa(file, args, { timeout: (seconds + 30) * 1000 });
  const after = await figuresOf(pidsOf(peer));
  const cpu = peer.processes.length === 0 ? Number.NaN : after.cpuSeconds - before.cpuSeconds;
  return { text: stdout, cpu };
}

/** Processor microseconds of each of so many. */
function each(cpuSeconds: number, n: number): number {
  return n === 0 ? Number.NaN : (cpuSeconds * 1e6) / n;
}

export function pidsOf(peer: Started): number[] {
  return peer.processes.map((p) => p.pid);
}

function url(peer: Started): string {
  return `http://${target(peer)}/`;
}

export function target(peer: Started): string {
  return `${HOST}:${peer.port}`;
}
