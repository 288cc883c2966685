import { execa } from 'execa';
import type { GoPeer } from '../../harness/go-peer.ts';
import { Running } from '../../harness/running.ts';
import { figuresOf } from './figures.ts';
import type { Started } from './peers.ts';

const HOST = '127.0.0.1';

/** What one run of one measure says; units are in the names. */
export type Sample = Readonly<Record<string, number>>;

export interface Measure {
  readonly name: string;
  readonly tool: { readonly command: string; readonly apt: string } | null;
  run(peer: Started, go: GoPeer): Promise<Sample>;
}

export interface Effort {
  readonly rounds: number;
  readonly rpsSeconds: number;
  readonly connectionSeconds: number;
  readonly bulkSeconds: number;
  readonly streams: readonly number[];
  readonly streamSeconds: number;
  readonly idle: number;
  /** 0: not tried. */
  readonly many: number;
}

const WRK = { command: 'wrk', apt: 'apt-get install wrk' };
const EVENTS_A_SECOND = 20;

export function measuresOf(effort: Effort): readonly Measure[] {
  return [
    { name: 'rps', tool: WRK, run: (peer) => wrk(peer, effort.rpsSeconds, []) },
    {
      name: 'connections',
      tool: WRK,
      run: (peer) => wrk(peer, effort.connectionSeconds, ['-H', 'Connection: close']),
    },
    { name: 'bulk', tool: null, run: (peer, go) => bulk(peer, go, effort.bulkSeconds) },
    ...effort.streams.map(
      (n): Measure => ({
        name: `sse ${n}`,
        tool: null,
        run: (peer, go) => events(peer, go, { n, seconds: effort.streamSeconds }),
      }),
    ),
  ];
}

/** 64 clients that ask again as soon as they are answered: requests/s and processor time a request. */
async function wrk(peer: Started, seconds: number, more: readonly string[]): Promise<Sample> {
  const args = ['-t1', '-c64', `-d${seconds}s`, ...more, `http://${HOST}:${peer.port}/`];
  const { text, cpu } = await during(peer, 'wrk', args, seconds);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0);
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  // Answered and closed is an end to wrk's taste as it is to ours; only what was never connected or answered counts.
  const failed = errors === null ? 0 : Number(errors[1]) + Number(errors[3]) + Number(errors[4]);
  return { perSecond, failed, cpuUs: requests === 0 ? 0 : (cpu * 1e6) / requests };
}

async function bulk(peer: Started, go: GoPeer, seconds: number): Promise<Sample> {
  const args = ['load', 'bulk', '-target', target(peer), '-n', '4', '-seconds', String(seconds)];
  const { text, cpu } = await during(peer, go.binary, args, seconds);
  const said = JSON.parse(text) as { bytes: number; seconds: number; failed: number };
  const mb = said.bytes / 1e6;
  return { mbPerSecond: mb / said.seconds, failed: said.failed, cpuUsPerMb: mb === 0 ? 0 : (cpu * 1e6) / mb };
}

/** How old an event is when it arrives: the way there through the machine as it is, not the added part alone. */
async function events(
  peer: Started,
  go: GoPeer,
  { n, seconds }: { n: number; seconds: number },
): Promise<Sample> {
  const shape = ['-n', n, '-rate', EVENTS_A_SECOND, '-seconds', seconds].map(String);
  const args = ['load', 'sse', '-target', target(peer), ...shape];
  const { text, cpu } = await during(peer, go.binary, args, seconds);
  const said = JSON.parse(text) as { p50_ms: number; p99_ms: number; failed: number };
  const events = n * EVENTS_A_SECOND * seconds;
  return { p50Ms: said.p50_ms, p99Ms: said.p99_ms, failed: said.failed, cpuUs: (cpu * 1e6) / events };
}

/** Memory a connection that has had one answer and stays, and how many of them stand. */
export async function idle(peer: Started, go: GoPeer, n: number): Promise<Sample> {
  // What the first connections of all bring into memory does not belong to a connection.
  await held(peer, go, 200, async () => undefined);
  const before = await figuresOf(pidsOf(peer));
  let after = before;
  const said = await held(peer, go, n, async () => {
    after = await figuresOf(pidsOf(peer));
  });
  if (said.error !== '') process.stderr.write(`bench: a connection failed: ${said.error}\n`);
  const kib = said.standing === 0 ? 0 : (after.rssKib - before.rssKib) / said.standing;
  return { kibPerConnection: kib, standing: said.standing, failed: n - said.standing };
}

async function held(
  peer: Started,
  go: GoPeer,
  n: number,
  look: () => Promise<void>,
): Promise<{ standing: number; error: string }> {
  const load = new Running(go.binary, ['load', 'hold', '-target', target(peer), '-n', String(n)]);
  try {
    const said = JSON.parse(await load.wrote(/^\{.*\}$/m)) as { standing: number; error: string };
    await look();
    await load.finish();
    return said;
  } finally {
    await load.stop();
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
  return { text: stdout, cpu: after.cpuSeconds - before.cpuSeconds };
}

function pidsOf(peer: Started): number[] {
  return peer.processes.map((p) => p.pid);
}

function target(peer: Started): string {
  return `${HOST}:${peer.port}`;
}
