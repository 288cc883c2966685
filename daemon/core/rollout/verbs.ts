import { AppError } from '../../../proto/vocab/errors.ts';
import type { Millis, NodeName, RolloutId } from '../../../proto/vocab/ids.ts';
import { ROLLOUT_VERBS, type RolloutVerb } from '../../../proto/vocab/rollout.ts';
import type { By, StoredRollout, StoredTarget, VerbDone } from './facts.ts';
import { aborting, cancelled, isOver, paused, progressing, superseded } from './state.ts';
import { closed, ended, entered, nextStep } from './step.ts';
import { countsOf } from './tally.ts';
import { triedAgain } from './target.ts';

type Targets = readonly StoredTarget[];

/**
 * A person's word. `undo` of one in progress is `abort`; of one that succeeded it is a new rollout: the service's.
 * @throws AppError `precondition` naming the state and what would make it possible
 */
export function verb(r: StoredRollout, targets: Targets, which: RolloutVerb, by: By, now: Millis): VerbDone {
  const why = refused(r, targets, which);
  if (why !== null) throw new AppError('precondition', `rollout ${r.id} cannot ${WORDS[which]}: ${why}`);
  if (which === 'undo' && r.state.kind === 'succeeded') {
    throw new AppError('internal', `rollout ${r.id}: taking back one that succeeded is a rollout of its own`);
  }
  const done = EXECUTE[which](r, targets, by, now);
  const text = `rollout ${r.id}: ${by.actor} ${DONE[which]}${by.reason === '' ? '' : `: ${by.reason}`}`;
  return {
    takeBack: [],
    retry: [],
    targets: [],
    ...done,
    rollout: { ...done.rollout, updatedAt: now },
    events: [{ level: 'info', text }],
  };
}

/** Every verb with whether it is possible now, and if not why. */
export function legalVerbs(
  r: StoredRollout,
  targets: Targets,
): readonly { readonly verb: RolloutVerb; readonly ok: boolean; readonly why: string }[] {
  return ROLLOUT_VERBS.map((v) => {
    const why = refused(r, targets, v);
    return { verb: v, ok: why === null, why: why ?? '' };
  });
}

/** any -> superseded: it stops where it is; one that takes back gives up all it has still released. */
export function supersede(r: StoredRollout, targets: Targets, by: RolloutId, now: Millis): VerbDone {
  const back = r.state.kind === 'aborting' || r.state.kind === 'reverting';
  const changed = back
    ? targets
        .filter((t) => t.released)
        .map((t) => ({ ...t, released: false, why: `rollout ${by} takes its place` }))
    : [];
  return {
    rollout: { ...closed(superseded(r, by, now)), updatedAt: now },
    targets: changed,
    takeBack: changed.map((t) => t.node),
    retry: [],
    events: [{ level: 'warn', text: `rollout ${r.id}: superseded by rollout ${by}; it stops where it is` }],
  };
}

const WORDS: Readonly<Record<RolloutVerb, string>> = {
  pause: 'be paused',
  resume: 'be resumed',
  promote: 'be promoted',
  promote_full: 'be promoted in full',
  abort: 'be aborted',
  retry: 'be retried',
  undo: 'be undone',
};
const DONE: Readonly<Record<RolloutVerb, string>> = {
  pause: 'paused it',
  resume: 'resumed it',
  promote: 'promoted it',
  promote_full: 'promoted it in full: no step, gate or pause is left',
  abort: 'aborted it',
  retry: 'had what failed tried once more',
  undo: 'took it back',
};

type Done = Pick<VerbDone, 'rollout'> & Partial<Pick<VerbDone, 'targets' | 'takeBack' | 'retry'>>;
const EXECUTE: Readonly<
  Record<RolloutVerb, (r: StoredRollout, targets: Targets, by: By, now: Millis) => Done>
> = { pause, resume, promote, promote_full: promoteFull, abort, retry, undo: abort };

const said = (by: By, what: string): string =>
  `${by.actor} ${what}${by.reason === '' ? '' : `: ${by.reason}`}`;

/** progressing -> paused(manual); paused(step) for a time -> until a person promotes it. */
function pause(r: StoredRollout, _targets: Targets, by: By, now: Millis): Done {
  const stays = r.state.kind === 'paused' && r.state.reason === 'step';
  return { rollout: paused(r, stays ? 'step' : 'manual', said(by, 'paused it'), null, now) };
}

/** paused(manual | inconclusive) -> progressing; the gates are read anew. */
function resume(r: StoredRollout, _targets: Targets, _by: By, now: Millis): Done {
  const phase = r.state.kind === 'paused' ? r.state.phase : 'offering';
  const next = phase === 'analysing' ? now + r.strategy.gates.intervalMs : null;
  return {
    rollout: { ...progressing(r, phase, now), readings: [], nextReadingAt: next, deadline: null, waits: [] },
  };
}

/** paused | analysing -> the next step, or succeeded. */
function promote(r: StoredRollout, _targets: Targets, by: By, now: Millis): Done {
  return { rollout: { ...nextStep(r, said(by, 'promoted it'), now), waits: [] } };
}

