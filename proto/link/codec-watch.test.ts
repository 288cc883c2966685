import { expect, it } from 'vitest';
import { fakeVitals } from '../../test/fakes/console-master.ts';
import { WatchResponse } from '../gen/aicdn/v1/console.ts';
import type { RegionVitals } from '../vocab/node.ts';
import type { WatchEvent } from '../vocab/watch.ts';
import { decodeWatch, encodeWatch } from './codec-watch.ts';

const overWire = (e: WatchEvent) =>
  decodeWatch(WatchResponse.decode(WatchResponse.encode(encodeWatch(e)).finish()));
const known: RegionVitals = {
  region: 'hk',
  nodeType: 'core',
  streams: 1220,
  rps: 41.5,
  ttft50Ms: 260,
  ttft95Ms: 412,
  gap99Ms: 60,
  p99Ms: 40,
  errPct: 0.25,
  abortedPct: 0,
  ttft95Minutes: [null, 400, 412],
};

it('figures of regions keep what is known apart from what is not, and every region apart from one', () => {
  const nothing = { rps: null, ttft50Ms: null, ttft95Ms: null, gap99Ms: null, p99Ms: null };
  const unknown: RegionVitals = {
    ...{ ...known, ...nothing, errPct: null, abortedPct: null },
    region: null,
    nodeType: 'edge',
    streams: 0,
    ttft95Minutes: [],
  };
  const fleet = { streams: 0, rps: null, ttft95Ms: null, p99Ms: null, errPct: null, degraded: null };
  const event: WatchEvent = {
    kind: 'vitals',
    tick: 7,
    at: 1e12,
    nodes: [],
    fleet,
    regions: [unknown, known],
  };
  expect(overWire(event)).toEqual(event);
});

it('a clock’s skew is signed, and none is none', () => {
  const fleet = { streams: 0, rps: null, ttft95Ms: null, p99Ms: null, errPct: null, degraded: null };
  const node = (name: string, clockSkewMs: number | null) =>
    fakeVitals(name, 2_000, { clockSkewMs, abortedPct: 0.25, errPct: 0.5 });
  const nodes = [node('hk-1', -2_500), node('hk-2', 0), node('hk-3', 86_400_000)];
  const event: WatchEvent = { kind: 'vitals', tick: 7, at: 1e12, nodes, fleet, regions: [] };
  expect(overWire(event)).toEqual(event);
  const unknown = overWire({ ...event, nodes: [node('hk-1', null)] });
  expect(unknown.kind === 'vitals' && unknown.nodes[0]?.clockSkewMs).toBeUndefined();
});
