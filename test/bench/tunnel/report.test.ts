import { describe, expect, it } from 'vitest';
import type { Sample } from './measures.ts';
import { EXPECTED, failuresOf, median, ratiosOf, tablesOf } from './report.ts';

function results(of: Record<string, Record<string, Sample[]>>): Map<string, Map<string, Sample[]>> {
  return new Map(Object.entries(of).map(([peer, m]) => [peer, new Map(Object.entries(m))]));
}

const rate = (perSecond: number): Sample[] => [{ perSecond }];

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

  it('leaves out what was not measured; two hops are of mtls, however fast another is', () => {
    const r = results({
      ours: { idle: [{ kibPerConnection: 8 }] },
      'go smux': { rps: [{ perSecond: 100, cpuUs: 20 }] },
      'ours tls': { rps: [{ perSecond: 500, cpuUs: 4 }] },
      'ours mtls': { rps: [{ perSecond: 110, cpuUs: 18 }] },
    });
    expect(ratiosOf(r)).toEqual({
      idle_kib_per_connection: 8,
      two_hops_transport: 'mtls',
      two_hops_rps_vs_go_smux: 1.1,
      two_hops_cpu_vs_go_smux: 0.9,
    });
    expect(ratiosOf(new Map())).toEqual({});
  });

  it('adds to a chunk what direct of the same round did not need', () => {
    const sse = (p50Ms: number, p99Ms: number): Sample[] => [
      { p50Ms, p99Ms },
      { p50Ms: p50Ms + 1, p99Ms: p99Ms * 3 },
    ];
    const cores = (n: number, of: Sample[]): Sample[] => of.map((s) => ({ ...s, cores: n }));
    const r = results({
      direct: { 'sse 2000': sse(0.5, 10) },
      'go smux': { 'sse 2000': cores(0.96, sse(2, 13)) },
      'ours mtls': { 'sse 2000': cores(0.8, sse(1.5, 12)) },
    });
    expect(ratiosOf(r)).toMatchObject({
      two_hops_sse_2000_added_p50_ms: 1,
      two_hops_sse_2000_added_p99_ms: 4,
      go_smux_sse_2000_added_p50_ms: 1.5,
      two_hops_sse_2000_cores: 0.8,
      go_smux_sse_2000_cores: 0.96,
    });
    expect(tablesOf(r).split('\n')).toEqual([
      '**2000 streams of 20 chunks/s**',
      '',
      '|  | p50 ms | p99 ms | added p50 ms | added p99 ms | cores | CPU µs a chunk |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      '| direct | 1.00 | 20.00 |  |  |  |  |',
      '| go smux | 2.50 | 26.00 | 1.50 | 6.00 | 0.96 |  |',
      '| ours mtls | 2.00 | 24.00 | 1.00 | 4.00 | 0.80 |  |',
    ]);
  });

  it('has every ratio that is expected of a run in which everything was measured', () => {
    const all = (n: number): Record<string, Sample[]> => ({
      rps: rate(n),
      connections: rate(n),
      'tls rps': rate(n),
      'tls handshakes': rate(n),
      bulk: [{ mbPerSecond: n }],
      idle: [{ kibPerConnection: n }],
    });
    const r = results({ haproxy: all(10), ours: all(9), 'go smux': all(10), 'ours mtls': all(12) });
    const ratios = ratiosOf(r);
    expect(EXPECTED.filter((name) => ratios[name] === undefined)).toEqual([]);
    expect(ratios).toMatchObject({ tls_rps_vs_haproxy: 0.9, tls_handshakes_vs_haproxy: 0.9 });
  });

  it('shows medians a line a peer, nothing where there is none, and names what failed', () => {
    const r = results({
      direct: { rps: [{ perSecond: 5, p99Ms: 1.234, failed: 0 }] },
      ours: { rps: [{ perSecond: 4, failed: 2 }], idle: [{ kibPerConnection: 7.25, failed: 1 }] },
      unmeasured: {},
    });
    expect(tablesOf(r).split('\n').slice(4)).toEqual([
      '| direct | 5 | 1.23 |  |  |  |  |  |',
      '| ours | 4 |  |  |  |  |  | 7.3 |',
    ]);
    expect(failuresOf(r)).toEqual(['ours, rps: 2 failed', 'ours, idle: 1 failed']);
  });
});
