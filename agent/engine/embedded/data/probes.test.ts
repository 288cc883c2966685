import { describe, expect, it } from 'vitest';
import { ManualTime } from '../../../../test/fakes/manual-time.ts';
import { makeNode, makePool } from '../../../../test/harness/two-hops.ts';
import type { DataNode, Pool } from './messages.ts';
import { Probes } from './probes.ts';
import { NodeSelector } from './selector.ts';
import { SteadyLog } from './steady-log.ts';

const probe = { intervalMs: 10_000, timeoutMs: 3_000 };

/** Answers to probes as the test gives them. */
function make(random: () => number = () => 0.5) {
  const time = new ManualTime();
  const selectors = new Map<string, NodeSelector<DataNode>>();
  const asked: { node: string; answer: (why: string | null) => Promise<void> }[] = [];
  const said: string[] = [];
  const { now, after } = time;
  const selectorOf = (pool: Pool): NodeSelector<DataNode> => {
    const key = JSON.stringify(pool);
    const selector = selectors.get(key) ?? new NodeSelector(pool.nodes, pool.selector, { random });
    selectors.set(key, selector);
    return selector;
  };
  const probes = new Probes({
    ...{ selectorOf, now, after, random },
    log: new SteadyLog({ write: (_level, text) => said.push(text), now }),
    probe: (node) => {
      const { promise, resolve } = Promise.withResolvers<string | null>();
      asked.push({
        node: node.name,
        answer: async (why) => {
          resolve(why);
          await new Promise((r) => setImmediate(r));
        },
      });
      return promise;
    },
  });
  const pick = (pool: Pool): string | undefined =>
    selectorOf(pool).pick({ tried: new Set(), client: 'c', now: now() })?.name;
  return { time, probes, asked, said, pick };
}

describe('probes', () => {
  const pool = makePool([makeNode(1, { probe }), makeNode(2)]);

  it('never overlap, come at intervals that vary, and set a node aside and take it back', async () => {
    let n = 0;
    const { time, probes, asked, said, pick } = make(() => [0.5, 0, 0.99][n++ % 3] as number);
    probes.keep([pool]);
    time.advance(500);
    expect(asked.map((a) => a.node)).toEqual(['n1']);
    time.advance(600_000);
    expect(asked.length).toBe(1);
    await asked[0]?.answer('n1 (x): no connection in 3000 ms');
    expect(pick(pool)).toBe('n2');
    time.advance(7_999);
    expect(asked.length).toBe(1);
    time.advance(1);
    await asked[1]?.answer(null);
    expect(pick(pool)).toBe('n1');
    time.advance(11_900);
    expect(asked.length).toBe(2);
    time.advance(100);
    expect(asked.length).toBe(3);
    expect(said).toEqual([
      'hop pool: set aside until it answers a probe: n1 (x): no connection in 3000 ms',
      'hop pool: n1 answers again',
    ]);
  });

  it('end with their pool, and go on with an equal one', async () => {
    const { time, probes, asked, pick } = make();
    probes.keep([pool, structuredClone(pool)]);
    time.advance(1_000);
    expect(asked.length).toBe(1);
    await asked[0]?.answer('no');
    probes.keep([structuredClone(pool)]);
    time.advance(10_000);
    expect(asked.length).toBe(2);
    probes.keep([]);
    await asked[1]?.answer(null);
    time.advance(600_000);
    expect(asked.length).toBe(2);
    // Nobody looked any more when the last answer came.
    expect(pick(pool)).toBe('n2');
  });
});
