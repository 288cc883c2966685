import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { ROOT, until } from '../../scripts/demo/process.ts';
import { Running } from '../harness/running.ts';

// config/prometheus by the programs that read it, and against what a real master tells.

const DIR = path.join(ROOT, 'config/prometheus');
const at = (name: string): string => path.join(DIR, name);

/** Ten requests a second, a fiftieth of them cut by somebody. */
const ABORTED = (by: string): Record<string, string> => ({
  'ai_cdn_requests_total{region="hk",type="edge",service="s"}': '0+150x60',
  [`ai_cdn_streams_aborted_total{region="hk",type="edge",service="s",by="${by}"}`]: '0+3x60',
});

/** Everything in one bucket of each histogram, in another after an hour; in seconds. */
function QUANTILES(ttft: string, ttftBefore: string, gap: string, gapBefore: string): Record<string, string> {
  const of = (name: string, now: string, before: string): Record<string, string> =>
    Object.fromEntries(
      [...new Set([now, before, '+Inf'])].map((le) => {
        const counts = (bound: string): string => (le === '+Inf' || Number(bound) <= Number(le) ? '10' : '0');
        const first = counts(before);
        const end = Number(first) * 240;
        return [
          `ai_cdn_${name}_bucket{region="hk",type="edge",le="${le}"}`,
          `0+${first}x240 ${end}+${counts(now)}x60`,
        ];
      }),
    );
  return { ...of('ttft_seconds', ttft, ttftBefore), ...of('chunk_gap_seconds', gap, gapBefore) };
}

let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ clients: 1 });
});
afterAll(() => fleet?.stop());

