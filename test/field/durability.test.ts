import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { killUnderWrites } from '../harness/kill-writes.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ nodes: [] });
});
afterAll(() => fleet?.stop());

it('kill -9 of the master under writes, fifty times: nothing acknowledged is lost, nor its audit record', async () => {
  const { acked, lost, untold, fault } = await killUnderWrites(fleet, 50);
  expect(acked).toBeGreaterThan(50);
  expect(lost).toEqual([]);
  expect(untold).toEqual([]);
  expect(fault).toBeNull();
});
