import { describe, expect, test } from 'vitest';
import { ui } from '../../test/frames/asia.ts';
import { drawn, golden } from '../../test/frames/golden.ts';
import { type AlertsProps, alertsRows } from './alerts.ts';
import { type DescribeProps, describeMaxScroll, describeRows, type SeriesRow } from './describe.ts';
import { describeSeries } from './describe-series.ts';
import { confirmSheetRows } from './sheets/confirm.ts';
import { refusalSheetRows } from './sheets/refusal.ts';
import { resultSheetRows } from './sheets/result.ts';
import { silenceSheetRows } from './sheets/silence.ts';
import { typedSheetRows } from './sheets/typed.ts';

const alerts: AlertsProps = {
  counts: { firing: 3, pending: 1, acknowledged: 1, suppressed: 2 },
  alerts: [
    {
      rule: 'NodeDown',
      on: 'hk-17',
      verdict: 'wrong',
      state: 'firing',
      forMs: 159_000,
      value: 'last seen 03:07:48',
      next: 'webhook-ops, feishu 03:09:31',
      quiet: false,
    },
    {
      rule: 'LatencyP99High',
      on: 'hk-05',
      verdict: 'warning',
      state: 'firing',
      forMs: 337_000,
      value: 'P99 184 > 100 ms',
      next: 'feishu 03:06:32',
      quiet: false,
    },
    {
      rule: 'Buffering',
      on: 'hk-05',
      verdict: 'warning',
      state: 'firing',
      forMs: 297_000,
      value: 'TTFT95 ×4.0, gap ×0.6',
      next: 'grouped with LatencyP99High',
      quiet: false,
    },
    {
      rule: 'ErrorsHigh',
      on: 'hk-23',
      verdict: 'waiting',
      state: 'pending',
      forMs: 36_000,
      value: 'err 1.30 > 1 %',
      next: 'fires in 24 s unless it clears',
      quiet: false,
    },
    {
      rule: 'CPUHigh',
      on: 'cn-上海-03',
      verdict: 'warning',
      state: 'acknowledged',
      forMs: 365_000,
      value: 'cpu 91 > 80 %',
      next: 'by wei, until resolved: "on it"',
      quiet: true,
    },
    {
      rule: 'CertExpiring',
      on: 'us-14',
      verdict: 'aside',
      state: 'suppressed',
      forMs: 21_120_000,
      value: '5d 03h left',
      next: 'silenced_by S-41, 5h47m left',
      quiet: true,
    },
    {
      rule: 'ProbeFailed',
      on: 'hk-17',
      verdict: 'aside',
      state: 'suppressed',
      forMs: 159_000,
      value: 'probe chat 0 of 3',
      next: 'inhibited_by NodeDown hk-17',
      quiet: true,
    },
  ],
  resolved: [
    {
      rule: 'ErrorsHigh',
      on: 'sg-08',
      verdict: 'well',
      state: 'resolved',
      at: '02:31:20',
      value: 'lasted 4m10s   peak 2.1',
      next: '',
      quiet: true,
    },
  ],
  silences: [
    {
      id: 'S-41',
      state: 'active',
      matchers: 'alertname=CertExpiring node=us-14',
      alerts: 1,
      nodes: 1,
      ends: '09:00',
      left: '5h47m',
      by: 'mei',
      comment: 'renewal booked, OPS-812',
    },
    {
      id: 'S-43',
      state: 'active',
      matchers: 'node=sg-30',
      alerts: 0,
      nodes: 1,
      ends: '04:30',
      left: '1h17m',
      by: 'wei',
      comment: 'kernel upgrade',
    },
    {
      id: 'S-44',
      state: 'pending',
      matchers: 'region=us alertname=~"Latency.*"',
      alerts: null,
      nodes: 36,
      ends: '07:00',
      left: 'from 05:00',
      by: 'mei',
      comment: 'carrier maintenance',
    },
    {
      id: 'S-40',
      state: 'expired',
      matchers: 'alertname=ErrorsHigh region=sg',
      alerts: null,
      nodes: 40,
      ends: '02:40',
      left: '32m ago',
      by: 'lin',
      comment: 'sg-08 redeploy',
    },
  ],
  focus: 'alerts',
  cursor: 1,
  detail: null,
  watched: { heard: 200, total: 200 },
  stale: false,
};

