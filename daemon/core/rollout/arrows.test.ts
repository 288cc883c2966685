import { describe, expect, it } from 'vitest';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { NodeName, RolloutId } from '../../../proto/vocab/ids.ts';
import {
  OVER,
  ROLLOUT_VERBS,
  type RolloutKind,
  type RolloutState,
  type RolloutVerb,
  TARGET_STATES,
  type TargetState,
} from '../../../proto/vocab/rollout.ts';
import { RolloutFleet, reading, type SimNode, simNode } from '../../../test/fakes/rollout-fleet.ts';
import type { NodeFacts, StoredRollout, StoredTarget, World } from './facts.ts';
import { advance } from './rollout.ts';
import * as state from './state.ts';
import { strategyNamed } from './strategies.ts';
import { legalVerbs, supersede, verb } from './verbs.ts';

const NOW = 5_000_000;
const A = 'hk-1' as NodeName;
const B = 'hk-2' as NodeName;
const strategy = strategyNamed('standard');

const STATES: Readonly<Record<string, RolloutState>> = {
  pending: { kind: 'pending' },
  validating: { kind: 'validating' },
  offering: { kind: 'progressing', phase: 'offering' },
  soaking: { kind: 'progressing', phase: 'soaking' },
  analysing: { kind: 'progressing', phase: 'analysing' },
  manual: { kind: 'paused', reason: 'manual', why: 'lin', phase: 'offering', until: null },
  step: { kind: 'paused', reason: 'step', why: 'over', phase: 'analysing', until: null },
  timed: { kind: 'paused', reason: 'step', why: 'over', phase: 'analysing', until: NOW + 60_000 },
  inconclusive: { kind: 'paused', reason: 'inconclusive', why: 'few', phase: 'analysing', until: null },
  suspect: { kind: 'paused', reason: 'master_suspect', why: 'lost', phase: 'offering', until: null },
  aborting: { kind: 'aborting', why: 'x' },
  reverting: { kind: 'reverting', why: 'x' },
  succeeded: { kind: 'succeeded' },
  rolled_back: { kind: 'rolled_back', why: 'x' },
  revert_failed: { kind: 'revert_failed', why: 'x' },
  superseded: { kind: 'superseded', by: '32' as RolloutId },
  cancelled: { kind: 'cancelled', why: 'x' },
};

function rolloutIn(s: RolloutState): StoredRollout {
  const f = new RolloutFleet([simNode('hk-1', 'hk'), simNode('hk-2', 'hk')], strategy);
  return {
    ...f.rollout,
    state: s,
    nextReadingAt: s.kind === 'progressing' && s.phase === 'analysing' ? NOW + 60_000 : null,
  };
}

function target(
  node: NodeName,
  s: TargetState,
  step: number,
  more: Partial<StoredTarget> = {},
): StoredTarget {
  const out = s === 'offered' || s === 'applying' || s === 'soaking' || s === 'healthy' || s === 'failed';
  return {
    rollout: '31' as RolloutId,
    node,
    region: 'hk',
    step,
    state: s,
    since: NOW - 1000,
    released: out,
    why: '',
    offeredAt: out ? NOW - 2000 : null,
    switchedAt: s === 'soaking' || s === 'healthy' ? NOW - 1000 : null,
    ...more,
  };
}

/** A rollout whose first step stands so; the second node waits for the second step. */
const STANDS = {
  'nothing offered': [target(A, 'waiting', 0), target(B, 'waiting', 1)],
  'not settled': [target(A, 'applying', 0), target(B, 'waiting', 1)],
  settled: [target(A, 'healthy', 0), target(B, 'waiting', 1)],
  'one failed': [target(A, 'healthy', 0), target(B, 'failed', 0)],
} as const;

