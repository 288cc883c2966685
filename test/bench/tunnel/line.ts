import { access, constants } from 'node:fs/promises';
import { execa } from 'execa';
import { startBareEngine } from '../../harness/bare-engine.ts';
import type { Running } from '../../harness/running.ts';
import { type Transport, transportFlags, transportYaml } from '../../harness/transports.ts';
import type { Sample } from './measures.ts';
import { filled, type Ground, hasTool, ownDir } from './peers.ts';
import { LINE_COLUMNS, tableOf } from './report.ts';
import type { Stage } from './stage.ts';

const DELAY_MS = 30;
const MBIT = 200;
/** Twice what is on its way at that rate. */
const QUEUE_BYTES = (2 * MBIT * 1e6 * 2 * DELAY_MS) / 1000 / 8;
const LOSSES = [0, 0.01];
const FAR = '10.77.0.2';
const STREAMS = { n: 100, rate: 20, seconds: 5 };

interface Hosts {
  /** Commands that start another in the network of the host. */
  readonly edge: readonly string[];
  readonly core: readonly string[];
  readonly origin: number;
}

interface Pair {
  readonly port: number;
  readonly processes: readonly Running[];
}

interface LinePeer {
  readonly name: string;
  start(ground: Ground, hosts: Hosts, core: number): Promise<Pair>;
}

const LINE_PEERS: readonly LinePeer[] = [
  { name: 'go smux, 4 connections', start: goPair },
  { name: 'ours tls', start: (ground, hosts, core) => ourPair(ground, hosts, { t: 'tls', core }) },
  ...[1, 4, 8].map(
    (connections): LinePeer => ({
      name: `ours mtls, ${connections} connection${connections === 1 ? '' : 's'}`,
      start: (ground, hosts, core) => ourPair(ground, hosts, { t: 'mtls', core, connections }),
    }),
  ),
];

export interface LineResults {
  readonly said: string;
  /** loss -> peer -> figures */
  readonly results: Readonly<Record<string, Readonly<Record<string, Sample>>>>;
}

/**
 * Edge and core on hosts of their own (network namespaces, removed afterwards), with a line between them that delays,
 * and loses packets: what of TCP's own troubles reaches a stream.
 */
export async function measureLine(ground: Ground, stage: Stage): Promise<LineResults> {
  const why = await whyNot();
  if (why !== null) {
    process.stderr.write(`bench: without the line with delay and loss: ${why}\n`);
    return { said: `Without the line with delay and loss: ${why}.`, results: {} };
  }
  const [near, far] = await makeHosts(stage);
  const within = (name: string): string[] => ['ip', 'netns', 'exec', name];
  const origin = await ground.go.startWithin(within(far), 'origin');
  stage.add(origin);
  const hosts: Hosts = { edge: within(near), core: within(far), origin: origin.port };
  const results: Record<string, Record<string, Sample>> = {};
  const tables: string[] = [];
  let port = 20_000;
  for (const loss of LOSSES) {
    const link = await startLink(ground, { near, far, loss });
    stage.add(link);
    const rows = new Map<string, Map<string, Sample[]>>();
    for (const peer of LINE_PEERS) {
      if (stage.closing) throw new Error('stopped');
      process.stderr.write(`line, ${loss * 100} % loss: ${peer.name}\n`);
      port += 1;
      const sample = await measured(peer, ground, { hosts, port, stage });
      results[`loss ${loss}`] = { ...results[`loss ${loss}`], [peer.name]: sample };
      rows.set(peer.name, new Map([['line', [sample]]]));
    }
    await link.finish();
    const title = `**${2 * DELAY_MS} ms there and back, ${MBIT} Mbit/s, ${loss * 100} % loss**`;
    tables.push(`${title}\n\n${tableOf(rows, LINE_COLUMNS) ?? ''}`);
  }
  return { said: tables.join('\n\n'), results };
}

async function whyNot(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  if (!(await hasTool('ip'))) return 'ip is not on PATH; apt-get install iproute2';
  const tun = await access('/dev/net/tun', constants.R_OK | constants.W_OK).catch(() => 'none');
  return tun === 'none' ? '/dev/net/tun is not there' : null;
}

