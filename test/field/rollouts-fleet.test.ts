import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SimFleet } from '../../scripts/sim/fleet.ts';
import { SimMaster } from '../../scripts/sim/master.ts';
import { RestRollouts, SHORT } from '../harness/rest-rollouts.ts';

// A hundred agents with mutual-TLS streams on a real master, what they carry made up: a tenth of them never comes, some
// come and go, and each version does to its streams what it is told to. Every offer is counted at the node.

const BODY = (port: number): string => `services:
- name: chat
  addr: "127.0.0.1:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}
`;
const BUSY = { traffic: 30 };
let master: SimMaster;
let fleet: SimFleet;
let rest: RestRollouts;
beforeAll(async () => {
  master = await SimMaster.start({ heartbeat: '1s' });
  const { secret } = await master.api.createApiKey(
    { reason: 'test' },
    { name: 'test', role: 'operator', scopes: null, ttlMs: null },
  );
  rest = new RestRollouts(master.rest, secret);
  await rest.publish('base', BODY(8000), {}, 'at-once');
  fleet = await SimFleet.start({
    nodes: 100,
    cores: 0,
    offline: 0.1,
    flap: 0.02,
    address: master.address,
    behaviour: {
      ackMs: 50,
      flapEveryMs: 3000,
      refused: ['refused'],
      effects: {
        base: BUSY,
        good: BUSY,
        slower: { ...BUSY, ttft: 1.3 },
        errors: { ...BUSY, errorPct: 5 },
        nan: { ...BUSY, noNumber: true },
      },
    },
  });
  await fleet.join(master.api);
  fleet.connect();
  await fleet.until('all run it', 60_000, (t) => (t.answers['base']?.applied ?? 0) >= fleet.expected);
});
afterAll(async () => {
  await fleet?.stop();
  await master?.stop();
});

const FAST = {
  ...SHORT,
  min_healthy_ms: 1000,
  // Who comes and goes is waited for no longer.
  healthy_deadline_ms: 10_000,
  rollback_ms: 5_000,
  max_parallel: 200,
  gates: { ...SHORT.gates, min_samples: 400 },
};
const offered = (label: string): number => fleet.tally.answers[label]?.offered ?? 0;
/** What its agents were offered is told by the fleet a little later. */
const threeBeats = (): Promise<unknown> => {
  const beats = fleet.tally.heartbeats;
  return fleet.until('three beats of everybody', 60_000, (t) => t.heartbeats > beats + 300);
};
/** One of each of the five regions, and nobody twice. */
const onlyCanaries = async (id: string, label: string): Promise<void> => {
  const tried = (await rest.targets(id)).filter((t) => t.step === 1);
  expect(tried).toHaveLength(5);
  expect(offered(label)).toBeLessThanOrEqual(5);
  expect((await rest.targets(id)).filter((t) => t.released)).toEqual([]);
};

describe('a fleet of which a tenth is offline and some come and go', () => {
  it('is what it says: offline and flapping nodes are there', () => {
    expect(fleet.nodes.filter((n) => n.offline).length).toBeGreaterThanOrEqual(5);
    expect(fleet.nodes.filter((n) => n.flaps).length).toBeGreaterThanOrEqual(1);
  });

  it.each([
    ['slower', /TTFT p95 \+\d+\.\d % of \+25 %/],
    ['errors', /errors \+\d+\.\d\d pt of \+0\.30 pt/],
    ['refused', /PREPARE: 127\.0\.0\.1:8443 is in use/],
  ])('%s is taken back from one a region, and is offered to nobody else', async (label, why) => {
    const id = await rest.publish(label, BODY(8100 + label.length), FAST);
    const r = await rest.reached(id, 'rolled_back');
    expect(r.why).toMatch(why);
    await threeBeats();
    await onlyCanaries(id, label);
    // Nobody is asked twice, however long one waits: the master looks again several times.
    const before = offered(label);
    expect(before).toBeGreaterThan(0);
    await threeBeats();
    expect(offered(label)).toBe(before);
  });

  it('NaN in the figures of those that run it: it is promoted by nobody', async () => {
    const id = await rest.publish('nan', BODY(8200), {
      ...FAST,
      gates: { ...FAST.gates, window_ms: 5000 },
    });
    const r = await rest.reached(id, 'paused');
    expect(r).toMatchObject({ paused: 'inconclusive', step: 1 });
    expect(offered('nan')).toBeLessThanOrEqual(5);
    await rest.verb(id, 'abort');
    await rest.reached(id, 'rolled_back');
    await onlyCanaries(id, 'nan');
  });

  it('what is as good as before reaches everybody who is there, and fails nowhere', async () => {
    const id = await rest.publish('good', BODY(8300), FAST);
    const r = await rest.reached(id, 'succeeded');
    expect(r.counts['failed']).toBe(0);
    expect(r.counts['deferred_offline']).toBeGreaterThanOrEqual(fleet.nodes.filter((n) => n.offline).length);
    expect((r.counts['healthy'] ?? 0) + (r.counts['deferred_offline'] ?? 0)).toBe(100);
  });
});
