import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { end } from '../../scripts/demo/process.ts';
import { SHORT } from '../harness/rest-rollouts.ts';
import {
  edgeTo,
  Load,
  MasterPath,
  type SlowOrigin,
  slowOrigin,
  WatchedFleet,
} from '../harness/watched-fleet.ts';

// Rollouts of real processes whose master is killed, that a person stops, that another one takes the place of, and whose
// nodes are away or come and go.

let f: WatchedFleet;
let origin: SlowOrigin;
let load: Load;
beforeAll(async () => {
  origin = await slowOrigin(200);
  f = await WatchedFleet.start(['hk-1', 'hk-2', 'hk-3']);
  await f.base(edgeTo('base', [origin.port]));
  load = new Load([...f.ports.values()], 15);
});
afterAll(async () => {
  await load?.stop();
  await f?.stop();
  await origin?.stop();
});

const MANUAL = {
  ...SHORT,
  min_healthy_ms: 500,
  steps: [
    { count: 1, per_region: true, pause: 'manual', analysis: false },
    { percent: 100, per_region: true, pause: null, analysis: false },
  ],
};
/** As long as a node has to be well, twice, and no more. */
const QUICK = {
  ...MANUAL,
  steps: MANUAL.steps.map((s) => ({ ...s, pause: null })),
};
const to = (name: string): string => edgeTo(name, [origin.port]);

describe('a master that is killed', () => {
  it('in every phase of a step carries it to its end', async () => {
    const id = await f.publish('killed', to('killed'));
    await f.again();
    await f.reached(id, 'progressing', (r) => r.phase === 'soaking' || r.phase === 'analysing');
    await f.again();
    await f.reached(id, 'progressing', (r) => r.phase === 'analysing');
    // Which one: the first that was back when the master that was killed at the very start began again.
    expect((await f.targets(id)).filter((t) => t.released)).toHaveLength(1);
    await f.again();
    const r = await f.reached(id, 'succeeded');
    expect(r.counts).toMatchObject({ healthy: 3, failed: 0 });
    await f.allRun('killed');
  });

  it('while it takes back goes on taking back', async () => {
    const id = await f.publish('back', to('back'), MANUAL);
    await f.reached(id, 'paused', (r) => r.paused === 'step');
    await f.verb(id, 'abort');
    await f.again();
    await f.reached(id, 'rolled_back');
    await f.allRun('killed');
  });
});

describe('a person', () => {
  it('aborts: what was released comes back', async () => {
    const id = await f.publish('aborted', to('aborted'), MANUAL);
    await f.reached(id, 'paused', (r) => r.paused === 'step');
    // Which of them: whoever was ready first after the master began again.
    expect(Object.values(await f.runs()).sort()).toEqual(['aborted', 'killed', 'killed']);
    await f.verb(id, 'abort');
    const r = await f.reached(id, 'rolled_back');
    expect(r.why).toBe('root-admin aborted it: test');
    expect((await f.targets(id)).filter((t) => t.released)).toEqual([]);
    await f.allRun('killed');
    expect(
      (await f.call('POST', `/rollouts/${id}/promote`, { reason: 'test' })).status,
    ).toBeGreaterThanOrEqual(400);
  });

  it('publishes another: the first stops where it is, the newer one reaches everybody', async () => {
    const first = await f.publish('first', to('first'), MANUAL);
    await f.reached(first, 'paused', (r) => r.paused === 'step');
    const second = await f.publish('second', to('second'), MANUAL);
    const over = await f.rollout(first);
    expect(over).toMatchObject({ state: 'superseded', superseded_by: second, step: 1 });
    await f.reached(second, 'paused', (r) => r.paused === 'step');
    await f.verb(second, 'promote');
    await f.reached(second, 'succeeded');
    await f.allRun('second');
  });
});

describe('a node', () => {
  it('that is away blocks nobody, and catches up when it is back', async () => {
    await end(f.fleet.agents.get('hk-3')?.pid ?? 0);
    const id = await f.publish('away', to('away'), QUICK);
    const r = await f.reached(id, 'succeeded');
    expect(r.counts).toMatchObject({ healthy: 2, deferred_offline: 1, failed: 0 });
    expect((await f.runs())['hk-1']).toBe('away');
    await f.fleet.startAgent('hk-3');
    await f.allRun('away');
  });

  it('that comes and goes blocks nobody either, and has not failed', async () => {
    let open = true;
    const way = await MasterPath.to(f.fleet.ports.grpc, async () => open);
    const flaps = setInterval(() => {
      open = false;
      setTimeout(() => {
        open = true;
      }, 200);
    }, 1000);
    try {
      await f.through('hk-3', way);
      const before = way.cuts;
      const id = await f.publish('flaps', to('flaps'), {
        ...QUICK,
        min_healthy_ms: 1500,
        healthy_deadline_ms: 8000,
        rollback_ms: 6000,
      });
      const r = await f.reached(id, 'succeeded');
      expect(r.counts).toMatchObject({ failed: 0, reverted: 0 });
      expect(way.cuts - before).toBeGreaterThanOrEqual(2);
    } finally {
      clearInterval(flaps);
    }
    open = true;
    await f.allRun('flaps');
    way.stop();
  });
});
