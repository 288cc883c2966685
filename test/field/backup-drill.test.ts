import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectConsole } from '../../proto/link/console-client.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { SimFleet } from '../../scripts/sim/fleet.ts';
import { SimMaster } from '../../scripts/sim/master.ts';
import { report } from '../harness/host.ts';
import { run } from '../harness/run.ts';

// The backup drill, with a thousand nodes: a master is lost with its host, and comes back from a backup on another one.

const NODES = 1_000;
const LABEL = 'v1';
const DOCUMENT = `services: [{name: chat, addr: "0.0.0.0:8443", handler: {type: tcp}, forwarder: {nodes: [{name: origin, addr: "10.1.0.1:8443"}]}}]
`;
const PROMISED_MS = 300_000;

let dir: string;
let fleet: SimFleet;
const masters: SimMaster[] = [];

async function master(): Promise<SimMaster> {
  const one = await SimMaster.start({ set: ['rollout.strategy=at-once'] });
  masters.push(one);
  return one;
}

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'drill-'));
});
afterAll(async () => {
  await fleet?.stop();
  for (const one of masters) await one.stop();
  rmSync(dir, { recursive: true, force: true });
});

const consoleOf = ({ dir }: SimMaster) => connectConsole({ socket: path.join(dir, 'm.sock') });

/** What the fleet is to its master: who belongs to it, since when, by which certificate, and what they run. */
const known = (nodes: readonly Node[]) =>
  nodes.map(({ name, joinedAt, certificate, effective }) => ({ name, joinedAt, certificate, effective }));

describe(`a master of ${NODES} nodes, lost with its host`, () => {
  it('is back on another one as it was backed up, and its agents come to it by the certificates they have', async () => {
    const lost = await master();
    fleet = await SimFleet.start({ nodes: NODES, address: lost.address });
    await fleet.join(lost.api);
    fleet.connect();
    await fleet.until('all are there', 120_000, (t) => t.open === NODES);
    await lost.api.createConfig(
      { reason: 'drill' },
      { label: LABEL, body: Buffer.from(DOCUMENT), description: '', parent: null },
    );
    await lost.api.publish({ reason: 'drill' }, { label: LABEL, target: {}, dryRun: false });
    const api = consoleOf(lost);
    const before = await settled(api);

    const pass = path.join(dir, 'pass');
    const file = path.join(dir, 'fleet.backup');
    writeFileSync(pass, 'what nobody guesses in a year\n');
    const made = await run('ctl', [
      ...['--socket', path.join(lost.dir, 'm.sock'), 'backup', 'create', file, '--passphrase-file', pass],
    ]);
    expect(made.code, made.stderr).toBe(0);

    const after = await api.listNodes();
    api.close();
    await lost.kill('SIGKILL');
    rmSync(lost.stateDir, { recursive: true });
    const back = await master();
    // An address of its own, and nothing of the fleet's.
    await back.kill('SIGTERM');
    rmSync(back.stateDir, { recursive: true });
    const since = Date.now();
    const restored = await run('master', [
      ...['restore', file, '--config', '/dev/null', '--set', `state_dir=${back.stateDir}`],
      ...['--passphrase-file', pass],
    ]);
    expect(restored.code, restored.stderr).toBe(0);
    const revision = Number(/as of revision (\d+),/.exec(restored.stdout)?.[1]);
    expect(revision).toBeGreaterThanOrEqual(before.revision);
    expect(revision).toBeLessThanOrEqual(after.revision);
    await back.begin();
    // One more: a master notes that it began.
    expect((await back.api.listNodes()).revision).toBe(revision + 1);
    report(`the master of ${NODES} nodes serves ${Date.now() - since} ms after the restore was begun`);
    fleet.moveTo(back.address);
    const { opened } = fleet.tally;
    await fleet.until('all are back', PROMISED_MS, (t) => t.open === NODES && t.opened >= opened + NODES);
    report(`${NODES} agents are back ${Date.now() - since} ms after the restore was begun`);

    const { nodes, vitals } = await back.api.listNodes();
    expect(known(nodes)).toEqual(known(after.nodes));
    expect(fleet.tally.joined).toBe(NODES);
    expect(vitals.filter((v) => v.status !== 'ready')).toEqual([]);
    expect((await back.api.listConfigs()).map((c) => c.label)).toEqual([LABEL]);
    const audit = await run('ctl', ['--socket', path.join(back.dir, 'm.sock'), 'audit', 'verify']);
    expect(audit.stdout).toMatch(/^whole/);
  });
});

/** Every node is what it is to be, and the rollout that made it so is over. */
async function settled(api: ReturnType<typeof consoleOf>) {
  for (;;) {
    const { rollouts } = await api.listRollouts({ limit: 1, before: null, open: true });
    const listed = await api.listNodes();
    if (rollouts.length === 0 && listed.nodes.every((n) => n.configSync === 'in_sync')) return listed;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
