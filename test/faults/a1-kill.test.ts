import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { killUnderWrites } from '../harness/kill-writes.ts';

// A1: kill -9 of the master under acknowledged writes, 50 times; AICDN_FAULTS_LONG=1: 200 times, as the promise has it.

const ROUNDS = process.env['AICDN_FAULTS_LONG'] === '1' ? 200 : 50;
let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ nodes: [] });
});
afterAll(() => fleet?.stop());

it(`kill -9 of the master under writes, ${ROUNDS} times: nothing acknowledged is lost, all of it is in the audit log, it starts every time`, {
  timeout: ROUNDS * 6000,
}, async () => {
  const { acked, lost, untold, fault, slowestStartMs } = await killUnderWrites(fleet, ROUNDS);
  console.log(`A1: ${acked} writes acknowledged, slowest start ${slowestStartMs} ms`);
  expect(acked).toBeGreaterThan(ROUNDS);
  expect({ lost, untold, fault }).toEqual({ lost: [], untold: [], fault: null });
});
