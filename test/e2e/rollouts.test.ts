import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RolloutId } from '../../proto/vocab/ids.ts';
import { EDGE_DOCUMENT } from '../../scripts/demo/documents.ts';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { until } from '../../scripts/demo/process.ts';
import { endlessOrigin } from '../harness/endless-origin.ts';
import { type Ran, run } from '../harness/run.ts';
import { LiveStreams } from '../harness/streams.ts';

// Rollouts of a master, two edges and a core as processes, by aicdnctl as a script has it, under streams.

let fleet: Fleet;
let origin: Awaited<ReturnType<typeof endlessOrigin>>;
const streams = new LiveStreams();
beforeAll(async () => {
  origin = await endlessOrigin();
  fleet = await Fleet.start({ origins: { a: origin.port, b: origin.port }, strategy: 'quick' });
  for (const port of [fleet.ports.chat1, fleet.ports.chat2]) streams.open(port, 5);
});
afterAll(async () => {
  streams.close();
  await fleet?.stop();
  await origin?.stop();
});

const ctl = (...args: string[]): Promise<Ran> =>
  run('ctl', ['--socket', fleet.socket, ...args], { timeoutMs: 60_000 });
const create = async (label: string, text: string): Promise<void> => {
  const file = path.join(fleet.dir, `${label}.yml`);
  writeFileSync(file, text);
  const r = await ctl('config', 'create', file, '--label', label);
  expect(r.code, r.stderr).toBe(0);
};
const runs = async (): Promise<Record<string, string | null>> => {
  const { nodes } = await fleet.api.listNodes();
  const edges = nodes.filter((n) => n.nodeType === 'edge');
  return Object.fromEntries(edges.map((n) => [n.name, n.effective?.version ?? null]));
};
const edges = ['--type', 'edge'] as const;

/** The demo's document with another wait, so that it is another document. */
const good = (seconds: number): string =>
  EDGE_DOCUMENT.replace('failTimeout: 5s', `failTimeout: ${seconds}s`);

describe('rollouts', () => {
  it('one a region, then the rest: --follow ends with 0', async () => {
    await create('g1', good(6));
    const r = await ctl('configs', 'publish', 'g1', ...edges, '--follow');
    expect([r.code, r.stderr]).toEqual([0, '']);
    expect(r.stdout).toMatch(/step 1 of 2, progressing.*step 2 of 2, progressing.*step 2 of 2, succeeded/s);
    expect(await runs()).toEqual({ 'hk-1': 'g1', 'hk-2': 'g1' });
  });

  it('a config that a node refuses gets no further than that node, and is taken back', async () => {
    const taken = `"127.0.0.1:${fleet.ports.http}"`;
    await create('bad', good(7).replace(`"127.0.0.1:\${label.chat_port}"`, taken));
    const r = await ctl('configs', 'publish', 'bad', ...edges, '--follow', '--yes', '-o', 'json');
    expect(r.code).toBe(8);
    const { rollout } = JSON.parse(r.stdout) as { rollout: { id: RolloutId } };
    expect(rollout).toMatchObject({ state: { kind: 'rolled_back' }, step: 0 });
    const { targets } = await fleet.api.getRollout({ id: rollout.id, targets: 9 });
    expect(targets.filter((t) => t.offeredAt !== null).length).toBeLessThanOrEqual(1);
    expect(targets.map((t) => t.why).join()).toMatch(/PREPARE: .*in use/);
    expect(await runs()).toEqual({ 'hk-1': 'g1', 'hk-2': 'g1' });
    await fleet.inSync();
  });

  it('a master that is killed in the middle carries it to its end', async () => {
    await create('g2', good(8));
    const steps = [
      { size: { count: 1 }, perRegion: true, pause: 'manual', analysis: false },
      { size: { percent: 100 }, perRegion: true, pause: null, analysis: false },
    ] as const;
    const target = { nodeType: 'edge' } as const;
    const { rollout } = await fleet.api.publish(
      { reason: 'killed' },
      { label: 'g2', target, dryRun: false, strategy: 'standard', overrides: { steps, minHealthyMs: 500 } },
    );
    if (!rollout) throw new Error('no rollout');
    const { id } = rollout;
    const again = async (): Promise<void> => {
      fleet.master.kill('SIGKILL');
      await fleet.master.ended;
      await fleet.startMaster();
    };
    const state = async () => (await fleet.api.getRollout({ id, targets: 0 })).rollout.state;
    // While its first node is being offered it, while a person is waited for, and after the promotion.
    await again();
    await until('the first step', 30_000, async () => ((await state()).kind === 'paused' ? true : null));
    await again();
    expect(await state()).toMatchObject({ kind: 'paused', reason: 'step' });
    expect(Object.values(await runs()).sort()).toEqual(['g1', 'g2']);
    const promoted = await ctl('rollouts', 'promote', id, '--confirm', '1');
    expect([promoted.code, promoted.stderr]).toEqual([0, '']);
    await again();
    const watched = await ctl('rollouts', 'watch', id);
    expect([watched.code, watched.stdout]).toEqual([0, expect.stringContaining('succeeded')]);
    expect(await runs()).toEqual({ 'hk-1': 'g2', 'hk-2': 'g2' });
  });

  it('the fleet revert: a dry run, and what it says is what happens', async () => {
    const dry = await ctl('rollouts', 'revert-last', '--dry-run');
    expect([dry.code, dry.stderr]).toEqual([0, '']);
    expect(dry.stdout).toMatch(/would take back g2.*puts back g1 as v3 on 2 nodes/s);
    const done = await ctl('rollouts', 'revert-last', '--yes', '-o', 'name');
    expect([done.code, done.stderr]).toEqual([0, '']);
    const watched = await ctl('rollouts', 'watch', done.stdout.trim());
    expect(watched.code).toBe(0);
    expect(await runs()).toEqual({ 'hk-1': 'v3', 'hk-2': 'v3' });
    const { stdout } = await ctl('rollouts', 'list', '-o', 'json');
    const all = JSON.parse(stdout) as { version: string; state: { kind: string } }[];
    expect(all.slice(0, 4).map((r) => `${r.version} ${r.state.kind}`)).toEqual([
      'v3 succeeded',
      'g2 succeeded',
      'bad rolled_back',
      'g1 succeeded',
    ]);
    // Whatever was published and taken back, nobody's stream was cut.
    expect(streams.cut).toEqual([]);
  });
});
