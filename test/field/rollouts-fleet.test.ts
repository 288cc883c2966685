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
/** A thousand samples a node in seconds, also where it is night. */
const BUSY = { traffic: 400 };
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
  gates: { ...SHORT.gates, min_samples: 1000 },
};
const offered = (label: string): number => fleet.tally.answers[label]?.offered ?? 0;
/** Offers of what was taken back, as its agents had heard them then. */
const taken = new Map<string, number>();
/** One of each of the five regions was offered it, once, and nobody else; they are back. */
const onlyCanaries = async (id: string, label: string): Promise<void> => {
  const targets = await rest.targets(id);
  const tried = targets.filter((t) => t.step === 1);
  expect(tried).toHaveLength(5);
  expect(new Set(tried.map((t) => t.node.split('-')[0])).size).toBe(5);
  expect(targets.filter((t) => t.offered_at !== null && t.step !== 1)).toEqual([]);
  expect(targets.filter((t) => t.released)).toEqual([]);
  // Told by the agents a little later.
  await fleet.until(
    'heard',
    10_000,
    () => offered(label) >= tried.filter((t) => t.offered_at !== null).length,
  );
  expect(offered(label)).toBeLessThanOrEqual(5);
  taken.set(label, offered(label));
  expect(Object.values(await rest.runs()).filter((v) => v === label)).toEqual([]);
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
    await onlyCanaries(id, label);
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
    // Nobody is waited for who comes and goes.
    const unsettled = (await rest.targets(id)).filter(
      (t) => t.state !== 'healthy' && t.state !== 'deferred_offline',
    );
    const flapping = fleet.nodes.filter((n) => n.flaps).map((n) => `${n.name}`);
    expect(unsettled.filter((t) => !flapping.includes(t.node))).toEqual([]);
  });

  it('nobody was offered again what was taken back, however often they came and the master looked', async () => {
    const beats = fleet.tally.heartbeats;
    await fleet.until('three beats of everybody', 60_000, (t) => t.heartbeats > beats + 300);
    expect([...taken.keys()]).toEqual(['slower', 'errors', 'refused', 'nan']);
    expect([...taken.keys()].map((label) => [label, offered(label)])).toEqual([...taken]);
  });
});
