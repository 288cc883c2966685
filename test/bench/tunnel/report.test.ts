import { describe, expect, it } from 'vitest';
import type { Sample } from './measures.ts';
import { failuresOf, median, ratiosOf, tableOf } from './report.ts';

function results(of: Record<string, Record<string, Sample[]>>): Map<string, Map<string, Sample[]>> {
  return new Map(Object.entries(of).map(([peer, m]) => [peer, new Map(Object.entries(m))]));
}

describe('the report of the bench', () => {
  it('takes the middle, of an even number the mean of both', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('compares round by round, so that a slow moment slows both', () => {
    const r = results({
      haproxy: { rps: [{ perSecond: 100 }, { perSecond: 10 }, { perSecond: 200 }] },
      ours: { rps: [{ perSecond: 90 }, { perSecond: 9 }, { perSecond: 100 }] },
    });
    expect(ratiosOf(r)).toEqual({ one_hop_rps_vs_haproxy: 0.9 });
  });

  it('leaves out what was not measured, and names the better of two transports', () => {
    const r = results({
      ours: { idle: [{ kibPerConnection: 8 }] },
      'go smux': { rps: [{ perSecond: 100, cpuUs: 20 }], 'sse 500': [{ p50Ms: 2, p99Ms: 4 }] },
      'ours tls': { rps: [{ perSecond: 50, cpuUs: 40 }] },
      'ours mtls': { rps: [{ perSecond: 110, cpuUs: 18 }], 'sse 500': [{ p50Ms: 1, p99Ms: 4 }] },
    });
    expect(ratiosOf(r)).toEqual({
      idle_kib_per_connection: 8,
      two_hops_transport: 'mtls',
      two_hops_rps_vs_go_smux: 1.1,
      two_hops_cpu_vs_go_smux: 0.9,
      two_hops_sse_500_p50_vs_go_smux: 0.5,
      two_hops_sse_500_p99_vs_go_smux: 1,
    });
    expect(ratiosOf(new Map())).toEqual({});
  });

  it('shows medians a line a peer, nothing where there is none, and names what failed', () => {
    const r = results({
      direct: { rps: [{ perSecond: 5, failed: 0 }] },
      ours: { rps: [{ perSecond: 4, failed: 2 }], idle: [{ kibPerConnection: 7.25, failed: 1 }] },
    });
    expect(tableOf(r).split('\n').slice(2)).toEqual([
      '| direct | 5 |  |  |  |  |  |',
      '| ours | 4 |  |  |  |  | 7.3 |',
    ]);
    expect(failuresOf(r)).toEqual(['ours, rps: 2 failed', 'ours, idle: 1 failed']);
  });
});
