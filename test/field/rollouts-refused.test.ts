import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import { until } from '../../scripts/demo/process.ts';
import { SHORT } from '../harness/rest-rollouts.ts';
import {
  accepts,
  edgeTo,
  MasterPath,
  type SlowOrigin,
  slowOrigin,
  WatchedFleet,
} from '../harness/watched-fleet.ts';

// Configs that a node cannot take or keep, on real engines: how far each gets, and where the fleet is afterwards.

let f: WatchedFleet;
let origin: SlowOrigin;
let way: MasterPath;
let cutPort = 0;
beforeAll(async () => {
  [cutPort = 0] = await freePorts(1);
  origin = await slowOrigin(5);
  f = await WatchedFleet.start(['hk-1', 'hk-2', 'hk-3']);
  // Its way to the master ends while somebody accepts on that port.
  way = await MasterPath.to(f.fleet.ports.grpc, async () => !(await accepts(cutPort)));
  await f.through('hk-1', way);
  await f.base(edgeTo('base', [origin.port]));
});
afterAll(async () => {
  way?.stop();
  await f?.stop();
  await origin?.stop();
});

/** Its gates would never open: what happens here happens before. */
const OPEN_END = { ...SHORT, gates: { ...SHORT.gates, window_ms: 600_000 } };

const wentBack = async (id: string, why: RegExp): Promise<void> => {
  const r = await f.reached(id, 'rolled_back');
  expect(r.why).toMatch(/^1 of 1 failed in the first step; hk-1: /);
  expect(r.why).toMatch(why);
  const targets = await f.targets(id);
  expect(targets.filter((t) => t.offered_at !== null || t.state === 'failed').map((t) => t.node)).toEqual([
    'hk-1',
  ]);
  expect(targets.filter((t) => t.released)).toEqual([]);
  await f.allRun('base');
  await f.fleet.inSync(f.names, 30_000);
};

describe('a config that', () => {
  it('is no YAML is refused with its place, and no rollout begins', async () => {
    const before = (await f.call('GET', '/rollouts')).body as { rollouts: unknown[] };
    const r = await f.call('POST', '/configs', { version: 'no-yaml', config: 'services:\n- name: [chat\n' });
    expect(r.status).toBe(400);
    expect(JSON.stringify(r.body)).toMatch(/line \d+, column \d+/);
    const after = (await f.call('GET', '/rollouts')).body as { rollouts: unknown[] };
    expect(after.rollouts).toHaveLength(before.rollouts.length);
    await f.allRun('base');
  });

  it('wants a port that is in use', async () => {
    const id = await f.publish('clash', edgeTo('clash', [origin.port], `${f.fleet.ports.http}`), OPEN_END);
    await wentBack(id, /PREPARE: .*in use/);
  });

  it('leads nowhere', async () => {
    const id = await f.publish('hole', edgeTo('hole', ['127.0.0.9:9']), OPEN_END);
    await wentBack(id, /CONFIRM: chat does not reach its target any more/);
  });

  it('crashes the engine again and again', async () => {
    const id = await f.publish('crash', edgeTo('crash', [origin.port]), OPEN_END);
    const killed = new Set<number>();
    await until('it is taken back', 90_000, async () => {
      if ((await f.rollout(id)).state === 'rolled_back') return true;
      const pid = await f.enginePid('hk-1');
      if ((await f.runs())['hk-1'] !== 'crash' || pid === 0 || killed.has(pid)) return null;
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
      return null;
    });
    expect(killed.size).toBeGreaterThanOrEqual(3);
    await wentBack(id, /CONFIRM: the engine started \d times within 60 s of the switch/);
  });

  it('cuts the node off from its master: it heals itself, and has failed', async () => {
    way.hold();
    const id = await f.publish('cuts', edgeTo('cuts', [origin.port], `${cutPort}`), {
      ...OPEN_END,
      rollback_ms: 4000,
    });
    await wentBack(id, /CONFIRM: .*master/);
    expect(way.cuts).toBe(1);
    expect(await accepts(cutPort)).toBe(false);
  });

  it('was refused is not offered again, but where a person publishes it again', async () => {
    const again = await f.call('POST', '/configs/hole/publish', {
      target: { node_type: 'edge' },
      strategy: 'unattended',
      overrides: OPEN_END,
    });
    expect(again.status).toBe(200);
    const { rollout } = again.body as { rollout: { id: string } };
    await wentBack(rollout.id, /CONFIRM: chat does not reach its target any more/);
  });

  it('was ever refused was offered to the first node alone, and once, but where a person published it again', async () => {
    // Whoever comes back is looked at anew: now is when it would be offered again.
    await f.again();
    await f.fleet.inSync(f.names, 30_000);
    const { base, ...bad } = f.offers('hk-1');
    expect(base).toBeGreaterThanOrEqual(1);
    expect(bad).toEqual({ clash: 1, hole: 2, crash: 1, cuts: 1 });
    for (const name of ['hk-2', 'hk-3']) expect(Object.keys(f.offers(name))).toEqual(['base']);
    await f.allRun('base');
  });
});