describe('every verb in every state', () => {
  const going = ['offering', 'soaking', 'analysing', 'manual', 'step', 'timed', 'inconclusive'];
  const frozen = [...going, 'suspect'];
  const legal: Readonly<Record<RolloutVerb, (s: string, stand: string) => boolean>> = {
    pause: (s) => ['offering', 'soaking', 'analysing', 'timed'].includes(s),
    resume: (s) => ['manual', 'inconclusive'].includes(s),
    promote: (s, stand) =>
      s === 'step' ||
      s === 'timed' ||
      (['analysing', 'manual', 'inconclusive'].includes(s) &&
        (stand === 'settled' || stand === 'one failed')),
    promote_full: (s) => going.includes(s),
    abort: (s) => [...frozen, 'pending', 'validating'].includes(s),
    undo: (s) => [...frozen, 'pending', 'validating', 'succeeded'].includes(s),
    retry: (s, stand) => going.includes(s) && stand === 'one failed',
  };
  const stopped = (stand: string, s: string): RolloutKind =>
    stand === 'nothing offered' || s === 'pending' || s === 'validating' ? 'cancelled' : 'aborting';
  const to: Readonly<Record<RolloutVerb, (stand: string, s: string) => RolloutKind>> = {
    pause: () => 'paused',
    resume: () => 'progressing',
    promote: () => 'progressing',
    promote_full: () => 'progressing',
    abort: stopped,
    undo: stopped,
    retry: () => 'progressing',
  };
  let cases = 0;
  for (const [name, s] of Object.entries(STATES)) {
    for (const [stand, targets] of Object.entries(STANDS)) {
      for (const v of ROLLOUT_VERBS) {
        cases += 1;
        const ok = legal[v](name, stand);
        it(`${name}, ${stand}: ${v} is ${ok ? 'done' : 'refused'}`, () => {
          const r = rolloutIn(s);
          const said = legalVerbs(r, targets).find((l) => l.verb === v);
          expect(said?.ok).toBe(ok);
          const act = () => verb(r, targets, v, { actor: 'lin', reason: '' }, NOW);
          if (!ok) {
            expect(act).toThrow(AppError);
            expect(act).toThrow(said?.why);
            expect(said?.why.length).toBeGreaterThan(10);
            return;
          }
          expect(said?.why).toBe('');
          // Taking back one that succeeded is a rollout of its own, which the service begins.
          if (name === 'succeeded') expect(act).toThrow(/rollout of its own/);
          else expect(act().rollout.state.kind).toBe(to[v](stand, name));
        });
      }
    }
  }
  it('saw them all', () => expect(cases).toBe(17 * 4 * 7));
});

describe('every state to every other', () => {
  const legal: Readonly<Record<RolloutKind, readonly RolloutKind[]>> = {
    pending: ['validating', 'cancelled', 'superseded'],
    validating: ['progressing', 'cancelled', 'superseded'],
    progressing: ['progressing', 'paused', 'aborting', 'succeeded', 'cancelled', 'superseded'],
    paused: ['progressing', 'paused', 'aborting', 'succeeded', 'cancelled', 'superseded'],
    aborting: ['reverting', 'cancelled', 'superseded'],
    reverting: ['rolled_back', 'revert_failed', 'superseded'],
    succeeded: [],
    rolled_back: [],
    revert_failed: [],
    superseded: [],
    cancelled: [],
  };
  const take: Readonly<Record<Exclude<RolloutKind, 'pending'>, (r: StoredRollout) => StoredRollout>> = {
    validating: (r) => state.validating(r, NOW),
    progressing: (r) => state.progressing(r, 'soaking', NOW),
    paused: (r) => state.paused(r, 'manual', 'x', null, NOW),
    aborting: (r) => state.aborting(r, 'x', NOW),
    reverting: (r) => state.reverting(r, 'x', NOW),
    succeeded: (r) => state.succeeded(r, NOW),
    rolled_back: (r) => state.rolledBack(r, 'x', NOW),
    revert_failed: (r) => state.revertFailed(r, 'x', NOW),
    superseded: (r) => state.superseded(r, '32' as RolloutId, NOW),
    cancelled: (r) => state.cancelled(r, 'x', NOW),
  };
  for (const [name, s] of Object.entries(STATES)) {
    for (const [kind, act] of Object.entries(take) as [RolloutKind, (r: StoredRollout) => StoredRollout][]) {
      const ok = legal[s.kind].includes(kind) || (name === 'soaking' && kind === 'progressing');
      it(`${name} -> ${kind}: ${ok ? 'an arrow' : 'refused'}`, () => {
        const r = rolloutIn(s);
        if (!ok) {
          expect(() => act(r)).toThrow(/is not an arrow/);
          return;
        }
        const after = act(r);
        expect(after.state.kind).toBe(kind);
        expect(after.endedAt).toBe(OVER.includes(kind) ? NOW : null);
      });
    }
  }
});

