import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import {
  ROLLOUT_VERBS,
  type RolloutVerb,
  type Strategy,
  type Verdict,
} from '../../../proto/vocab/rollout.ts';
import { NEW, RolloutFleet, simNode, type Temper } from '../../../test/fakes/rollout-fleet.ts';
import type { Advance, StoredRollout } from './facts.ts';
import { isOver } from './state.ts';
import { strategyNamed } from './strategies.ts';

// Whatever happens to a fleet in whatever order, some things never do.

type Happening =
  | { readonly what: 'time'; readonly ticks: number; readonly ms: number }
  | {
      readonly what: 'status';
      readonly node: number;
      readonly to: 'ready' | 'disconnected' | 'down' | 'unknown';
    }
  | { readonly what: 'temper'; readonly node: number; readonly to: Temper }
  | { readonly what: 'eligible'; readonly node: number }
  | { readonly what: 'streams'; readonly node: number; readonly cut: number }
  | { readonly what: 'gone'; readonly node: number }
  | { readonly what: 'verb'; readonly verb: RolloutVerb }
  | { readonly what: 'suspect'; readonly on: boolean }
  | { readonly what: 'gates'; readonly say: Verdict };

const NODES = 12;
const node = fc.integer({ min: 0, max: NODES - 1 });
const time = fc.record({
  what: fc.constant('time' as const),
  ticks: fc.integer({ min: 1, max: 40 }),
  ms: fc.constantFrom(1000, 5000, 30_000),
});
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: time },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('status' as const),
      node,
      to: fc.constantFrom('ready', 'ready', 'ready', 'disconnected', 'down', 'unknown'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('temper' as const),
      node,
      to: fc.constantFrom('good', 'refuses', 'silent', 'crashes-later', 'cut', 'cannot-go-back'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('eligible' as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('streams' as const),
      node,
      cut: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('gone' as const), node }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('verb' as const), verb: fc.constantFrom(...ROLLOUT_VERBS) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('suspect' as const), on: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('gates' as const),
      say: fc.constantFrom('pass', 'pass', 'close', 'inconclusive', 'fail') as fc.Arbitrary<Verdict>,
    }),
  },
);

const strategy: fc.Arbitrary<Strategy> = fc
  .record({
    name: fc.constantFrom('standard', 'unattended', 'quick', 'at-once'),
    maxParallel: fc.integer({ min: 1, max: 6 }),
    autoRevert: fc.boolean(),
  })
  .map(({ name, ...over }) => strategyNamed(name, over));

function fleetOf(s: Strategy): RolloutFleet {
  const nodes = Array.from({ length: NODES }, (_, i) =>
    simNode(`n-${i + 1}`, ['hk', 'sg', 'us'][i % 3] ?? '', i % 5 === 4 ? { status: 'down' } : {}),
  );
  return new RolloutFleet(nodes, s);
}

function happen(f: RolloutFleet, h: Happening): void {
  const sim = 'node' in h ? f.nodes.get(`n-${h.node + 1}` as NodeName) : undefined;
  switch (h.what) {
    case 'time':
      for (let i = 0; i < h.ticks; i++) f.tick(h.ms);
      return;
    case 'status':
      if (sim) sim.status = h.to;
      break;
    case 'temper':
      if (sim) sim.temper = h.to;
      break;
    case 'eligible':
      if (sim) sim.eligible = !sim.eligible;
      break;
    case 'streams':
      if (sim) sim.wouldCut = h.cut;
      break;
    case 'gone':
      if (sim && f.nodes.size > NODES - 2) f.nodes.delete(sim.name);
      break;
    case 'verb':
      if (f.legal().includes(h.verb) && !isOver(f.rollout)) f.verb(h.verb);
      break;
    case 'suspect':
      f.suspect = h.on ? 'a third of the fleet lost at once' : null;
      break;
    case 'gates':
      f.verdict = () => h.say;
  }
  f.advance();
}

/** What an advance must never do, asked after each one. */
class Watch {
  readonly f: RolloutFleet;
  readonly ever = new Set<NodeName>();
  #before: StoredRollout;
  #rejected = new Set<NodeName>();
  /** A person ended the step, or all of them. */
  person = false;

  constructor(f: RolloutFleet) {
    this.f = f;
    this.#before = f.rollout;
    f.watch = (a) => this.#look(a);
  }

