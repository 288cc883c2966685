import { describe, expect, it } from 'vitest';
import { readWrk } from './wrk-output.ts';

const SAID = `Running 1s test @ http://127.0.0.1:31000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   620.31us  343.90us   9.30ms   92.61%
    Req/Sec   102.90k     4.77k  109.54k    70.00%
  Latency Distribution
     50%  590.00us
     75%  701.00us
     90%  850.00us
     99%    1.62ms
  102310 requests in 1.00s, 3.90MB read
Requests/sec: 102222.45
Transfer/sec:      3.90MB
`;

describe('what wrk says', () => {
  it('is its requests and the latency of the slowest hundredth', () => {
    expect(readWrk(SAID)).toEqual({ perSecond: 102222.45, requests: 102310, p99Ms: 1.62, failed: 0 });
  });

  it.each([
    ['990.00us', 0.99],
    ['1.20s', 1200],
    ['1.10m', 66000],
  ])('reads 99%% of %s', (said, ms) => {
    expect(readWrk(SAID.replace('1.62ms', said)).p99Ms).toBeCloseTo(ms);
  });

  it('counts what was not connected, written or answered; a close after the answer is none', () => {
    const errors = '  Socket errors: connect 1, read 4000, write 2, timeout 3\n';
    expect(readWrk(SAID.replace('Requests/sec', `${errors}Requests/sec`)).failed).toBe(6);
  });

  it('is nothing else', () => {
    expect(() => readWrk('unable to connect to 127.0.0.1:1')).toThrow('unable to connect');
  });
});