describe('alerts', () => {
  test('120x40: alerts, then silences', () => {
    const u = ui(120, 40);
    const got = drawn(alertsRows(alerts, u), u);
    const want = golden('alerts-120x40');
    expect(got.slice(1, 9)).toEqual(want.slice(4, 12));
    expect(got.slice(13, 19)).toEqual(want.slice(18, 24));
  });

  test('80x24: what a silence sheet leaves of it, and the sheet', () => {
    const u = ui(80, 24);
    const want = golden('silence-80x24');
    const got = drawn(alertsRows({ ...alerts, aside: 'S-45, not yet made' }, u), u);
    expect(got.slice(0, 6)).toEqual(want.slice(3, 9));
    const sheet = drawn(
      silenceSheetRows(
        {
          rule: 'LatencyP99High',
          on: 'hk-05',
          durations: ['15m', '1h', '4h', '8h', '24h', 'until …'],
          chosen: 1,
          ends: 'Tue 04:12 +08',
          comment: 'core cn-上海-03 overloaded, wei is on it',
          focus: 'comment',
          matchers: [
            { name: 'alertname', op: '=', value: 'LatencyP99High' },
            { name: 'node', op: '=', value: 'hk-05' },
            { name: 'region', op: '=', value: 'hk' },
          ],
          preview: {
            alerts: [
              {
                verdict: 'warning',
                rule: 'LatencyP99High',
                on: 'hk-05',
                text: 'firing 5m37s   P99 184 > 100 ms',
              },
            ],
            spared: [
              { rule: 'Buffering', on: 'hk-05' },
              { rule: 'ErrorsHigh', on: 'hk-23' },
              { rule: 'NodeDown', on: 'hk-17' },
            ],
            nodes: 1,
            total: 200,
          },
          error: null,
          last: { key: '?', label: u.theme.say('keys.help') },
        },
        u,
      ),
      u,
    );
    expect(sheet.slice(0, 4)).toEqual(want.slice(9, 13));
    expect(sheet.slice(7, 11)).toEqual(want.slice(17, 21));
    expect(sheet.at(-1)).toEqual(want.at(-1));
  });

  test('nothing fires: silence is proven', () => {
    const u = ui(80, 24);
    const got = drawn(alertsRows({ ...alerts, alerts: [], resolved: [], cursor: 0 }, u), u);
    expect(got[2]).toBe(golden('no-alerts-80x8')[2]);
    expect(got.join('\n')).toContain('200 of 200 nodes');
  });
});

describe('describe', () => {
  const flat = (n: number, v: number) => Array.from({ length: n }, () => v);
  const series: SeriesRow[] = [
    {
      label: 'P99',
      values: [...flat(30, 42), ...flat(19, 42), 74, 96, 114, 114, 132, 132, 150, 186, 185, 184, 184],
      decimals: 0,
      limit: 100,
      regionNow: 74,
      over: { wide: '▲ limit 100', narrow: '▲ 100' },
    },
    { label: 'err %', values: [...flat(59, 0.21), 0.38], decimals: 2, regionNow: 0.26 },
  ];
  const props = { series, region: 'hk', marks: [], axis: [] } as unknown as Parameters<
    typeof describeSeries
  >[0];

  test('heads and figures stand where the frame has them', () => {
    const u = ui(80, 24);
    const got = drawn(describeSeries(props, u), u);
    const want = golden('describe-80x24');
    expect(got[0]).toBe(want[9]);
    expect(got[1]?.slice(40)).toBe(want[12]?.slice(40));
    expect(got[2]?.slice(40)).toBe(want[14]?.slice(40));
  });
});