  #look(a: Advance): void {
    const { f } = this;
    const was = this.#before;
    const now = a.rollout;
    this.#before = now;
    for (const n of a.release) this.ever.add(n);
    const targets = [...f.targets.values()];
    if (isOver(was)) expect([now, a.targets, a.release, a.takeBack]).toEqual([was, [], [], []]);

    // The first step's nodes, and nobody else, before it has passed.
    if (now.step === 0) expect(this.ever.size).toBeLessThanOrEqual(now.steps[0]?.targets ?? 0);

    // 0 offers of a document that the node has refused.
    for (const n of a.release) expect(this.#rejected.has(n) && f.nodes.get(n)?.rejected).toBe(false);
    this.#rejected = new Set([...f.nodes.values()].filter((n) => n.rejected).map((n) => n.name));

    if (f.suspect !== null || was.state.kind === 'reverting') expect(a.release).toEqual([]);
    if (was.state.kind === 'paused' && now.state.kind === 'paused') expect(a.release).toEqual([]);
    const out = targets.filter(
      (t) => t.released && t.switchedAt === null && (t.state === 'offered' || t.state === 'applying'),
    );
    expect(out.length).toBeLessThanOrEqual(now.strategy.maxParallel);
    expect(targets.filter((t) => !t.released && t.state === 'applying').length).toBeLessThanOrEqual(
      now.strategy.maxParallel,
    );
    if (now.state.kind === 'rolled_back' || now.state.kind === 'revert_failed') {
      expect(f.released()).toEqual([]);
    }

    // Past a step with gates: by readings in a row that passed, or by a person.
    const passed = now.step > was.step || (now.state.kind === 'succeeded' && was.state.kind !== 'succeeded');
    if (passed && was.strategy.steps[was.step]?.analysis && !this.person && f.nodes.size > 0) {
      const { readings } = was.strategy.gates;
      const said = f.verdicts.slice(-readings);
      expect(was.state.kind === 'paused' || said.every((v) => v === 'pass' || v === 'close')).toBe(true);
      expect(said).toHaveLength(readings);
    }
    if (now.step !== was.step) this.person = false;
    if (now.state.kind === 'progressing' && now.deadline === null && now.waits.length === 0) {
      throw new Error(`it neither goes on nor says why: ${JSON.stringify(now.state)}`);
    }
  }
}

describe('whatever happens', () => {
  it('a rollout keeps its promises', () => {
    fc.assert(
      fc.property(strategy, fc.array(happening, { minLength: 5, maxLength: 60 }), (s, events) => {
        const f = fleetOf(s);
        const watch = new Watch(f);
        f.advance();
        for (const h of events) {
          if (h.what === 'verb' && h.verb.startsWith('promote')) watch.person = true;
          happen(f, h);
        }
      }),
      { numRuns: 400, seed: 20261126 },
    );
  });

  it('the same comes out when the master is restarted between any two calls', () => {
    fc.assert(
      fc.property(strategy, fc.array(happening, { minLength: 5, maxLength: 40 }), (s, events) => {
        const run = (restarts: boolean): unknown => {
          const f = fleetOf(s);
          f.restarts = restarts;
          const said: unknown[] = [];
          f.watch = (a) => said.push([a.release, a.takeBack, a.wantsReading, a.events, a.rollout.state]);
          f.advance();
          for (const h of events) happen(f, h);
          return [said, f.rollout, [...f.targets.values()]];
        };
        expect(run(true)).toEqual(run(false));
      }),
      { numRuns: 150, seed: 20261126 },
    );
  });

  it('comes to an end once the nodes are there, the gates pass and a person promotes', () => {
    fc.assert(
      fc.property(strategy, fc.array(happening, { minLength: 5, maxLength: 30 }), (s, events) => {
        const f = fleetOf(s);
        f.advance();
        for (const h of events) happen(f, h);
        f.suspect = null;
        f.verdict = () => 'pass';
        for (const n of f.nodes.values()) {
          n.status = 'ready';
          n.eligible = true;
          n.wouldCut = 0;
          if (n.temper !== 'refuses') n.temper = 'good';
        }
        f.until(() => {
          const { state } = f.rollout;
          if (state.kind === 'paused' && state.reason !== 'master_suspect')
            f.verb(state.reason === 'step' ? 'promote' : 'resume');
          return isOver(f.rollout);
        });
        if (f.rollout.state.kind === 'succeeded') {
          const on = [...f.nodes.values()].filter((n) => n.effective === NEW).length;
          expect(on).toBeGreaterThan(0);
        }
      }),
      { numRuns: 150, seed: 20261126 },
    );
  });
});