async function makeHosts(stage: Stage): Promise<readonly [string, string]> {
  const names = [`aicdn-edge-${process.pid}`, `aicdn-core-${process.pid}`] as const;
  for (const name of names) {
    await execa('ip', ['netns', 'add', name]);
    stage.add({ stop: () => execa('ip', ['netns', 'del', name], { reject: false }) });
    await execa('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  }
  return names;
}

async function startLink(
  { go }: Ground,
  { near, far, loss }: { near: string; far: string; loss: number },
): Promise<Running> {
  const how = ['-delay', `${DELAY_MS}ms`, '-loss', loss, '-rate', MBIT * 1e6, '-queue', QUEUE_BYTES].map(
    String,
  );
  return go.start('link', '-a', near, '-b', far, '-addr-a', '10.77.0.1/30', '-addr-b', `${FAR}/30`, ...how);
}

async function measured(
  peer: LinePeer,
  ground: Ground,
  { hosts, port, stage }: { hosts: Hosts; port: number; stage: Stage },
): Promise<Sample> {
  try {
    const pair = await peer.start(ground, hosts, port);
    stage.add(...pair.processes);
    try {
      return await loads(ground, hosts, pair.port);
    } finally {
      for (const p of pair.processes) await p.stop();
    }
  } catch (e) {
    process.stderr.write(`bench: line, ${peer.name}: ${e instanceof Error ? e.message : String(e)}\n`);
    return {};
  }
}

async function loads({ go }: Ground, { edge }: Hosts, port: number): Promise<Sample> {
  const [program = '', ...words] = edge;
  const load = async <T>(kind: string, ...args: readonly (string | number)[]): Promise<T> => {
    const flags = ['load', kind, '-target', `127.0.0.1:${port}`, ...args.map(String)];
    const { stdout } = await execa(program, [...words, go.binary, ...flags], { timeout: 60_000 });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
  };
  type Quantiles = { p50_ms: number | null; p99_ms: number | null; failed: number };
  await load('ask', '-n', 8, '-seconds', 2);
  const { n, rate, seconds } = STREAMS;
  const sse = await load<Quantiles>('sse', '-n', n, '-rate', rate, '-seconds', seconds);
  const first = await load<Quantiles>('first', '-n', 30);
  const bulk = await load<{ bytes: number; seconds: number; failed: number }>('bulk', '-n', 4, '-seconds', 6);
  return {
    addedP50Ms: (sse.p50_ms ?? Number.NaN) - DELAY_MS,
    addedP99Ms: (sse.p99_ms ?? Number.NaN) - DELAY_MS,
    firstP50Ms: first.p50_ms ?? Number.NaN,
    firstP99Ms: first.p99_ms ?? Number.NaN,
    mbPerSecond: bulk.bytes / 1e6 / bulk.seconds,
    failed: sse.failed + first.failed + bulk.failed,
  };
}

async function goPair({ go, tls }: Ground, hosts: Hosts, core: number): Promise<Pair> {
  const flags = transportFlags('mtls', { tls, mux: 2 });
  const at = `${FAR}:${core}`;
  const far = await go.startWithin(
    hosts.core,
    ...['core', '-listen', at, '-target', `127.0.0.1:${hosts.origin}`, ...flags],
  );
  const near = await go.startWithin(hosts.edge, 'edge', '-dial', at, '-conns', '4', ...flags);
  return { port: near.port, processes: [near, far] };
}

/** One worker each, so that there are as many connections as are said. */
async function ourPair(
  ground: Ground,
  hosts: Hosts,
  way: { t: Transport; core: number; connections?: number },
): Promise<Pair> {
  const { t, core, connections } = way;
  const side = {
    tls: ground.tls,
    serverName: 'peer.test',
    ...(connections === undefined ? {} : { connections }),
  };
  const port = core + 1_000;
  const { origin } = hosts;
  const far = await startBareEngine({
    dir: await ownDir(ground, `line-core-${core}`),
    document: await filled('core.yml', {
      ...{ at: FAR, port: core, origin, listener: transportYaml('listener', t, side) },
    }),
    ...{ workers: 1, within: hosts.core },
  });
  const near = await startBareEngine({
    dir: await ownDir(ground, `line-edge-${core}`),
    document: await filled('edge.yml', {
      ...{ port, core: `${FAR}:${core}`, dialer: transportYaml('dialer', t, side) },
    }),
    ...{ workers: 1, within: hosts.edge },
  });
  return { port, processes: [near, far] };
}