const day = 86_400_000;
const flat = (label: string): SeriesRow => ({ label, values: [1, 2], decimals: 0 });
const node: DescribeProps = {
  name: 'hk-05',
  region: 'hk',
  verdict: 'warning',
  status: 'ready',
  firing: 2,
  labels: { rack: 'a3', isp: 'pccw' },
  place: { at: 4, of: 200 },
  seenMs: 2000,
  instance: '8f1c2e07aa',
  axes: [
    { axis: 'status', verdict: 'well', word: 'ready' },
    { axis: 'eligibility', verdict: 'well', word: 'eligible' },
    { axis: 'drain', verdict: 'well', word: 'none' },
    { axis: 'config_sync', verdict: 'well', word: 'in_sync', extra: 'v42' },
    { axis: 'identity', verdict: 'well', word: 'accepted' },
  ],
  failure: [],
  engine: {
    kind: 'embedded',
    version: '1.4.2',
    pid: 1187,
    upMs: 532_800_000,
    generation: 3,
    reason: 'auto; nothing in v42 needs gost',
    listeners: [
      { addr: ':443', type: 'tls' },
      { addr: ':8443', type: 'wss' },
      { addr: ':8080', type: 'ws' },
    ],
  },
  agentVersion: '1.4.2',
  certificates: [
    { name: 'agent', leftMs: 6.1 * day, note: 'renews in 2d 14h' },
    { name: 'edge-tls', leftMs: 61 * day },
  ],
  series: ['a', 'b', 'c', 'd', 'e'].map(flat),
  marks: [
    { minutesAgo: 21, letter: 'c', legend: 'v42' },
    { minutesAgo: 9, letter: 'r', legend: 'reload' },
    { minutesAgo: 5, letter: '▲', legend: 'alert' },
    { minutesAgo: 4, letter: '▲', legend: 'alert' },
  ],
  axis: ['02:13', '02:28', '02:43', '02:58'],
  alerts: [
    {
      rule: 'LatencyP99High',
      verdict: 'warning',
      state: 'firing',
      forMs: 337_000,
      text: 'P99 184 ms, over 100 since 03:01:30',
      quiet: false,
    },
    {
      rule: 'Buffering',
      verdict: 'warning',
      state: 'firing',
      forMs: 297_000,
      text: 'TTFT ×4 while the gap fell: look at cn-上海-03',
      quiet: false,
    },
  ],
  commands: [
    {
      at: '03:02:14',
      what: 'reload',
      who: 'lin',
      verdict: 'well',
      word: 'succeeded',
      tookMs: 1800,
      text: '618 streams kept',
    },
    {
      at: '02:50:41',
      what: 'config v42',
      who: 'lin',
      verdict: 'well',
      word: 'applied',
      tookMs: 900,
      text: 'rollout 31 step 2',
    },
  ],
  log: [
    {
      at: '03:12:05.118',
      level: 'warn',
      text: 'ttft p95 2.41s over 10m baseline 0.60s, gap p99 38ms: buffering suspected on core cn-上海-03',
    },
  ],
  stale: false,
  scroll: 0,
};

describe('a node described', () => {
  test('80x24', () => {
    const u = ui(80, 24);
    const got = drawn(describeRows(node, u), u);
    const want = golden('describe-80x24');
    expect(got[0]?.slice(0, 75)).toBe(want[3]?.slice(0, 75));
    for (let y = 1; y < 6; y++) expect(got[y]?.slice(0, 36)).toBe(want[3 + y]?.slice(0, 36));
    expect(got[2]).toBe(want[5]);
    expect(got[5]).toBe(want[8]);
    expect(got.slice(12)).toEqual(want.slice(15, 22));
    expect(describeMaxScroll(node, u)).toBe(2);
  });

  test('120x40', () => {
    const u = ui(120, 40);
    const got = drawn(describeRows(node, u), u);
    const want = golden('describe-120x40');
    expect(got[0]).toBe(want[3]);
    expect(got[1]).toBe(want[4]);
    for (let y = 2; y < 7; y++) expect(got[y]?.slice(0, 34)).toBe(want[3 + y]?.slice(0, 34));
    expect(got[2]?.slice(34, 80)).toBe(want[5]?.slice(34, 80));
    expect(got[2]?.slice(80, 92)).toBe(want[5]?.slice(80, 92));
    expect(got.find((l) => l.includes('02:13'))).toBe(want[21]);
    expect(got.find((l) => l.includes('LatencyP99High'))).toBe(want[24]);
    expect(got.find((l) => l.includes('618 streams'))).toBe(want[27]);
    expect(got.find((l) => l.includes('buffering suspected'))).toBe(want[31]);
  });

  test('in Chinese the vocabulary stays beside its translation', () => {
    const u = ui(80, 24, { locale: { lang: 'zh' } });
    expect(drawn(describeRows(node, u), u)[1]).toContain('就绪 ready');
  });

  test('a refused config is told whole, wrapped, in red', () => {
    const u = ui(80, 24);
    const line =
      `line 63, column 106: hops[0].nodes[2].dialer.tls.secure: ${'must be true or false '.repeat(6)}`.trim();
    const rows = describeRows({ ...node, failure: [line, 'the engine said: no'] }, u);
    const text = drawn(rows, u)
      .map((l) => l.trim())
      .join(' ');
    expect(text).toContain(line);
    expect(rows.flatMap((r) => r.segs).some((g) => g.token === 'crit')).toBe(true);
  });
});

