import { once } from 'node:events';
import { watch } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../scripts/demo/process.ts';
import { Prometheus } from '../harness/prometheus.ts';
import { ask, edgeTo, type SlowOrigin, slowOrigin, WatchedFleet } from '../harness/watched-fleet.ts';

// What a master has counted, over its restarts: what REST tells of the time before, and what Prometheus makes of counters
// that went on, and of those that could not.

/** Its master is stopped in good order, then killed. */
let stopped: WatchedFleet;
/** Its master is killed once it has written its figures aside by itself. */
let killed: WatchedFleet;
let writtenAside: Promise<unknown>;
let origin: SlowOrigin;
let prometheus: Prometheus;
let began = 0;

beforeAll(async () => {
  origin = await slowOrigin(20);
  began = Math.floor(Date.now() / 1000);
  [killed, stopped] = await Promise.all([begun(), begun()]);
  await requests(killed, 70);
  await counted(killed, 70);
  writtenAside = renamed(path.join(killed.fleet.dir, 'master'), 'rings');
  const { http } = stopped.fleet.masterReady;
  prometheus = await Prometheus.start(`global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: master
  static_configs: [{targets: ["${http}"]}]
- job_name: node
  metrics_path: /metrics/nodes/hk-1
  static_configs: [{targets: ["${http}"]}]
`);
});
afterAll(async () => {
  await prometheus?.stop();
  await Promise.all([killed?.stop(), stopped?.stop()]);
  await origin?.stop();
});

async function begun(): Promise<WatchedFleet> {
  const f = await WatchedFleet.start(['hk-1']);
  await f.base(edgeTo('base', [origin.port]));
  return f;
}

async function requests(f: WatchedFleet, n: number): Promise<void> {
  const port = f.ports.get('hk-1') ?? 0;
  const client = async (): Promise<void> => {
    for (let i = 0; i < n / 10; i++) expect(await ask(port)).toBe(true);
  };
  await Promise.all(Array.from({ length: 10 }, client));
}

/** A file of this folder is replaced by another that is whole. */
async function renamed(dir: string, name: string): Promise<void> {
  const watcher = watch(dir);
  try {
    for (;;) {
      const [kind, of] = (await once(watcher, 'change')) as [string, string];
      if (kind === 'rename' && of === name) return;
    }
  } finally {
    watcher.close();
  }
}

interface Histogram {
  readonly le_ms: readonly number[];
  readonly count: readonly number[];
}
interface Point {
  readonly at: string;
  readonly requests: number | null;
  readonly bytes_out: number | null;
  readonly ttft_p95_ms: number | null;
  readonly buckets: { readonly ttft: Histogram; readonly connect: Histogram } | null;
}
/** By REST, since this test began: of the node and of its region, minute by minute, what does not change any more. */
async function told(f: WatchedFleet): Promise<{ node: readonly Point[]; region: readonly Point[] }> {
  const range = `start=${began}&end=${Math.ceil(Date.now() / 1000)}&step=1m&buckets=true`;
  const histogram = ({ le_ms, count }: Histogram): Histogram => ({ le_ms, count });
  const points = async (where: string): Promise<readonly Point[]> => {
    const { body } = await f.call('GET', `/metrics/${where}${range}`);
    return (body as { range: { points: Point[] } }).range.points
      .filter((p) => (p.requests ?? 0) > 0)
      .map(({ at, requests, bytes_out, ttft_p95_ms, buckets: b }) => ({
        ...{ at, requests, bytes_out, ttft_p95_ms },
        buckets: b && { ttft: histogram(b.ttft), connect: histogram(b.connect) },
      }));
  };
  return { node: await points('nodes/hk-1?'), region: await points('aggregate?region=hk&') };
}
const sum = (points: readonly Point[]): number => points.reduce((n, p) => n + (p.requests ?? 0), 0);

async function counted(f: WatchedFleet, n: number): Promise<void> {
  let seen: object = {};
  await until(
    `${n} requests by REST`,
    30_000,
    async () => {
      const now = await told(f);
      seen = now;
      return sum(now.node) === n && sum(now.region) === n ? true : null;
    },
    () => JSON.stringify(seen),
  );
}

const REQUESTS = 'ai_cdn_requests_total{service="chat"}';
/** Of everything that only grows: how often Prometheus takes one for begun anew. */
async function begunAnew(): Promise<Readonly<Record<string, number>>> {
  const all = '{__name__=~"ai_cdn_.+_(total|bucket|count|sum)",__name__!="ai_cdn_nodes_total"}';
  const names = (await prometheus.query(`group by (__name__) (${all})`)).map(
    (s) => s.metric['__name__'] ?? '',
  );
  const most = names.map(async (n) => [n, await prometheus.number(`max(resets(${n}[10m]))`)] as const);
  return Object.fromEntries(await Promise.all(most));
}
/** Both jobs have it so. */
async function scraped(n: number): Promise<void> {
  await prometheus.until(
    () => prometheus.query(`${REQUESTS} == ${n}`),
    (s) => s.length === 2,
  );
}

it('stopped in good order it goes on where it was: nothing is missing and no counter begins anew', async () => {
  await requests(stopped, 300);
  await counted(stopped, 300);
  await scraped(300);
  const before = await told(stopped);
  await stopped.again('SIGTERM');
  expect(await told(stopped)).toEqual(before);
  await stopped.fleet.inSync(['hk-1']);
  await requests(stopped, 60);
  await counted(stopped, 360);
  await scraped(360);
  const anew = await begunAnew();
  expect(Object.keys(anew).length).toBeGreaterThan(15);
  expect(Object.entries(anew).filter(([, n]) => n !== 0)).toEqual([]);
});

it('killed, it has what was written aside, and its counters begin anew: no rate counts anything twice', async () => {
  const since = Math.ceil(Date.now() / 1000);
  await stopped.again('SIGKILL');
  const { node, region } = await told(stopped);
  expect([sum(node), sum(region)]).toEqual([300, 300]);
  await stopped.fleet.inSync(['hk-1']);
  await requests(stopped, 30);
  await counted(stopped, 330);
  await scraped(30);
  const series = await prometheus.query(`resets(${REQUESTS}[10m])`);
  expect(series.map((s) => Number(s.value[1]))).toEqual([1, 1]);
  // Thirty answers in a minute, give or take what is added at the ends of the time; not three hundred more.
  const seconds = Math.ceil(Date.now() / 1000) - since;
  for (const what of [REQUESTS, 'ai_cdn_ttft_seconds_count', 'ai_cdn_connect_seconds_bucket{le="+Inf"}']) {
    const grown = await prometheus.query(`increase(${what}[${seconds}s])`);
    expect(grown.map((s) => Number(s.value[1]) < 60)).toEqual([true, true]);
  }
});

it('killed after it has written its figures aside by itself, it has them again', async () => {
  await writtenAside;
  const before = await told(killed);
  expect([sum(before.node), sum(before.region)]).toEqual([70, 70]);
  await killed.again('SIGKILL');
  expect(await told(killed)).toEqual(before);
});