describe('what is shipped', () => {
  it('promtool accepts the settings and the rules, amtool the receivers', async () => {
    const config = await execa('promtool', ['check', 'config', at('prometheus.yml')], { all: true });
    expect(config.all).toMatch(/SUCCESS: .*prometheus.yml is valid/);
    expect(config.all).toMatch(/SUCCESS: 16 rules found/);
    // The job that stands there commented out, with its marks taken away.
    const more = readFileSync(at('prometheus.yml'), 'utf8').replace(
      /^ {2}# - job_name: ai-cdn-nodes\n(?: {2}# .*\n)+/m,
      (block) => block.replace(/^ {2}# /gm, '  '),
    );
    expect(parse(more).scrape_configs).toHaveLength(3);
    const file = path.join(fleet.dir, 'more.yml');
    const key = path.join(fleet.dir, 'key');
    writeFileSync(key, 'k', { mode: 0o600 });
    writeFileSync(file, more.replaceAll('/etc/prometheus/ai-cdn.key', key));
    writeFileSync(path.join(fleet.dir, 'rules.yml'), readFileSync(at('rules.yml')));
    expect((await execa('promtool', ['check', 'config', file], { all: true })).all).toMatch(
      /SUCCESS: .*more.yml/,
    );
    const alertmanager = await execa('amtool', ['check-config', at('alertmanager.yml')], { all: true });
    expect(alertmanager.all).toMatch(/SUCCESS/);
  });

  it('every rule says what to do, and how bad it is', () => {
    const { groups } = parse(readFileSync(at('rules.yml'), 'utf8')) as {
      groups: { rules: { alert: string; for: string; labels: object; annotations: object }[] }[];
    };
    const rules = groups.flatMap((g) => g.rules);
    for (const r of rules) {
      expect(Object.keys(r.annotations), r.alert).toEqual(['summary', 'do']);
      expect(r.labels).toMatchObject({ severity: expect.stringMatching(/^(critical|warning)$/) });
      expect(r.for).toMatch(/^\d+(s|m)$/);
    }
    expect(rules).toHaveLength(16);
  });

  it('every name in a rule is one that a master has, and promtool finds no fault with those', async () => {
    const read = async (path: string) => (await fetch(`http://${fleet.masterReady.http}${path}`)).text();
    const used = new Set(
      [...readFileSync(at('rules.yml'), 'utf8').matchAll(/\bai_cdn_\w+/g)].map((m) => m[0]),
    );
    // Also of what has no sample yet; of a node only what it has told.
    const has = async (): Promise<Set<string>> =>
      new Set(
        [
          ...`${await read('/metrics')}\n${await read('/metrics/nodes/hk-1')}`.matchAll(
            /^# TYPE (ai_cdn_\w+) (\w+)$/gm,
          ),
        ].flatMap(([, name = '', type]) =>
          type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
        ),
      );
    let missing = [''];
    await until(
      'a master that has them all',
      20_000,
      async () => {
        const known = await has();
        missing = [...used].filter((name) => !known.has(name));
        return missing.length === 0 ? true : null;
      },
      () => missing.join(' '),
    );
    expect(used.size).toBeGreaterThan(15);
    const text = await read('/metrics');
    const check = await execa('promtool', ['check', 'metrics'], { input: text, reject: false, all: true });
    const ours = check.all.split('\n').filter((l) => l.startsWith('ai_cdn_'));
    // nodes_total is the original's name for what Prometheus would not call a total.
    expect(ours.filter((l) => !l.startsWith('ai_cdn_nodes_total'))).toEqual([]);
  });

  // Each rule over made-up series, by Prometheus' own evaluation.
  it.each<[string, Record<string, string>, string, string | null]>([
    ['MasterDown', { 'up{job="ai-cdn-master",instance="m"}': '0x10' }, '1m15s', 'critical'],
    ['MasterDown', { 'up{job="ai-cdn-master",instance="m"}': '1x10' }, '5m', null],
    ['MasterDegraded', { ai_cdn_degraded: '1x10' }, '1m15s', 'critical'],
    [
      'FleetAlertsFiring',
      { 'ai_cdn_alerts_firing{severity="critical",state="active"}': '2x20' },
      '2m15s',
      'warning',
    ],
    [
      'FleetAlertsFiring',
      {
        'ai_cdn_alerts_firing{severity="critical",state="active"}': '0x20',
        'ai_cdn_alerts_firing{severity="critical",state="suppressed"}': '2x20',
      },
      '5m',
      null,
    ],
    ['NodesDown', { 'ai_cdn_nodes_status{status="down"}': '1x10' }, '1m15s', 'critical'],
    ['NodesDown', { 'ai_cdn_nodes_status{status="down"}': '1x3 0x10' }, '2m', null],
    [
      'RegionDown',
      {
        'ai_cdn_nodes_total{region="hk",type="edge"}': '2x10',
        'ai_cdn_nodes_online{region="hk",type="edge"}': '0x10',
      },
      '45s',
      'critical',
    ],
    [
      'RegionDown',
      {
        'ai_cdn_nodes_total{region="hk",type="core"}': '0x10',
        'ai_cdn_nodes_online{region="hk",type="core"}': '0x10',
      },
      '5m',
      null,
    ],
    [
      'RegionThin',
      {
        'ai_cdn_nodes_total{region="hk",type="edge"}': '8x20',
        'ai_cdn_nodes_online{region="hk",type="edge"}': '5x20',
      },
      '2m15s',
      'warning',
    ],
    ['ConnectSlow', { 'ai_cdn_connect_p99_seconds{region="hk"}': '0.12x40' }, '5m15s', 'warning'],
    ['ConnectSlow', { 'ai_cdn_connect_p99_seconds{region="hk"}': '0.09x40' }, '10m', null],
    ['FirstTokenSlow', { 'ai_cdn_ttft_p95_seconds{region="hk"}': '0.5x240 1.2x40' }, '66m', 'warning'],
    ['FirstTokenSlow', { 'ai_cdn_ttft_p95_seconds{region="hk"}': '60x280' }, '66m', null],
    ['Errors', { 'ai_cdn_errors_ratio{region="hk"}': '0.02x10' }, '1m15s', 'critical'],
    ['StreamsAborted', ABORTED('tunnel'), '11m', 'warning'],
    ['StreamsAborted', ABORTED('client'), '11m', null],
    ['Buffering', QUANTILES('4', '0.5', '0.001', '0.02'), '70m', 'warning'],
    ['Buffering', QUANTILES('4', '0.5', '0.02', '0.02'), '70m', null],
    ['Buffering', QUANTILES('0.5', '0.5', '0.001', '0.02'), '70m', null],
    ['NodeBusy', { 'ai_cdn_host_cpu_ratio{node="hk-1"}': '0.9x40' }, '5m15s', 'warning'],
    ['NodeMemory', { 'ai_cdn_host_memory_ratio{node="hk-1"}': '0.9x40' }, '5m15s', 'warning'],
    [
      'NodeDescriptors',
      { 'ai_cdn_open_fds{node="hk-1"}': '900x40', 'ai_cdn_max_fds{node="hk-1"}': '1000x40' },
      '2m15s',
      'warning',
    ],
    [
      'CertificateExpires',
      { 'ai_cdn_certificate_expiry_timestamp_seconds{node="hk-1"}': '172800x40' },
      '2m',
      'warning',
    ],
    [
      'CertificateExpires',
      { 'ai_cdn_certificate_expiry_timestamp_seconds{node="hk-1"}': '302400x40' },
      '2m',
      null,
    ],
    ['ClockOff', { 'ai_cdn_clock_skew_seconds{node="hk-1"}': '_x1 -30x40' }, '6m', 'warning'],
  ])('%s over %j at %s: %s', async (alert, series, when, severity) => {
    const file = path.join(fleet.dir, 'rules-test.yml');
    const test = {
      rule_files: [at('rules.yml')],
      evaluation_interval: '15s',
      tests: [
        {
          interval: '15s',
          input_series: Object.entries(series).map(([name, values]) => ({
            series: name,
            values: values.replace(/(^| )([\d.]+)x/g, '$1$2+0x'),
          })),
          promql_expr_test: [
            {
              expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) by (severity)`,
              eval_time: when,
              exp_samples: severity === null ? [] : [{ labels: `{severity="${severity}"}`, value: 1 }],
            },
          ],
        },
      ],
    };
    writeFileSync(file, JSON.stringify(test));
    const r = await execa('promtool', ['test', 'rules', file], { reject: false, all: true });
    expect([r.exitCode, r.all]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });

  it('a real Prometheus scrapes a real master by these settings and finds nothing to fire', async () => {
    const target = fleet.masterReady.http;
    const settings = readFileSync(at('prometheus.yml'), 'utf8')
      .replace('127.0.0.1:8080', target)
      .replaceAll('15s', '1s')
      .replace('scrape_timeout: 10s', 'scrape_timeout: 1s');
    const file = path.join(fleet.dir, 'prometheus.yml');
    writeFileSync(file, settings);
    writeFileSync(path.join(fleet.dir, 'rules.yml'), readFileSync(at('rules.yml')));
    const [port = 0] = await freePorts(1);
    const prometheus = new Running('prometheus', [
      `--config.file=${file}`,
      `--storage.tsdb.path=${path.join(fleet.dir, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const ask = async (
      query: string,
    ): Promise<{ value: [number, string]; metric: Record<string, string> }[]> => {
      const r = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
      return ((await r.json()) as { data: { result: [] } }).data.result;
    };
    try {
      await until('it has scraped the master', 20_000, async () => {
        const [online] = await ask('sum(ai_cdn_nodes_online)');
        return online?.value[1] === '3' ? true : null;
      });
      const rules = await fetch(`http://127.0.0.1:${port}/api/v1/rules`);
      const { data } = (await rules.json()) as {
        data: { groups: { rules: { name: string; lastError?: string }[] }[] };
      };
      expect(data.groups.flatMap((g) => g.rules).map((r) => r.lastError ?? '')).toEqual(Array(16).fill(''));
      expect(await ask('ALERTS{alertstate="firing"}')).toEqual([]);
    } finally {
      await prometheus.stop();
    }
  });
});