/** progressing | paused -> the last step, past all gates and pauses. */
function promoteFull(r: StoredRollout, targets: Targets, by: By, now: Millis): Done {
  const last = r.strategy.steps.length - 1;
  const steps = r.strategy.steps.map((s, i) => (i === last ? { ...s, analysis: false } : s));
  const bold = { ...r, strategy: { ...r.strategy, steps } };
  const note = said(by, 'promoted it in full');
  if (r.step === last) {
    if (isSettled(r, targets)) return { rollout: ended(bold, now) };
    return {
      rollout: { ...progressing(bold, 'offering', now), readings: [], nextReadingAt: null, waits: [] },
    };
  }
  const noted = {
    ...bold,
    steps: bold.steps.map((s, i) => (i === r.step ? { ...s, endedAt: now, note } : s)),
  };
  return { rollout: { ...entered(progressing(noted, 'offering', now), last, now), waits: [] } };
}

/** progressing | paused -> aborting; -> cancelled: nothing was offered. */
function abort(r: StoredRollout, targets: Targets, by: By, now: Millis): Done {
  const why = said(by, 'aborted it');
  const begun = r.state.kind === 'progressing' || r.state.kind === 'paused';
  if (begun && targets.some((t) => t.released)) {
    return { rollout: { ...aborting(r, why, now), waits: [] } };
  }
  return { rollout: closed(cancelled(r, why, now)) };
}

/** failed -> waiting, each; and the step offers again. */
function retry(r: StoredRollout, targets: Targets, _by: By, now: Millis): Done {
  const again = targets.filter((t) => t.state === 'failed').map((t) => triedAgain(t, now));
  const by = new Map(again.map((t) => [t.node, t]));
  const counts = countsOf(targets.map((t) => by.get(t.node) ?? t));
  const rollout = {
    ...progressing(r, 'offering', now),
    counts,
    readings: [],
    nextReadingAt: null,
    deadline: null,
    waits: [],
  };
  const nodes: NodeName[] = again.map((t) => t.node);
  return { rollout, targets: again, takeBack: nodes, retry: nodes };
}

/** Every node of the step has come to rest, and one at least is healthy. */
function isSettled(r: StoredRollout, targets: Targets): boolean {
  const open = targets.some((t) =>
    t.released
      ? t.state === 'offered' || t.state === 'applying' || t.state === 'soaking'
      : t.step <= r.step && (t.state === 'waiting' || t.state === 'held_by_streams'),
  );
  return !open && targets.some((t) => t.state === 'healthy');
}

/** Why not, or `null`. */
function refused(r: StoredRollout, targets: Targets, which: RolloutVerb): string | null {
  const { state } = r;
  if (which === 'undo' && state.kind === 'succeeded') return null;
  if (isOver(r)) return overWords(r);
  if (state.kind === 'aborting' || state.kind === 'reverting') {
    return `it is ${state.kind}: wait until it has rolled back, or publish another version`;
  }
  if (which === 'abort' || which === 'undo') return null;
  if (state.kind === 'pending' || state.kind === 'validating')
    return `it is ${state.kind}: it has not begun yet`;
  if (state.kind === 'paused' && state.reason === 'master_suspect') {
    return 'it is frozen while the master doubts itself, and goes on by itself; it can be aborted';
  }
  return REFUSE[which](r, targets);
}

const REFUSE: Readonly<
  Record<Exclude<RolloutVerb, 'abort' | 'undo'>, (r: StoredRollout, targets: Targets) => string | null>
> = {
  pause: ({ state }) => {
    if (state.kind !== 'paused' || state.until !== null) return null;
    return 'it is paused already';
  },
  resume: ({ state }) => {
    if (state.kind !== 'paused') return `it is ${state.kind}: pause it first`;
    return state.reason === 'step' ? 'its step is over and waits to be promoted: promote it' : null;
  },
  promote: (r, targets) => {
    const { state } = r;
    if (state.kind === 'paused' && state.reason === 'step') return null;
    if (!isSettled(r, targets)) return `step ${r.step + 1} is not over: its nodes are not all healthy yet`;
    return state.kind === 'paused' || (state.kind === 'progressing' && state.phase === 'analysing')
      ? null
      : `step ${r.step + 1} goes on by itself`;
  },
  promote_full: () => null,
  retry: (_r, targets) => (targets.some((t) => t.state === 'failed') ? null : 'none of its nodes has failed'),
};

function overWords(r: StoredRollout): string {
  const { state } = r;
  switch (state.kind) {
    case 'succeeded':
      return 'it has succeeded: undo takes it back';
    case 'superseded':
      return `it was superseded by rollout ${state.by}: see to that one`;
    case 'cancelled':
      return 'it was cancelled: publish the version again';
    case 'revert_failed':
      return 'its revert failed: publish a version that its nodes can take';
    default:
      return 'it has rolled back: publish a version again';
  }
}
