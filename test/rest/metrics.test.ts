import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { reportOf, sliceOf } from '../fakes/traffic.ts';
import { RestMaster } from '../harness/rest-master.ts';

// Two edges and a core, an hour and a half of one report a minute; hk-1 is slow, and slower in the last ten minutes.

const MINUTE = 60_000;
const PASSED = 90;
let rest: RestMaster;
let began = 0;

beforeAll(async () => {
  rest = await RestMaster.start();
  const { master } = rest;
  await master.join('hk-1');
  await master.join('hk-2');
  await master.join('cn-1', {}, { nodeType: 'core', region: 'cn' });
  began = Math.ceil(master.now / (10 * MINUTE)) * 10 * MINUTE;
  for (let i = 0; i < PASSED; i++) {
    master.now = began + i * MINUTE + MINUTE / 2;
    const tell = (name: string, ms: number) => {
      const chat = sliceOf('chat', { ttft: Array(10).fill(ms) }, { streams: 4, errors: 1, abortedOrigin: 2 });
      const batch = sliceOf('batch', { ttft: Array(5).fill(30) }, { streams: 1 });
      master.services.agents.metrics(name as NodeName, reportOf([chat, batch], MINUTE));
    };
    tell('hk-1', i < 80 ? 400 : 1600);
    tell('hk-2', 100);
    tell('cn-1', 100);
  }
});
afterAll(() => rest.stop());

interface Point {
  readonly at: string;
  readonly requests: number | null;
  readonly ttft_p95_ms: number | null;
  readonly err_pct: number | null;
  readonly aborted_pct: number | null;
  readonly streams: number | null;
  readonly buckets?: { ttft: { le_ms: (number | null)[]; count: number[] } } | null;
}
async function points(path: string): Promise<readonly Point[]> {
  const r = await rest.call('GET', path);
  expect(r.status, r.text).toBe(200);
  return (r.body['range'] as { points: Point[] }).points;
}
const at = (minute: number): string => new Date(began + minute * MINUTE).toISOString();
const seconds = (minute: number): string => `${(began + minute * MINUTE) / 1000}`;
const near = (got: number | null | undefined, wanted: number): void => {
  // A bucket is 19 % wide.
  expect(Math.abs((got ?? Number.NaN) - wanted) / wanted).toBeLessThan(0.2);
};

describe('a node', () => {
  test('the last hour by the minute, unless told otherwise', async () => {
    const all = await points('/metrics/nodes/hk-1?step=1m');
    expect(all).toHaveLength(60);
    expect(all.at(-1)).toMatchObject({ at: at(89), requests: 15, streams: 5 });
    expect(all.at(-1)?.err_pct).toBeCloseTo(100 / 16, 5);
    expect(all.at(-1)?.aborted_pct).toBeCloseTo(200 / 16, 5);
    near(all.at(-1)?.ttft_p95_ms, 1600);
    near(all.at(-20)?.ttft_p95_ms, 400);
  });

  test('start, end and step by name or in seconds', async () => {
    const named = await points(`/metrics/nodes/hk-1?start=${at(80)}&end=${at(90)}&step=5m`);
    expect(named.map((p) => [p.at, p.requests])).toEqual([
      [at(80), 75],
      [at(85), 75],
    ]);
    expect(await points(`/metrics/nodes/hk-1?start=${seconds(80)}&end=${seconds(90)}&step=300`)).toEqual(
      named,
    );
  });

  test('before the last hour, ten minutes each; what was before anything is unknown, not 0', async () => {
    const day = await points(`/metrics/nodes/hk-1?start=${at(-20)}&end=${at(40)}`);
    expect(day.map((p) => p.requests)).toEqual([null, null, 150, 150, 150, 150]);
    near(day.at(-1)?.ttft_p95_ms, 400);
    expect(day[0]).toMatchObject({ ttft_p95_ms: null, streams: null });
  });

  test('one service, and the histograms', async () => {
    const [chat] = await points(
      `/metrics/nodes/hk-1?start=${at(85)}&end=${at(86)}&step=1m&service=chat&buckets=true`,
    );
    expect(chat).toMatchObject({ requests: 10, streams: 4, buckets: { ttft: { count: [10] } } });
    near(chat?.buckets?.ttft.le_ms[0], 1600);
    const [none] = await points(`/metrics/nodes/hk-1?start=${at(85)}&step=5m&service=nothing`);
    expect(none?.requests).toBe(0);
  });

  test('without a range it is as it was', async () => {
    const r = await rest.call('GET', '/metrics/nodes/hk-1');
    expect(r.body).not.toHaveProperty('range');
    expect((r.body['services'] as { service: string }[]).map((s) => s.service)).toEqual(['chat', 'batch']);
  });
});