describe('superseded', () => {
  for (const [name, s] of Object.entries(STATES)) {
    const over = OVER.includes(s.kind);
    it(`${name}: ${over ? 'refused' : 'it stops where it is'}`, () => {
      const act = () => supersede(rolloutIn(s), STANDS['one failed'], '32' as RolloutId, NOW);
      if (over) {
        expect(act).toThrow(/is not an arrow/);
        return;
      }
      const done = act();
      expect(done.rollout.state).toEqual({ kind: 'superseded', by: '32' });
      // One that takes back has nothing good out there to leave.
      expect(done.takeBack).toEqual(s.kind === 'aborting' || s.kind === 'reverting' ? [A, B] : []);
    });
  }
});

describe('every event in every state', () => {
  const quiet: World = { since: 0, suspect: null, reading: null };
  const facts = (more: Partial<SimNode>): ReadonlyMap<NodeName, NodeFacts> =>
    new RolloutFleet([simNode('hk-1', 'hk', more), simNode('hk-2', 'hk')], strategy).facts();
  const well: Partial<SimNode> = { effective: 'new' as never };
  const run = (s: RolloutState, fs: ReadonlyMap<NodeName, NodeFacts>, world: World, now = NOW) =>
    advance(rolloutIn(s), STANDS.settled, fs, world, now).rollout.state;

  const refuses: Partial<SimNode> = { rejected: true, sync: 'failed' };
  const EVENTS: Readonly<
    Record<string, { run: (s: RolloutState) => RolloutState; to: Readonly<Record<string, RolloutKind>> }>
  > = {
    'nothing happens': {
      run: (s) => run(s, facts(well), quiet),
      to: { pending: 'progressing', validating: 'progressing', suspect: 'progressing' },
    },
    'its canary refuses': {
      run: (s) => run(s, facts(refuses), quiet),
      to: Object.fromEntries(
        Object.keys(STATES)
          .slice(0, 10)
          // It never left what it had, and nobody else has been offered it.
          .map((k) => [k, 'rolled_back']),
      ),
    },
    'the master doubts itself': {
      run: (s) => run(s, facts(well), { ...quiet, suspect: '40 lost' }),
      to: {
        pending: 'paused',
        validating: 'paused',
        offering: 'paused',
        soaking: 'paused',
        analysing: 'paused',
      },
    },
    'its time comes': {
      run: (s) => run(s, facts(well), quiet, NOW + 60_000),
      to: { pending: 'progressing', validating: 'progressing', suspect: 'progressing', timed: 'progressing' },
    },
    'a gate fails': {
      run: (s) => {
        const request = { rollout: '31' as RolloutId, step: 0, number: 1, asks: [] };
        const read = reading(request, NOW + 60_000, 'fail');
        return run(s, facts(well), { ...quiet, reading: read }, NOW + 60_000);
      },
      to: {
        pending: 'progressing',
        validating: 'progressing',
        suspect: 'progressing',
        timed: 'progressing',
        analysing: 'reverting',
      },
    },
    'a gate cannot tell': {
      run: (s) => {
        const request = { rollout: '31' as RolloutId, step: 0, number: 1, asks: [] };
        const read = reading(request, NOW + 400_000, 'inconclusive');
        return run(s, facts(well), { ...quiet, reading: read }, NOW + 400_000);
      },
      to: {
        pending: 'progressing',
        validating: 'progressing',
        suspect: 'progressing',
        timed: 'progressing',
        analysing: 'paused',
      },
    },
  };
  for (const [event, { run: act, to }] of Object.entries(EVENTS)) {
    for (const [name, s] of Object.entries(STATES)) {
      const kind = to[name] ?? (s.kind === 'aborting' ? 'reverting' : s.kind);
      it(`${name}, and ${event}: ${kind}`, () => expect(act(s).kind).toBe(kind));
    }
  }
});

