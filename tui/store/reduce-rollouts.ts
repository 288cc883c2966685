import type { Millis } from '../../proto/vocab/ids.ts';
import type { LegalVerb, Rollout, RolloutTarget, RolloutVerb } from '../../proto/vocab/rollout.ts';
import type { Effect } from './effect.ts';
import type { TargetFact } from './fleet.ts';
import type { Intent } from './intent.ts';
import {
  chosen,
  isOver,
  moveTargets,
  openRollouts,
  ROLLOUTS_VIEW,
  type RolloutsView,
  shiftRollout,
  shownRollout,
} from './rollouts-view.ts';
import { openVerb } from './sheets/verb.ts';
import type { State } from './state.ts';
import { type Step, say, sayError, stay } from './step.ts';
import { words } from './words.ts';

// Screen 3: what is read for it, and what is moved on it.

/** While it is on screen; beside the nodes' list less often. */
const HERE_MS = 1_000;
const BESIDE_MS = 2_000;
/** One that is over, and has been read since, changes no more. */
const OVER_MS = 10_000;
/** Worst first: with more the rest is told by its number. */
const MOST_TARGETS = 500;

/** On screen 3 whatever is shown there; elsewhere one that is open, for the nodes' notes. */
function wanted(state: State): { readonly r: Rollout; readonly everyMs: Millis } | null {
  const { facts } = state.fleet;
  const here = state.place.kind === 'screen' && state.place.screen === 'rollouts';
  if (here && state.rollouts.pane === 'rollout') {
    const r = shownRollout(state.rollouts, facts);
    if (r === null) return null;
    const read = state.rollouts.got?.revision ?? 0;
    return { r, everyMs: isOver(r) && read >= r.modRevision ? OVER_MS : HERE_MS };
  }
  const r = openRollouts(facts)[0];
  return r === undefined ? null : { r, everyMs: BESIDE_MS };
}

/** Asks for the targets when they are due. */
export function askTargets(state: State, now: Millis): Step {
  const want = wanted(state);
  const { rollouts: v } = state;
  if (want === null || v.asking || state.connection.kind !== 'live' || state.frozenAt !== null) {
    return stay(state);
  }
  const { r, everyMs } = want;
  // A tick may come a little early.
  const due = v.askedAt === null || now - v.askedAt >= everyMs - 100;
  if (v.got?.id === r.id ? !due : v.askedAt === now) return stay(state);
  const effect: Effect = { kind: 'fetch-rollout', id: r.id, targets: MOST_TARGETS };
  return stay({ ...state, rollouts: { ...v, asking: true, askedAt: now } }, effect);
}

/** What the nodes' list says of a rollout that goes on. */
function factsOf(r: Rollout, targets: readonly RolloutTarget[]): ReadonlyMap<string, TargetFact> {
  if (isOver(r)) return new Map();
  const { version, strategy } = r;
  return new Map(
    targets.map((target) => [target.node, { target, version, minHealthyMs: strategy.minHealthyMs }]),
  );
}

export interface GotRollout {
  readonly rollout: Rollout;
  readonly targets: readonly RolloutTarget[];
  readonly legal: readonly LegalVerb[];
}

export function gotTargets(state: State, { rollout, targets, legal }: GotRollout): State {
  const fleet = { ...state.fleet, targets: factsOf(rollout, targets) };
  const got = { id: rollout.id, revision: rollout.modRevision, targets, legal };
  return { ...state, fleet, rollouts: { ...state.rollouts, asking: false, error: null, got } };
}

/** Nothing open: what was said of its targets is not true any more. */
export function withoutTargets(state: State): State {
  if (state.fleet.targets.size === 0 || openRollouts(state.fleet.facts).length > 0) return state;
  return { ...state, fleet: { ...state.fleet, targets: new Map() } };
}

export function moveRollouts(state: State, by: number): Step {
  const { rollouts: v } = state;
  if (v.open !== null) {
    const scroll = Math.min(Math.max(0, state.room.targetMaxScroll), Math.max(0, v.scroll + by));
    return stay({ ...state, rollouts: { ...v, scroll } });
  }
  const r = shownRollout(v, state.picture.facts);
  return stay(r === null ? state : { ...state, rollouts: moveTargets(v, r, by) });
}

function at(state: State, rollouts: RolloutsView): State {
  return { ...state, rollouts };
}

/** Another one is looked at: newer, older, or the one of this id. */
export function turnRollout(state: State, intent: Extract<Intent, { kind: 'other' }>): Step {
  const next = at(state, shiftRollout(state.rollouts, state.picture.facts, intent.by));
  return askTargets(next, state.now);
}

/** The rollout of this id; `null` id: the newest that is open. */
export function openRollout(state: State, id: string | null): Step | null {
  if (id === null) return stay(at(state, { ...ROLLOUTS_VIEW, asking: state.rollouts.asking }));
  if (!state.picture.facts.rollout.has(id)) return null;
  return stay(at(state, chosen(state.rollouts, id)));
}

/** A word for a rollout, by its id or for the one on screen: what touches no node acts at once, the others ask. */
export function rolloutVerb(state: State, verb: RolloutVerb, id: string | null): Step {
  const { facts } = state.picture;
  const r = id === null ? shownRollout(state.rollouts, facts) : (facts.rollout.get(id) ?? null);
  if (r === null) {
    return stay(
      sayError(state, words(`there is no rollout${id === null ? '' : ` ${id}`}`, `没有发布${id ?? ''}`)),
    );
  }
  if (verb === 'pause' || verb === 'resume') {
    return stay(say(state, 'waiting', words(`${verb} rollout ${r.id}`, `${verb} 发布 ${r.id}`)), {
      kind: 'rollout-verb',
      sheet: null,
      id: r.id,
      verb,
      reason: '',
      confirmNodes: null,
    });
  }
  return openVerb(state, r, verb);
}

/** `p`: pauses what goes on, lets go on what is paused. */
export function pauseOrResume(state: State): Step {
  const r = shownRollout(state.rollouts, state.picture.facts);
  return rolloutVerb(state, r === null ? 'pause' : pauseVerb(r), r?.id ?? null);
}

/** A pause of some minutes is held by `p`, not ended. */
export function pauseVerb(r: Rollout): 'pause' | 'resume' {
  return r.state.kind === 'paused' && r.state.until === null ? 'resume' : 'pause';
}