describe('sheets', () => {
  test('reload of a region: the count is typed', () => {
    const u = ui(80, 24);
    const got = drawn(
      typedSheetRows(
        {
          title: 'Reload region hk',
          aside: 'dry run 03:12:10, again every 5 s',
          facts: [
            { label: 'hits', text: '64 nodes   63 now   1 down: hk-17, waits 10 min, then expires' },
            { label: 'streams', text: '40,344 stay, 0 cut   each node reads again the version it runs' },
            { label: 'pace', text: '8 at once, 30 s each at most, about 14 s in all' },
            { label: 'stops', text: 'after 3 failures, the rest is cancelled' },
          ],
          reason: null,
          type: { want: '64', what: 'the number of nodes', typed: '6' },
          focus: 'type',
          error: null,
          keys: [
            { key: 'Enter', label: 'reload, once it matches' },
            { key: 'Esc', label: 'cancel' },
          ],
          last: { key: 'e', label: 'list the 64' },
        },
        u,
      ),
      u,
    );
    expect(got).toEqual(golden('reload-region-80x10'));
  });

  test('reload of a node that would cut something: a letter', () => {
    const u = ui(80, 24);
    const got = drawn(
      confirmSheetRows(
        {
          title: 'Reload hk-05',
          aside: 'edge hk   v42   seen 2s',
          lines: [
            {
              text: 'Reads v42 again. 794 streams stay. edge-quic :443 must be rebound: 118 cut.',
              loud: true,
            },
            { text: 'Stops by itself after 30 s. Last reload 03:02:14, lin, succeeded.' },
          ],
          question: 'Reload hk-05?',
          yes: 'yes',
          no: 'no',
          keys: [
            { key: 'y', label: 'reload' },
            { key: 'n, Enter or Esc:', label: 'no' },
          ],
        },
        u,
      ),
      u,
    );
    const want = golden('reload-80x7');
    expect(got.slice(0, 6)).toEqual(want.slice(0, 6));
    expect(got).toHaveLength(want.length);
  });

  test('the result, node by node', () => {
    const u = ui(80, 24);
    const got = drawn(
      resultSheetRows(
        {
          title: 'Reload region hk   task 7f3c   lin 03:12:31',
          aside: { verdict: 'changing', text: 'running 9 s' },
          counts: [
            { verdict: 'well', n: 48, word: 'succeeded' },
            { verdict: 'wrong', n: 1, word: 'failed' },
            { verdict: 'changing', n: 8, word: 'running' },
            { verdict: 'waiting', n: 6, word: 'queued' },
          ],
          settled: 49,
          total: 64,
          rows: [
            {
              name: 'hk-44',
              verdict: 'wrong',
              state: 'failed',
              tookMs: 900,
              output: 'exit 3: edge-tls cert ek.pem not readable',
            },
            { name: 'hk-51', verdict: 'changing', state: 'running', tookMs: 1400, output: 'PREPARE' },
          ],
          cursor: 0,
          keys: [{ key: 'Enter', label: 'output' }],
          last: null,
        },
        u,
      ),
      u,
    );
    const want = golden('result-80x13');
    expect(got.slice(0, 2)).toEqual(want.slice(0, 2));
    expect(got.slice(3, 6)).toEqual(want.slice(4, 7));
  });

  test('a refusal shows its place and the line it is about', () => {
    const u = ui(80, 24);
    const props = {
      title: 'the new version from v43 was refused by the master',
      at: '03:12:33',
      code: '422',
      what: 'tls.secure is the text "yes"; true or false is wanted',
      where: 'line 63, column 106: hops[0].nodes[2].dialer.tls.secure',
      source: {
        line: 63,
        column: 51,
        text: '- {name: sh3, addr: …, dialer: {type: mtls, tls: {secure: "yes"}}}',
      },
      todo: 'e goes back to your text, at that line.  Nothing saved, nothing sent.',
      trace: 'req 4c71e0   c copies this   :messages keeps it',
      keys: [
        { key: 'e', label: 'edit' },
        { key: 'c', label: 'copy' },
        { key: 'Esc', label: 'close' },
      ],
      last: { key: '?', label: 'all' },
    };
    expect(drawn(refusalSheetRows(props, u), u)).toEqual(golden('refusal-80x8'));
    const long = {
      line: 63,
      column: 160,
      text: `${'a: b, '.repeat(26)}secure: "yes", ${'c: d, '.repeat(40)}`,
    };
    const rows = drawn(refusalSheetRows({ ...props, source: long }, u), u);
    expect(rows[4]).toContain('secure: "yes"');
  });
});
