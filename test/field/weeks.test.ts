import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClockedFleet } from '../harness/clocked-fleet.ts';

// Certificates of nodes last seven days; these are weeks.

const DAY_MS = 86_400_000;
let f: ClockedFleet;
beforeAll(async () => {
  f = await ClockedFleet.start();
}, 60_000);
afterAll(() => f?.stop());

it.each([
  ['eight days', 8],
  ['another three weeks', 29],
])(
  '%s without power, master and agents: all come back by themselves, with new certificates',
  async (_, days) => {
    const before = await f.certificates();
    await f.switchOff();
    await f.switchOn(days);
    const after = await f.renewed(before);
    for (const name of f.nodes) {
      expect(before.get(name)?.notAfter).toBeLessThan(f.now());
      expect(after.get(name)?.notAfter).toBeGreaterThan(f.now() + 6 * DAY_MS);
    }
    expect((await f.fleet.api.verifyAudit()).fault).toBeNull();
  },
  240_000,
);

it('the fleet gets another CA while it runs: no node joins again, and no step is taken too early', async () => {
  const step = async (name: string) => f.offline('ca', 'rotate', name);
  const begins = await f.certificates();
  await f.switchOff();
  expect((await step('switch')).text).toContain('what comes next is begin');
  expect(await step('begin')).toMatchObject({ code: 0 });
  const early = await step('switch');
  expect(early.code).toBe(1);
  expect(early.text).toContain('not renewed since the last step: cn-1, hk-1');

  await f.switchOn(33);
  const told = await f.renewed(begins);
  await f.switchOff();
  expect(await step('switch')).toMatchObject({ code: 0 });
  expect((await step('retire')).text).toContain('cn-1, hk-1');

  await f.switchOn(37);
  await f.renewed(told);
  await f.switchOff();
  expect((await f.offline('ca', 'status')).text).toBe('the CA is switched');
  expect(await step('retire')).toMatchObject({ code: 0 });

  await f.switchOn(38);
  expect((await f.offline('audit', 'verify')).text).toContain('The master runs');
  const { records } = await f.fleet.api.listAudit({ limit: 10, before: null, action: 'ca.rotate' });
  expect(records.map((r) => `${r.source} ${r.subject} ${r.outcome}`).filter((r) => r.endsWith('ok'))).toEqual(
    ['offline retire ok', 'offline switch ok', 'offline begin ok'],
  );
}, 480_000);