describe('every state of a target, and what its node does', () => {
  const NODE: Readonly<Record<string, Partial<SimNode>>> = {
    'runs it': { effective: 'new' as never },
    'runs what it had': { sync: 'out_of_sync' },
    applies: { sync: 'applying' },
    refuses: { rejected: true, sync: 'failed' },
    'is disconnected': { status: 'disconnected', sync: 'out_of_sync' },
    'is not known': { status: 'unknown', sync: 'out_of_sync' },
    'is cordoned': { eligible: false, effective: 'new' as never },
  };
  const SAME = Object.fromEntries(Object.keys(NODE).map((k) => [k, null]));
  const plannable = {
    'runs it': 'offered',
    'runs what it had': 'offered',
    applies: 'offered',
    refuses: 'excluded',
    'is disconnected': 'deferred_offline',
    'is not known': 'waiting',
    'is cordoned': 'excluded',
  };
  const TABLE: Readonly<Record<TargetState, Readonly<Record<string, TargetState | null>>>> = {
    waiting: plannable as Record<string, TargetState>,
    deferred_offline: plannable as Record<string, TargetState>,
    excluded: plannable as Record<string, TargetState>,
    held_by_streams: plannable as Record<string, TargetState>,
    offered: {
      'runs it': 'soaking',
      'runs what it had': 'offered',
      applies: 'applying',
      refuses: 'failed',
      'is disconnected': 'deferred_offline',
      'is not known': 'offered',
      'is cordoned': 'soaking',
    },
    applying: {
      'runs it': 'soaking',
      'runs what it had': 'applying',
      applies: 'applying',
      refuses: 'failed',
      'is disconnected': 'applying',
      'is not known': 'applying',
      'is cordoned': 'soaking',
    },
    soaking: {
      'runs it': 'soaking',
      'runs what it had': 'applying',
      applies: 'applying',
      refuses: 'failed',
      'is disconnected': 'applying',
      'is not known': 'applying',
      'is cordoned': 'soaking',
    },
    healthy: { ...SAME, refuses: 'failed' },
    failed: SAME,
    reverted: SAME,
  };
  const later = strategyNamed('at-once', { minHealthyMs: 30_000 });
  for (const from of TARGET_STATES) {
    for (const [node, more] of Object.entries(NODE)) {
      const to = TABLE[from][node] ?? from;
      it(`${from}, and it ${node}: ${to}`, () => {
        const f = new RolloutFleet([simNode('hk-1', 'hk', more)], later);
        // `unknown` and nobody out yet: what waits goes on waiting.
        const r: StoredRollout = { ...f.rollout, state: { kind: 'progressing', phase: 'offering' } };
        const a = advance(
          r,
          [target(A, from, 0)],
          f.facts(),
          { since: 0, suspect: null, reading: null },
          NOW,
        );
        expect(a.targets[0]?.state ?? from).toBe(to);
        const was = target(A, from, 0).released;
        const is = a.targets[0]?.released ?? was;
        expect(a.release).toEqual(is && !was ? [A] : []);
        expect(a.takeBack).toEqual(!is && was ? [A] : []);
      });
    }
  }
});
