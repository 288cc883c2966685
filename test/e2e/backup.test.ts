import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { end, until } from '../../scripts/demo/process.ts';
import { run } from '../harness/run.ts';

// A master is lost with its disk and comes back from a backup, under a fleet that carries streams.

let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ clients: 1 });
});
afterAll(() => fleet?.stop());

describe('a restored master', () => {
  it('is one that its agents know: they come back by themselves, nothing is lost, no stream is cut', async () => {
    const pass = path.join(fleet.dir, 'pass');
    const file = path.join(fleet.dir, 'fleet.backup');
    writeFileSync(pass, 'what nobody guesses in a year\n');
    const ctl = (...args: string[]) => run('ctl', ['--socket', fleet.socket, ...args]);
    const made = await ctl('backup', 'create', file, '--passphrase-file', pass);
    expect(made.code, made.stderr).toBe(0);
    const before = JSON.parse((await ctl('configs', 'list', '-o', 'json')).stdout);
    const names = (await ctl('nodes', 'list', '-o', 'name')).stdout;

    await end(fleet.master.pid);
    const state = path.join(fleet.dir, 'master');
    renameSync(state, `${state}.lost`);
    const back = await run('master', [
      'restore',
      file,
      ...['--config', path.join(fleet.dir, 'master.yml'), '--passphrase-file', pass],
    ]);
    expect(back.code, back.stderr).toBe(0);
    await fleet.startMaster();

    await until('every agent', 40_000, async () => {
      const { nodes, vitals } = await fleet.api.listNodes();
      const ready = vitals.filter((v) => v.status === 'ready').length;
      return ready === nodes.length && nodes.every((n) => n.configSync === 'in_sync') ? true : null;
    });
    expect((await ctl('nodes', 'list', '-o', 'name')).stdout).toBe(names);
    expect(JSON.parse((await ctl('configs', 'list', '-o', 'json')).stdout)).toEqual(before);
    expect((await ctl('audit', 'verify')).stdout).toMatch(/^whole/);
    expect(Object.values(fleet.tallies).map((t) => t.failed)).toEqual([0, 0]);
  }, 90_000);
});
