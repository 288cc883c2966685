import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Quantiles } from './quantiles.ts';
import { readHey, readWrk } from './requests.ts';

const WRK = `Running 2s test @ http://127.0.0.1:17999/
  1 threads and 5 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   166.75us  402.29us   6.23ms   95.98%
    Req/Sec    49.54k     8.71k   53.81k    90.48%
  Latency Distribution
     50%   92.00us
     75%   95.00us
     90%  131.00us
     99%    2.43ms
  103425 requests in 2.10s, 12.56MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 20560
Requests/sec:  49282.17
Transfer/sec:      5.99MB
`;
const HEY = `
Summary:
  Total:	2.0002 secs
  Requests/sec:	42085.8263

Response time histogram:
  0.000 [1]	|
  0.001 [83497]	|■■■■■■■■

Latency distribution:
  50%% in 0.0001 secs
  90%% in 0.0002 secs
  99%% in 0.0107 secs

Status code distribution:
  [200]	67278 responses
  [503]	16904 responses

Error distribution:
  [58]	Get "http://127.0.0.1:17998/": dial tcp 127.0.0.1:17998: connect: connection refused
`;

describe("what other people's programs print", () => {
  it('wrk', () => {
    expect(readWrk(WRK)).toEqual({
      requests: 103_425,
      requests_per_s: 49_282.17,
      latency_ms: { p50: 0.092, p90: 0.131, p99: 2.43 },
      failed: 20_570,
    });
    expect(readWrk(WRK.replace(/.*(errors|Non-2xx).*\n/g, '')).failed).toBe(0);
    expect(() => readWrk('unable to connect')).toThrow('wrk printed no figures: unable to connect');
  });
  it('hey', () => {
    expect(readHey(HEY)).toEqual({
      requests: 84_182,
      requests_per_s: 42_085.8263,
      latency_ms: { p50: 0.1, p90: 0.2, p99: 10.7 },
      failed: 16_962,
    });
    expect(() => readHey('')).toThrow('hey printed no figures');
  });
});

describe('quantiles', () => {
  it('within 2 % of the exact one, never below it and never above the greatest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.002, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.5, 0.95, 0.99),
        (samples, q) => {
          const found = new Quantiles();
          for (const s of samples) found.observe(s);
          const sorted = [...samples].sort((a, b) => a - b);
          const exact = sorted[Math.ceil(q * sorted.length) - 1] ?? Number.NaN;
          const is = found.at(q) ?? Number.NaN;
          expect(is).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
          expect(is).toBeLessThanOrEqual(exact * 1.0201);
          expect(is).toBeLessThanOrEqual(sorted.at(-1) ?? 0);
        },
      ),
    );
  });
  it('nothing of nothing', () => {
    expect(new Quantiles().summary()).toEqual({ p50: null, p95: null, p99: null, max: null });
  });
});
