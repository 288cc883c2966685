import { expect, it } from 'vitest';
import { busySlice, reportOf, seeded } from '../../../test/fakes/traffic.ts';
import { CellWriter } from './cell.ts';
import { TEN_MINUTES, TENTHS } from './day.ts';
import { Gather } from './gather.ts';
import { NodeRing } from './node-ring.ts';
import { newPart } from './part.ts';
import { nodePoint } from './points.ts';

const BEGAN = Date.UTC(2026, 10, 24, 3, 0, 0);
const MINUTE = 60_000;

/** Requests and quantiles of the ten minutes at `at`, as an API tells them. */
function told(ring: NodeRing, at: number) {
  const args = { service: null, start: at, end: at + TEN_MINUTES, stepMs: TEN_MINUTES, now: at };
  const { requests, ttft95Ms, cpuPct } = nodePoint(ring, at, args, newPart());
  return { requests, ttft95Ms, cpuPct };
}

/** When its reports come, in minutes: silent for 35 of them, later for two hours, and once with the clock set back. */
function* times(): Generator<number> {
  for (let m = 0; m < 47; m += 1 / 3) yield m;
  for (let m = 82; m < 151; m += 1 / 3) yield m;
  for (let m = 144; m < 200; m += 1 / 3) yield m;
  for (let m = 320; m < 380; m += 1 / 3) yield m;
}

it('nobody sees how long after its ten minutes a node puts them into its day', () => {
  const random = seeded(7);
  const reports = Array.from({ length: 20 }, () => reportOf([busySlice('chat', random)]));
  const tools = { writer: new CellWriter(), gather: new Gather() };
  const rings = Array.from({ length: TENTHS }, (_, late) => new NodeRing(late));
  let i = 0;
  let compared = 0;
  for (const minute of times()) {
    const at = BEGAN + Math.round(minute * MINUTE);
    const report = reports[i++ % 20] as (typeof reports)[0];
    for (const ring of rings) ring.take(report, at, tools);
    if (i % 7 !== 0) continue;
    const now = Math.floor(at / TEN_MINUTES) * TEN_MINUTES;
    for (let ago = 1; ago <= 36; ago++) {
      const [first, ...others] = rings.map((r) => told(r, now - ago * TEN_MINUTES));
      for (const other of others) {
        compared += first?.requests ? 1 : 0;
        if (first?.requests == null) expect(other).toEqual(first);
        else {
          // A day keeps its numbers to 0.02 %, minutes keep them whole.
          expect((other.requests ?? 0) / first.requests).toBeCloseTo(1, 3);
          expect((other.ttft95Ms ?? 0) / (first.ttft95Ms ?? 1)).toBeCloseTo(1, 3);
          expect(other.cpuPct).toBe(first.cpuPct);
        }
      }
    }
  }
  expect(compared).toBeGreaterThan(1000);
});
