import { describe, expect, it } from 'vitest';
import type { ServiceSlice } from '../../proto/vocab/metrics.ts';
import { type Counters, deltas } from './deltas.ts';

const none = { index: [], count: [], sumMs: 0 };
const slice = (service: string, opened: number, more: Partial<ServiceSlice> = {}): ServiceSlice => ({
  service,
  streams: 3,
  opened,
  closed: 0,
  errors: 0,
  abortedClient: 0,
  abortedOrigin: 0,
  abortedTunnel: 0,
  bytesIn: 0,
  bytesOut: opened * 10,
  requests: 0,
  connect: none,
  ttft: none,
  gap: none,
  ...more,
});
const at = (instance: string, ...services: ServiceSlice[]): Counters => ({ instance, services });

describe('deltas', () => {
  it('are what was added; streams are those now; histograms bucket by bucket', () => {
    const before = at('i1', slice('a', 5, { ttft: { index: [3, 8], count: [1, 2], sumMs: 10 } }));
    const after = at(
      'i1',
      slice('a', 7, { streams: 1, ttft: { index: [3, 8, 9], count: [1, 5, 4], sumMs: 25 } }),
    );
    const [d] = deltas(before, after);
    expect(d).toMatchObject({ streams: 1, opened: 2, bytesOut: 20 });
    expect(d?.ttft).toEqual({ index: [8, 9], count: [3, 4], sumMs: 15 });
  });

  it('of a new engine, and of a new service, begin at 0', () => {
    expect(deltas(at('i1', slice('a', 5)), at('i2', slice('a', 2)))).toMatchObject([{ opened: 2 }]);
    expect(deltas(at('i1', slice('a', 5)), at('i1', slice('a', 5), slice('b', 4)))).toMatchObject([
      { opened: 0 },
      { opened: 4 },
    ]);
  });

  it('without an earlier reading tell the streams now and nothing else', () => {
    expect(deltas(null, at('i1', slice('a', 5)))).toMatchObject([{ streams: 3, opened: 0, bytesOut: 0 }]);
  });

  it('are never negative', () => {
    expect(deltas(at('i1', slice('a', 5)), at('i1', slice('a', 4)))).toMatchObject([
      { opened: 0, bytesOut: 0 },
    ]);
  });
});
