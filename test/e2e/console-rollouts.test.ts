import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RolloutStep } from '../../proto/vocab/rollout.ts';
import { EDGE_DOCUMENT } from '../../scripts/demo/documents.ts';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { program, until } from '../../scripts/demo/process.ts';
import { guarded, openTty, type Tty } from '../harness/tty.ts';

// Screen 3 as its user has it: a console on a pty, rollouts on a fleet of real processes under live streams. One fleet
// and one console for the file; each test goes on where the one before left off.

let fleet: Fleet;
let tty: Tty;

beforeAll(async () => {
  fleet = await Fleet.start({ clients: 1 });
  tty = openTty({ cols: 120, rows: 40, env: { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', NODE_ENV: 'production' } });
});
afterAll(async () => {
  tty?.close();
  await fleet?.stop();
});

const runs = async (): Promise<Record<string, string>> => {
  const { nodes } = await fleet.api.listNodes();
  const edges = nodes.filter((n) => n.nodeType === 'edge');
  return Object.fromEntries(edges.map((n) => [n.name, n.effective?.version ?? '']));
};
const newest = async () => {
  const [rollout] = (await fleet.api.listRollouts({ limit: 1, before: null })).rollouts;
  if (rollout === undefined) throw new Error('no rollout');
  return rollout;
};
const failed = () => Object.values(fleet.tallies).map((t) => t.failed);
const cut = () => expect(failed()).toEqual([0, 0]);

async function version(label: string, timeout: string): Promise<void> {
  const body = Buffer.from(EDGE_DOCUMENT.replace('failTimeout: 5s', `failTimeout: ${timeout}`));
  await fleet.api.createConfig({ reason: 'test' }, { label, description: timeout, body, parent: 'v2' });
}

const step = (size: RolloutStep['size'], pause: RolloutStep['pause']): RolloutStep => ({
  size,
  perRegion: true,
  pause,
  analysis: false,
});

describe('a rollout, watched and steered from the console', () => {
  it('regions, with figures merged from the streams that go on', async () => {
    tty.type(guarded(`${process.execPath} ${program('tui')} --socket ${fleet.socket}`));
    await tty.wait(/hk-1 +hk edge ● ready/);
    tty.type('2');
    await tty.wait(/> cn +core +1/);
    await tty.wait(/all edge +2 .* [1-9]\d* +\d+ +\d+ +\d+ /);
    tty.type('j\r');
    await tty.wait(/Nodes {2}\/-l region=hk type=edge {2}2 of 3/);
  });

  it('P: the blast radius, the diff, a strategy, why, and the number typed', async () => {
    await version('v3', '6s');
    tty.type('3');
    await tty.wait(/Rollouts \/ 2 .*● succeeded/);
    tty.type('\t');
    await tty.wait(/ {2}· v3 +.* not published +root +6s/);
    tty.type('\t');
    await tty.wait(/Rollouts \/ 2 /);
    tty.type(':publish v3 type=edge\r');
    await tty.wait(/dry run of \S+: nothing has been sent to any node/);
    await tty.wait(/nodes +2 hk edge +hk-1 hk-2 +2 get it in steps, 0 of them would refuse/);
    await tty.wait(/listeners +none closes or opens +keeps 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+/);
    await tty.wait(/routes +hop cores failTimeout 5s → 6s on 2/);
    await tty.wait(/Checked +schema ● .* 2 of 2 render .*ports ● none is opened/);
    await tty.wait(/12 +- +selector: .*failTimeout: 5s/);
    await tty.wait(/12 \+ +selector: .*failTimeout: 6s/);
    await tty.typeUntil('\r', /✗ a reason is wanted/);
    // To whom, then how: Right chooses the first of the names.
    tty.type('\t\t\t\u001b[C');
    await tty.wait(/\[standard]/);
    await tty.wait(/steps +50 % = 1, you promote +100 % = 2 /);
    tty.type('\t\tfail later\t2');
    await tty.wait(/2▏ +● matches/);
    expect(await runs()).toEqual({ 'hk-1': 'v2', 'hk-2': 'v2' });
    tty.type('\r');
    await tty.wait(/● rollout 3 takes v3 to 2 nodes/);
    await tty.wait(/Rollouts \/ 3 +v3 to type=edge +» progressing, step 1 of 2/);
    await tty.wait(/\[3 Rollouts »1]/);
  });

  it('p holds it and lets it go; every other screen says how far it is', async () => {
    await tty.wait(/Targets 2 .* · 1 waiting +1 on v3 now, 50\.0 %/);
    await tty.wait(/p pause {3}/);
    tty.type('p');
    await tty.wait(/‖ rollout 3 paused: root paused it {3}p resumes/);
    await tty.wait(/\[3 Rollouts ‖1]/);
    expect((await newest()).state).toMatchObject({ kind: 'paused', reason: 'manual' });
    await tty.wait(/p resume {3}/);
    tty.type('p');
    await tty.wait(/● rollout 3 is progressing/);
    await tty.wait(/p pause {3}/);
    tty.type('1');
    await tty.wait(/» rollout 3 {2}v3 to edge {2}step 1 of 2/);
    await tty.wait(/hk-\d +hk edge . ready .* v3 /);
    tty.type('3');
  });

  it('u takes it back from the one that has it: a reason, and the number typed', async () => {
    await tty.wait(/u roll back {3}/);
    tty.type('u');
    await tty.wait(/Roll back rollout 3/);
    await tty.typeUntil('\r', /✗ a reason is wanted/);
    tty.type('not this one\t1\r');
    await tty.wait(/▲ rolled_back/);
    await tty.wait(/Because +root aborted it: not this one/);
    await tty.wait(/Targets 2 +○ \d reverted/);
    await until('v2 again', 15_000, async () =>
      Object.values(await runs()).every((v) => v === 'v2') ? true : null,
    );
    cut();
  });

  it('one that waits for a person is promoted by n', async () => {
    const [hk] = (await fleet.api.listNodes()).nodes.filter((n) => n.nodeType === 'edge');
    if (hk === undefined) throw new Error('no edge');
    await version('v4', '7s');
    await fleet.api.publish(
      { reason: 'step by step' },
      {
        label: 'v4',
        target: { nodeType: 'edge' },
        dryRun: false,
        strategy: 'standard',
        overrides: {
          minHealthyMs: 500,
          steps: [step({ count: 1 }, 'manual'), step({ percent: 100 }, null)],
        },
      },
    );
    await tty.wait(/‖ rollout 4 waits for a person after step 1 of 2 {3}n promotes/);
    expect(Object.values(await runs()).sort()).toEqual(['v2', 'v4']);
    await tty.wait(/n promote {3}/);
    tty.type('n');
    await tty.wait(/Promote rollout 4/);
    await tty.wait(/then +step 2, 100 %: 1 more node gets v4/);
    await tty.typeUntil('\r', /✗ type 1/);
    tty.type('1\r');
    await tty.wait(/Rollouts \/ 4 +v4 to type=edge +● succeeded/);
    expect(await runs()).toEqual({ 'hk-1': 'v4', 'hk-2': 'v4' });
    await tty.wait(/● 1 1 a region .* root promoted it/);
    cut();
  });

  it('U, from any screen: a dry run, the name of the fleet typed, and the content before is back', async () => {
    tty.type('4');
    await tty.wait(/\[4 Alerts/);
    tty.type('U');
    await tty.wait(/Fleet revert: take back the last publish/);
    await tty.wait(/takes back +v4, published \S+ by root, rollout 4 \(succeeded\)/);
    await tty.wait(/puts back +v2 as a new version v5, byte for byte/);
    await tty.typeUntil('\r', /✗ type demo/);
    tty.type('demo\r');
    await tty.wait(/● fleet revert: rollout 5 is /);
    tty.type('3');
    await tty.wait(/Rollouts \/ 5 +v5 .*● succeeded/);
    expect(await runs()).toEqual({ 'hk-1': 'v5', 'hk-2': 'v5' });
    const [was, is] = await Promise.all(['v2', 'v5'].map((label) => fleet.api.getConfig(label)));
    expect(Buffer.from(is?.body ?? []).equals(Buffer.from(was?.body ?? []))).toBe(true);
    await tty.typeUntil('U', /U fleet revert, last publish is off: rollout 5 has taken it back/);
    cut();
  });

  it('Tab: every version, with who published it', async () => {
    tty.type('\t');
    await tty.wait(/Config versions {2}5/);
    await tty.wait(/● v5 +.* 2\/2 /);
    tty.type('\u0003');
    await tty.wait(/code=0\s+same/);
  });
});
