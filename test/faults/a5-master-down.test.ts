import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { until } from '../../scripts/demo/process.ts';

// A5: while the master is down no request fails, and its agents are back within 30 s of its return.
// AICDN_FAULTS_LONG=1 keeps it down for ten minutes, as the promise has it; by default it is 20 s.

const DOWN_MS = process.env['AICDN_FAULTS_LONG'] === '1' ? 600_000 : 20_000;
let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ clients: 10 });
});
afterAll(() => fleet?.stop());

it(`the master is down for ${DOWN_MS / 1000} s: no request fails, and every agent is back in time`, {
  timeout: DOWN_MS + 120_000,
}, async () => {
  const tallies = () => Object.values(fleet.tallies);
  const answers = () => tallies().reduce((sum, t) => sum + t.answers, 0);
  await until('chats are answered', 20_000, () => (answers() > 20 ? true : null));
  const before = answers();
  fleet.master.kill('SIGKILL');
  await fleet.master.ended;
  await sleep(DOWN_MS);
  const during = answers() - before;
  expect(during).toBeGreaterThan(DOWN_MS / 1000);
  await fleet.startMaster();
  const returned = performance.now();
  await fleet.inSync(undefined, 30_000);
  const backMs = performance.now() - returned;
  const after = answers();
  await until('more is answered', 20_000, () => (answers() > after + 20 ? true : null));
  expect(tallies().map((t) => t.failed)).toEqual(tallies().map(() => 0));
  expect(backMs).toBeLessThan(30_000);
  console.log(
    `A5: ${during} answers in ${DOWN_MS / 1000} s without a master, agents back ${Math.round(backMs)} ms after its return`,
  );
});