describe('an aggregate', () => {
  test('of a region is of all samples of its edges, never of percentiles', async () => {
    const all = await points(
      `/metrics/aggregate?region=hk&start=${at(85)}&end=${at(86)}&step=1m&buckets=true`,
    );
    expect(all).toHaveLength(1);
    expect(all[0]).toMatchObject({ requests: 30, streams: 10 });
    expect(all[0]?.buckets?.ttft.count).toEqual([10, 10, 10]);
    near(all[0]?.ttft_p95_ms, 1600);
  });

  test('fleet figures are the edges’, a core’s are asked for by its type', async () => {
    const q = `start=${at(85)}&end=${at(86)}&step=1m`;
    expect((await points(`/metrics/aggregate?${q}`))[0]?.requests).toBe(30);
    expect((await points(`/metrics/aggregate?type=core&${q}`))[0]?.requests).toBe(15);
    expect((await points(`/metrics/aggregate?region=cn&${q}`))[0]?.requests).toBeNull();
  });

  test('a day has histograms as well, so any ten minutes can be one step', async () => {
    const day = await points(`/metrics/aggregate?region=hk&start=${at(0)}&end=${at(60)}&step=30m&buckets`);
    expect(day.map((p) => p.requests)).toEqual([900, 900]);
    expect(day[0]?.buckets?.ttft.count.reduce((a, b) => a + b)).toBe(900);
    expect(day[0]?.streams).toBe(10);
  });

  test('one service, now and before', async () => {
    const r = await rest.call('GET', `/metrics/aggregate?region=hk&service=batch&start=${at(85)}&step=5m`);
    expect(r.body).toMatchObject({ service: 'batch', nodes_total: 2, err_pct: 0 });
    near(r.body['ttft_p95_ms'] as number, 30);
    expect((r.body['range'] as { points: Point[] }).points[0]).toMatchObject({ requests: 50, streams: 2 });
  });
});

describe('what is not kept is refused, saying what is', () => {
  test.each([
    ['start after end', () => `start=${at(80)}&end=${at(70)}`, /start: it must be before end/],
    ['a start to come', () => `start=${at(200)}`, /before now/],
    ['two days ago', () => `start=${at(-2 * 1440)}`, /kept for a day; the oldest are of 20/],
    ['half a minute', () => 'step=30s', /step: it is a multiple of 1m/],
    ['a minute of long ago', () => `start=${at(0)}&step=1m`, /before the last hour it is a multiple of 10m/],
    [
      'an hour of a node of long ago',
      () => `start=${at(0)}&step=1h`,
      /it is 10m: quantiles cannot be merged/,
    ],
    ['no time', () => 'start=yesterday', /a time such as 2026-11-24T03:00:00Z/],
    ['no step', () => 'step=often', /a duration such as 1m/],
    ['a parameter that is not known', () => 'resolution=1m', /resolution/],
  ])('%s', async (_, query, why) => {
    const r = await rest.call('GET', `/metrics/nodes/hk-1?${query()}`);
    expect(r.status).toBe(400);
    expect(r.headers.get('content-type')).toMatch(/application\/problem\+json/);
    expect(r.body).toMatchObject({ code: 'invalid' });
    expect(`${r.body['detail']} ${JSON.stringify(r.body['refusals'] ?? '')}`).toMatch(why);
  });

  test('a node that is not there is not found', async () => {
    expect((await rest.call('GET', '/metrics/nodes/hk-9?step=1m')).status).toBe(404);
  });
});
