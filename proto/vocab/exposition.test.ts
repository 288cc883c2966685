import { describe, expect, it } from 'vitest';
import { countedFamilies, hostFamilies } from './exposition.ts';
import { BUCKETS_MS, Histogram } from './metrics.ts';

const none = {
  ...{ requests: 3, errors: 1, abortedClient: 4, abortedOrigin: 5, abortedTunnel: 6 },
  ...{ bytesIn: 7, bytesOut: 8, opened: 9, closed: 2 },
};
function counted(...ttft: number[]) {
  const h = new Histogram();
  for (const ms of ttft) h.observe(ms);
  const all = { connect: new Histogram(), ttft: h, gap: new Histogram() };
  return countedFamilies([{ labels: { region: 'hk' }, all, services: new Map([['chat', none]]) }]);
}
const named = (families: ReturnType<typeof counted>, name: string) =>
  families.find((f) => f.name === `ai_cdn_${name}`);

describe('what is counted', () => {
  it('a bucket holds those below it, the last one all, and the sum is in seconds', () => {
    const samples = named(counted(1, 2, 2, 1e9), 'ttft_seconds')?.samples ?? [];
    const at = (le: string) => samples.find((s) => s.labels['le'] === le)?.value;
    expect(samples).toHaveLength(BUCKETS_MS.length + 3);
    expect([at('0.001'), at('0.002'), at('131.072'), at('+Inf')]).toEqual([1, 3, 3, 4]);
    expect(samples.slice(-2)).toMatchObject([
      { suffix: '_sum', value: 1e6 + 0.005 },
      { suffix: '_count', value: 4, labels: { region: 'hk' } },
    ]);
  });

  it('no two bounds are the same, and they ascend', () => {
    const samples = named(counted(), 'connect_seconds')?.samples ?? [];
    const bounds = samples.slice(0, BUCKETS_MS.length).map((s) => Number(s.labels['le']));
    expect(bounds).toEqual([...new Set(bounds)].sort((a, b) => a - b));
    expect(bounds).toHaveLength(BUCKETS_MS.length);
  });

  it('aborted streams are told by whose doing', () => {
    const samples = named(counted(), 'streams_aborted_total')?.samples.map((s) => [s.labels['by'], s.value]);
    expect(samples).toEqual([
      ['client', 4],
      ['origin', 5],
      ['tunnel', 6],
    ]);
  });
});

it('what a host cannot read is absent, never 0', () => {
  const host = { cpuPct: null, memPct: 50, openFiles: 0, diskFreeBytes: null };
  expect(hostFamilies(host).map((f) => [f.name, f.samples[0]?.value])).toEqual([
    ['ai_cdn_host_memory_ratio', 0.5],
    ['ai_cdn_open_fds', 0],
  ]);
});
