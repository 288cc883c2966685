import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { BUCKETS_MS, bucketOf } from '../../proto/vocab/metrics.ts';
import { latency, reportOf, seeded, sliceOf } from '../fakes/traffic.ts';
import { numberOf, Prometheus } from '../harness/prometheus.ts';
import { RestMaster } from '../harness/rest-master.ts';

// A Prometheus as Debian has it finds twenty nodes by http_sd, scrapes each and the master, and its histogram_quantile is
// held against the samples themselves.

const NODES = 20;
const REPORTS = 6;
const kinds = ['ttft', 'gap', 'connect'] as const;
const families = { ttft: 'ttft_seconds', gap: 'chunk_gap_seconds', connect: 'connect_seconds' } as const;

let dir: string;
let rest: RestMaster;
let prometheus: Prometheus;
const raw = { ttft: [] as number[], gap: [] as number[], connect: [] as number[] };
const ofOne = { ttft: [] as number[], gap: [] as number[], connect: [] as number[] };
const ONE = 'hk-3';

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'aicdn-prometheus-'));
  rest = await RestMaster.start();
  const { master } = rest;
  const names = Array.from({ length: NODES }, (_, i) => `${i % 2 === 0 ? 'sg' : 'hk'}-${i}`);
  for (const name of names) await master.join(name, { rack: 'r1' }, { region: name.slice(0, 2) });
  const random = seeded(5);
  for (let r = 0; r < REPORTS; r++) {
    master.now += 10_000;
    names.forEach((name, i) => {
      const slow = i % 6 === 0 ? 5 : 1;
      const many = (of: (typeof kinds)[number], n: number, median: number, spread: number): number[] => {
        const values = Array.from({ length: n }, () => latency(random, median, spread));
        raw[of].push(...values);
        if (name === ONE) ofOne[of].push(...values);
        return values;
      };
      const samples = {
        ttft: many('ttft', 5 + i, 350 * slow, 0.7),
        gap: many('gap', 60, 22, 0.9),
        connect: many('connect', 4, 14 * slow, 0.6),
      };
      const told = { streams: i, opened: 4, abortedTunnel: i === 3 ? 1 : 0, bytesOut: 1000 };
      master.services.agents.metrics(name as NodeName, reportOf([sliceOf('chat', samples, told)]));
    });
  }
  prometheus = await Prometheus.start(settings(await keyFile()));
});

afterAll(async () => {
  await prometheus?.stop();
  await rest?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function keyFile(): Promise<string> {
  await rest.key('prometheus', 'viewer', ['metrics.read']);
  const file = path.join(dir, 'key');
  await writeFile(file, rest.keys.get('prometheus') ?? '', { mode: 0o600 });
  return file;
}

/** That of Debian 12 (2.42) has no usual type of authorization in http_sd_configs: it has to be said there. */
function settings(key: string): string {
  const { host } = new URL(rest.base);
  return `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: ai-cdn
  authorization: {credentials_file: ${key}}
  static_configs: [{targets: ["${host}"]}]
- job_name: ai-cdn-nodes
  authorization: {credentials_file: ${key}}
  relabel_configs: [{source_labels: [__meta_ai_cdn_label_rack], target_label: rack}]
  http_sd_configs:
  - url: ${rest.base}/api/v1/prometheus/sd
    refresh_interval: 1s
    authorization: {type: Bearer, credentials_file: ${key}}
`;
}

/** The sample that so many are not above lies in the bucket that Prometheus reads. */
function expectExact(told: number, samples: readonly number[], q: number): void {
  const sorted = [...samples].sort((a, b) => a - b);
  const bucket = bucketOf(sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] as number);
  const edge = (i: number): number => (i < 0 ? 0 : (BUCKETS_MS[i] ?? Number.POSITIVE_INFINITY) / 1000);
  // Bounds are told with six digits.
  expect(told).toBeGreaterThan(edge(bucket - 1) * 0.99999);
  expect(told).toBeLessThan(edge(bucket) * 1.00001);
}

it('finds twenty nodes, scrapes each, and they are told apart by name, region, type and labels', async () => {
  const up = await prometheus.until(
    () => prometheus.query('up{job="ai-cdn-nodes"} == 1'),
    (s) => s.length >= NODES,
  );
  expect(up).toHaveLength(NODES);
  const one = up.find((s) => s.metric['instance'] === ONE)?.metric;
  expect(one).toMatchObject({ node: ONE, region: 'hk', type: 'edge', rack: 'r1' });
  expect((await prometheus.targets()).map((t) => t.lastError).filter((e) => e !== '')).toEqual([]);
});

it.each(kinds)('%s: its quantiles over all nodes are those of the samples, to the bucket', async (of) => {
  const count = await prometheus.until(
    () => prometheus.query(`sum(ai_cdn_${families[of]}_count{job="ai-cdn-nodes"})`),
    (s) => numberOf(s) >= raw[of].length,
  );
  expect(numberOf(count)).toBe(raw[of].length);
  for (const q of [0.5, 0.95, 0.99]) {
    const buckets = `ai_cdn_${families[of]}_bucket`;
    const fromNodes = await prometheus.query(
      `histogram_quantile(${q}, sum by (le) (${buckets}{job="ai-cdn-nodes"}))`,
    );
    expectExact(numberOf(fromNodes), raw[of], q);
    const one = await prometheus.query(`histogram_quantile(${q}, ${buckets}{node="${ONE}"})`);
    expectExact(numberOf(one), ofOne[of], q);
    const fromMaster = await prometheus.until(
      () => prometheus.query(`histogram_quantile(${q}, sum by (le) (${buckets}{job="ai-cdn",type="edge"}))`),
      (s) => s.length > 0,
    );
    expect(numberOf(fromMaster)).toBeCloseTo(numberOf(fromNodes), 9);
  }
});

it('counters are as they were counted', async () => {
  expect(numberOf(await prometheus.query(`ai_cdn_streams_aborted_total{node="${ONE}",by="tunnel"}`))).toBe(
    REPORTS,
  );
  expect(numberOf(await prometheus.query('sum(ai_cdn_sent_bytes_total{job="ai-cdn"})'))).toBe(
    NODES * REPORTS * 1000,
  );
  expect(numberOf(await prometheus.query('sum(ai_cdn_nodes_total{region="hk"})'))).toBe(NODES / 2);
});

// A name that dashboards of before know, and prom-client's own: promtool would call them otherwise, and reads them.
const KNOWN =
  /^(?:ai_cdn_nodes_total|nodejs_active_\w+_total) non-counter metrics should not have "_total" suffix$/;

it.each(['/metrics', `/metrics/nodes/${ONE}`])('promtool reads %s and finds no fault with it', async (at) => {
  const text = await (await fetch(`${rest.base}${at}`)).text();
  expect(text).toContain('ai_cdn_ttft_seconds_bucket');
  const { stderr, stdout, status } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  const faults = `${stdout}${stderr}`.split('\n').filter((l) => l !== '' && !KNOWN.test(l));
  expect(faults).toEqual([]);
  // 3: names; 1: it cannot be read.
  expect([0, 3]).toContain(status);
});
