import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { ROOT, until } from '../../scripts/demo/process.ts';
import { SimFleet } from '../../scripts/sim/fleet.ts';
import { SimMaster } from '../../scripts/sim/master.ts';

// So long that it travels compressed.
const BODY = `${'# the same on each line\n'.repeat(100)}services:
- {name: chat, addr: "0.0.0.0:8443", handler: {type: tcp}, listener: {type: tcp}, forwarder: {nodes: [{name: o, addr: "10.1.0.1:80"}]}}
`;

const sim = (...args: readonly string[]) =>
  execa(process.execPath, [path.join(ROOT, 'scripts/sim/main.ts'), ...args], {
    reject: false,
    timeout: 50_000,
  });

test('simulated agents join, apply what is published, refuse what they are told to, and report', async () => {
  const master = await SimMaster.start({ heartbeat: '1s' });
  const fleet = await SimFleet.start({
    nodes: 20,
    address: master.address,
    offline: 0.2,
    behaviour: { ackMs: 20, refused: ['v2'] },
  });
  const publish = async (label: string, text: string): Promise<void> => {
    await master.api.createConfig(
      { reason: 'sim' },
      { label, description: '', body: Buffer.from(text), parent: null },
    );
    await master.api.publish({ reason: 'sim' }, { label, target: {}, dryRun: false });
  };
  try {
    await publish('v1', BODY);
    await fleet.join(master.api);
    fleet.connect();
    const away = fleet.nodes.filter((n) => n.offline).map((n) => n.name);
    expect(away.length).toBeGreaterThan(0);
    const here = fleet.expected;
    await fleet.until('v1 is applied', 30_000, (t) => t.open === here && t.answers['v1']?.applied === here);
    await publish('v2', BODY.replace('8443', '8444'));
    await fleet.until('v2 is refused', 30_000, (t) => t.answers['v2']?.refused === here);
    const { nodes } = await until('they report, and the master has heard their answers', 30_000, async () => {
      const seen = await master.api.listNodes();
      const reporting = seen.vitals.filter((v) => v.ttft95Ms !== null).length;
      const failed = seen.nodes.filter((n) => n.configSync === 'failed').length;
      return reporting === here && failed === here ? seen : null;
    });
    expect(
      nodes
        .filter((n) => n.configSync !== 'failed')
        .map((n) => n.name)
        .toSorted(),
    ).toEqual(away.toSorted());
    expect(new Set(nodes.map((n) => n.certificate?.serial)).size).toBe(20);
    const { opened } = fleet.tally;
    fleet.cut(0, 1, 'cut by the test');
    await fleet.until('they are back', 30_000, (t) => t.open === here && t.opened === opened + here);
    expect(fleet.tally.reasons['cut by the test']).toBe(here);
  } finally {
    await fleet.stop();
    await master.stop();
  }
});

test('npm run sim: a line a second, JSON on request, on a master that is there, and nothing is left behind', async () => {
  const master = await SimMaster.start();
  try {
    const socket = path.join(master.dir, 'm.sock');
    const run = await sim(
      '--nodes',
      '5',
      '--seconds',
      '2',
      '--json',
      '--master',
      master.address,
      '--socket',
      socket,
    );
    expect([run.exitCode, run.stderr]).toEqual([0, expect.stringContaining('5 joined')]);
    const last = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(last).toMatchObject({ nodes: 5, joined: 5, open: 5 });
    expect((await master.api.listNodes()).nodes).toHaveLength(5);
  } finally {
    await master.stop();
  }
});

test('npm run sim: what is wrong with the command line is said, with exit code 2', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'aicdn-sim-'));
  const file = path.join(dir, 'key');
  writeFileSync(file, 'ck1.x');
  try {
    const wrong = await Promise.all([
      sim('--refuse', 'most'),
      sim('--master', '127.0.0.1:1', '--token', file),
    ]);
    expect(wrong.map((r) => [r.exitCode, r.stderr])).toEqual([
      [2, expect.stringContaining('percent from 0 to 100')],
      [2, expect.stringContaining('--socket PATH, or --ca PIN and --token FILE')],
    ]);
    const help = await sim('--help');
    expect([help.exitCode, help.stdout]).toEqual([0, expect.stringContaining('--offline P')]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
