import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../scripts/demo/process.ts';
import { NO_ANSWERS } from '../../scripts/sim/behaviour.ts';
import { SimFleet } from '../../scripts/sim/fleet.ts';
import { SimMaster } from '../../scripts/sim/master.ts';
import { bodyOf, FIRST_BODY } from '../bench/fleet/documents.ts';

// A7: a fleet that has lost its master comes back at once. The long form has the whole ten thousand; what it costs is
// measured by `npm run bench:fleet`.
const LONG = process.env['AICDN_FAULTS_LONG'] === '1';
const AGENTS = LONG ? 10_000 : 600;
const WITHIN_MS = LONG ? 600_000 : 120_000;

let master: SimMaster;
let fleet: SimFleet;

beforeAll(async () => {
  master = await SimMaster.start();
  fleet = await SimFleet.start({ nodes: AGENTS, address: master.address });
  await publish('first', FIRST_BODY);
  await fleet.join(master.api);
  fleet.connect();
  await allHave('first');
}, WITHIN_MS);

afterAll(async () => {
  await fleet?.stop();
  await master?.stop();
});

async function publish(label: string, text: string): Promise<void> {
  const body = Buffer.from(text);
  await master.api.createConfig({ reason: 'a7' }, { label, description: '', body, parent: null });
  await master.api.publish({ reason: 'a7' }, { label, target: {}, dryRun: false });
}

/** Everybody is here, and has it, as the master sees it: who is not is named. */
async function allHave(label: string): Promise<void> {
  await fleet.until('all are connected', WITHIN_MS, (t) => t.open === AGENTS);
  let lacking: readonly string[] = [];
  await until(
    `all ${AGENTS} are ready and run ${label}`,
    WITHIN_MS,
    async () => {
      const { nodes, vitals } = await master.api.listNodes();
      const ready = new Set(vitals.filter((v) => v.status === 'ready').map((v) => v.name));
      lacking = nodes
        .filter((n) => !ready.has(n.name) || n.configSync !== 'in_sync' || n.effective?.version !== label)
        .map((n) => n.name);
      return nodes.length === AGENTS && lacking.length === 0 ? true : null;
    },
    () => `${lacking.length} are not: ${lacking.slice(0, 5).join(', ')}`,
  );
}

describe(`${AGENTS} agents whose master is killed`, () => {
  test(
    'come back by themselves, none is stuck, and each takes and answers what is published then',
    async () => {
      const { opened } = fleet.tally;
      await master.kill('SIGKILL');
      await fleet.until('all have noticed', WITHIN_MS, (t) => t.open === 0);
      await master.begin();
      await allHave('first');
      expect(fleet.tally.opened - opened).toBeGreaterThanOrEqual(AGENTS);
      // They run it already: nobody was offered it again.
      expect(fleet.tally.answers['first']?.offered).toBe(AGENTS);
      await publish('second', bodyOf('second'));
      await allHave('second');
      const { answers } = await fleet.until(
        'all have said so',
        WITHIN_MS,
        (t) => (t.answers['second']?.applied ?? 0) >= AGENTS,
      );
      expect(answers['second']).toMatchObject({ offered: AGENTS, applied: AGENTS, refused: 0 });
    },
    3 * WITHIN_MS,
  );

  test(
    'while they put a config into force: the next master hears of it, or gives it to those whom it had not reached',
    async () => {
      fleet.behave({ ackMs: 3_000 });
      await publish('third', bodyOf('third'));
      await master.kill('SIGKILL');
      await fleet.until('all have noticed', WITHIN_MS, (t) => t.open === 0);
      const { offered, applied } = fleet.tally.answers['third'] ?? NO_ANSWERS;
      await master.begin();
      await allHave('third');
      console.log(
        `A7: when all had noticed, ${offered} of ${AGENTS} had been offered it and ${applied} had it in force`,
      );
      await fleet.until('all have said so', WITHIN_MS, (t) => (t.answers['third']?.applied ?? 0) >= AGENTS);
    },
    3 * WITHIN_MS,
  );
});
