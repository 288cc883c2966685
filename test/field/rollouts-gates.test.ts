import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHORT } from '../harness/rest-rollouts.ts';
import { edgeTo, Load, type SlowOrigin, slowOrigin, WatchedFleet } from '../harness/watched-fleet.ts';

// Gates that are fed by requests through real engines: what a canary's streams say decides how far a config goes.

const NAMES = ['hk-1', 'hk-2', 'hk-3'];
/** Long against what a busy machine adds, so that a third more is a third more. */
const TTFT_MS = 800;
let f: WatchedFleet;
let load: Load | null = null;
const origins: SlowOrigin[] = [];
const origin = async (delayMs: number, reset = 0): Promise<number> => {
  const made = await slowOrigin(delayMs, reset);
  origins.push(made);
  return made.port;
};
let usual = 0;
beforeAll(async () => {
  usual = await origin(TTFT_MS);
  f = await WatchedFleet.start(NAMES);
  await f.base(edgeTo('base', [usual]));
  load = new Load([...f.ports.values()], 40);
});
afterAll(async () => {
  await load?.stop();
  await f?.stop();
  await Promise.all(origins.map((o) => o.stop()));
});

/** It got no further than the first step's node, and everybody is back on what ran before. @returns that node */
const wentBack = async (id: string): Promise<string> => {
  const targets = await f.targets(id);
  const offered = targets.filter((t) => t.offered_at !== null).map((t) => t.node);
  expect(offered).toHaveLength(1);
  expect(targets.filter((t) => t.released)).toEqual([]);
  await f.allRun('base');
  return offered[0] ?? '';
};
const failed = (r: Awaited<ReturnType<WatchedFleet['rollout']>>): string[] =>
  r.readings.flatMap((x) => x.gates.filter((g) => g.verdict === 'fail').map((g) => g.gate));

describe('requests through engines', () => {
  it('TTFT + 30 % is taken back from the first node', async () => {
    const id = await f.publish('slower', edgeTo('slower', [await origin(TTFT_MS * 1.3)]));
    const r = await f.reached(id, 'rolled_back');
    expect(failed(r)).toEqual(['ttft95']);
    expect(r.why).toMatch(/^hk TTFT p95 \+\d+\.\d % of \+25 %$/);
    expect(r.readings.at(-1)?.largest?.node).toBe(await wentBack(id));
  });

  it('answers that break off, 5 % more of them, are taken back from the first node', async () => {
    const id = await f.publish('breaks', edgeTo('breaks', [await origin(TTFT_MS, 5)]));
    const r = await f.reached(id, 'rolled_back');
    expect(failed(r)).toContain('aborted');
    await wentBack(id);
  });

  it('errors, 5 % more of them, are taken back from the first node', async () => {
    // Two of forty clients find no room, each time they ask.
    const limited = edgeTo('limited', [usual])
      .replace('  handler:', '  climiter: few\n  handler:')
      .concat("climiters:\n- name: few\n  limits: ['$ 38']\n");
    const id = await f.publish('limited', limited);
    const r = await f.reached(id, 'rolled_back');
    expect(failed(r)).toEqual(['errors']);
    expect(r.why).toMatch(/^hk errors \+\d+\.\d\d pt of \+0\.30 pt$/);
    await wentBack(id);
  });

  it('3 samples tell nothing, however many the others have: it pauses, and goes no further', async () => {
    await load?.stop();
    load = new Load([f.ports.get('hk-2') ?? 0, f.ports.get('hk-3') ?? 0], 40);
    const id = await f.publish('few', edgeTo('few', [await origin(1)]), {
      ...SHORT,
      gates: { ...SHORT.gates, window_ms: 8000 },
    });
    // What a report begins with before the analysis does is in none of its readings.
    await f.reached(id, 'progressing', (r) => r.readings.length >= 2);
    await Promise.all([1, 2, 3].map(() => fetch(`http://127.0.0.1:${f.ports.get('hk-1')}/`)));
    const r = await f.reached(id, 'paused');
    expect(r).toMatchObject({ paused: 'inconclusive', step: 1 });
    expect(r.why).toMatch(/has 3 of 150 samples/);
    expect(await f.runs()).toEqual({ 'hk-1': 'few', 'hk-2': 'base', 'hk-3': 'base' });
    await f.verb(id, 'abort');
    await f.reached(id, 'rolled_back');
    await wentBack(id);
  });

  it('no traffic tells nothing either', async () => {
    const id = await f.publish('none', edgeTo('none', [usual]), {
      ...SHORT,
      gates: { ...SHORT.gates, window_ms: 3000 },
    });
    const r = await f.reached(id, 'paused');
    expect(r).toMatchObject({ paused: 'inconclusive', step: 1 });
    expect(r.why).toMatch(/has 0 of 150 samples/);
    await f.verb(id, 'abort');
    await f.reached(id, 'rolled_back');
    await wentBack(id);
  });

  it('what is as good as before passes them, and reaches everybody', async () => {
    await load?.stop();
    load = new Load([...f.ports.values()], 40);
    const id = await f.publish('same', edgeTo('same', [usual]));
    const r = await f.reached(id, 'succeeded');
    expect(r.counts).toMatchObject({ healthy: 3, failed: 0 });
    await f.allRun('same');
  });

  it('what was taken back was offered to the first node alone, and once', () => {
    const bad: Record<string, number> = {};
    for (const name of NAMES) {
      const { base, same, ...others } = f.offers(name);
      expect(Math.min(base ?? 0, same ?? 0)).toBeGreaterThanOrEqual(1);
      for (const [version, n] of Object.entries(others)) bad[version] = (bad[version] ?? 0) + n;
    }
    expect(bad).toEqual({ slower: 1, breaks: 1, limited: 1, few: 1, none: 1 });
  });
});
