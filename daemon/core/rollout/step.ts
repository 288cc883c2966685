import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Reading, StepPhase, StepProgress } from '../../../proto/vocab/rollout.ts';
import { isAwaited, passedInRow, soakedAt } from './analysis.ts';
import type { Draft } from './draft.ts';
import type { StoredRollout } from './facts.ts';
import { planned, some } from './plan.ts';
import { aborting, cancelled, paused, progressing, succeeded, validating } from './state.ts';
import { broken } from './tally.ts';
import { held, isInFlight, type Moment, offeredNow, thawed } from './target.ts';

// On its way forward: one thing at a time. The very same rollout: nothing more happens now.

export function stepped(d: Draft, m: Moment): StoredRollout {
  const { state } = d.rollout;
  switch (state.kind) {
    case 'pending':
      return validating(d.rollout, m.now);
    case 'validating':
      return validated(d, m);
    case 'progressing':
      return failing(d, m) ?? onItsWay(d, state.phase, m);
    case 'paused':
      return failing(d, m) ?? waiting(d, m);
    default:
      return d.rollout;
  }
}

/** validating -> progressing | cancelled. */
function validated(d: Draft, m: Moment): StoredRollout {
  const all = d.targets.size;
  if (all > 0 && d.counts.excluded === all) {
    const [first] = d.targets.values();
    const why = `none of its nodes can take it; ${first?.node}: ${first?.why}`;
    d.say('error', why);
    return cancelled(d.rollout, why, m.now);
  }
  return entered(progressing(d.rollout, 'offering', m.now), 0, m.now);
}

/** progressing | paused -> aborting: too many have failed; what takes something back pauses and asks. */
function failing(d: Draft, m: Moment): StoredRollout | null {
  const now = d.newly('failed');
  const first = now[0];
  const why = broken(d.rollout, d.counts);
  if (why !== null) {
    const who = first ?? [...d.targets.values()].find((t) => t.state === 'failed');
    return abort(d, who ? `${why}; ${who.node}: ${who.why}` : why, m);
  }
  const asks = d.rollout.reverts !== null && first && d.rollout.state.kind === 'progressing';
  return asks ? paused(d.rollout, 'manual', `${first.node} failed: ${first.why}`, null, m.now) : null;
}

function abort(d: Draft, why: string, m: Moment): StoredRollout {
  d.say('error', `aborts: ${why}`);
  return aborting(d.rollout, why, m.now);
}

function waiting(d: Draft, m: Moment): StoredRollout {
  const { state } = d.rollout;
  if (state.kind !== 'paused') return d.rollout;
  if (state.reason === 'master_suspect' && d.world.suspect === null) {
    d.say('info', 'goes on: the master no longer doubts itself');
    return thaw(d, state.phase, m);
  }
  if (state.until !== null && m.now >= state.until) return nextStep(d.rollout, 'its pause is over', m.now);
  return d.rollout;
}

/** paused(master_suspect) -> progressing: what went by meanwhile counts against nobody, and is measured by nothing. */
function thaw(d: Draft, phase: StepPhase, m: Moment): StoredRollout {
  d.each((t) => thawed(t, m.now));
  const r = progressing(d.rollout, phase, m.now);
  const next = phase === 'analysing' ? m.now + r.strategy.gates.intervalMs : null;
  return { ...r, readings: [], nextReadingAt: next, deadline: null };
}

function onItsWay(d: Draft, phase: StepPhase, m: Moment): StoredRollout {
  const r = d.rollout;
  if (d.world.suspect !== null) {
    d.say('warn', `is frozen: ${d.world.suspect}`);
    return paused(r, 'master_suspect', d.world.suspect, null, m.now);
  }
  if (phase !== 'analysing') offer(d, m);
  const next = phaseNow(d, phase, m);
  if (next === null) return stepOver(d, m);
  if (next !== phase) {
    return { ...progressing(r, next, m.now), readings: [], nextReadingAt: null };
  }
  if (phase === 'analysing') return analysed(d, m);
  return overdue(d, m) ?? r;
}

function offer(d: Draft, m: Moment): void {
  const plan = planned(d.rollout, d.targets, d.facts, m);
  for (const [a, b] of plan.swap) {
    const [x, y] = [d.targets.get(a), d.targets.get(b)];
    if (!x || !y) continue;
    d.put({ ...x, step: y.step });
    d.put({ ...y, step: x.step });
  }
  for (const name of plan.hold) {
    const [t, f] = [d.targets.get(name), d.facts.get(name)];
    if (t && f) d.put(held(t, f, m.now));
  }
  for (const name of plan.offer) {
    const t = d.targets.get(name);
    if (t) d.put(offeredNow(t, m.now));
  }
}

/** `null`: the step is over but for its gates, and they have been passed or there are none. */
function phaseNow(d: Draft, phase: StepPhase, m: Moment): StepPhase | null {
  const r = d.rollout;
  let soaking = false;
  for (const t of d.targets.values()) {
    // A turn that comes up while the gates are read waits for the next step, or for the end.
    const due = t.step <= r.step && (t.state === 'waiting' || t.state === 'held_by_streams');
    if (due && !t.released && phase !== 'analysing') return 'offering';
    if (!isInFlight(t, m)) continue;
    if (t.state !== 'soaking') return 'offering';
    soaking = true;
  }
  if (soaking) return 'soaking';
  if (d.targets.size === 0) return null;
  if (!tried(d)) return 'offering';
  if (!r.strategy.steps[r.step]?.analysis) return null;
  return 'analysing';
}

/** Nobody out of reach blocks a step, but one that nobody has tried shows nothing. */
function tried(d: Draft): boolean {
  const { healthy, failed } = d.counts;
  return healthy > 0 || failed > 0;
}

/** progressing -> aborting: no progress for too long. */
function overdue(d: Draft, m: Moment): StoredRollout | null {
  const { deadline, strategy, reverts } = d.rollout;
  const ms = strategy.progressDeadlineMs;
  if (deadline === null || d.progressed || m.now < Math.max(deadline, m.since + ms)) return null;
  const why = `step ${d.rollout.step + 1} made no progress within its deadline`;
  if (reverts === null) return abort(d, why, m);
  return { ...paused(d.rollout, 'manual', why, null, m.now), deadline: null };
}

function analysed(d: Draft, m: Moment): StoredRollout {
  const r = d.rollout;
  const { gates } = r.strategy;
  const next = m.now + gates.intervalMs;
  if (r.nextReadingAt === null) return { ...r, nextReadingAt: next };
  const { reading } = d.world;
  if (reading === null || !isAwaited(r, reading)) return r;
  const readings = [...r.readings, reading].slice(-gates.readings);
  const read = { ...r, readings, nextReadingAt: next };
  d.rollout = read;
  if (reading.verdict === 'fail') return abort(d, reading.why, m);
  if (reading.verdict === 'inconclusive') return undecided(d, read, reading, m);
  if (passedInRow(readings) < gates.readings) return read;
  return stepOver(d, m);
}

/** It is read again until its window has filled; then it pauses, and is never promoted by itself. */
function undecided(d: Draft, r: StoredRollout, reading: Reading, m: Moment): StoredRollout {
  const full = (soakedAt(r, d.targets.values()) ?? 0) + r.strategy.gates.windowMs;
  if (m.now < full) return { ...r, nextReadingAt: Math.min(m.now + r.strategy.gates.intervalMs, full) };
  d.say('warn', `pauses: ${reading.why}`);
  return { ...paused(r, 'inconclusive', reading.why, null, m.now), nextReadingAt: null };
}

/** progressing -> succeeded | paused | the next step. */
function stepOver(d: Draft, m: Moment): StoredRollout {
  const r = d.rollout;
  if (r.step >= r.strategy.steps.length - 1) return finished(d, r, m);
  const pause = r.strategy.steps[r.step]?.pause ?? null;
  const still = { ...r, nextReadingAt: null };
  if (pause === null) return nextStep(still, '', m.now);
  if (pause === 'manual') {
    d.say('info', `step ${r.step + 1} is over and waits for a person`);
    return paused(still, 'step', `step ${r.step + 1} is over: promote it to go on`, null, m.now);
  }
  return paused(still, 'step', `step ${r.step + 1} is over`, m.now + pause, m.now);
}

function finished(d: Draft, r: StoredRollout, m: Moment): StoredRollout {
  const failed = [...d.targets.values()].filter((t) => t.state === 'failed').map((t) => t.node);
  d.say(
    failed.length > 0 ? 'warn' : 'info',
    failed.length > 0
      ? `succeeded, but for ${failed.length} that failed: ${some(failed)}`
      : `succeeded: ${r.version} on ${d.counts.healthy} nodes`,
  );
  return ended(r, m.now);
}

/** -> succeeded, with its last step. */
export function ended(r: StoredRollout, now: Millis): StoredRollout {
  return closed(succeeded({ ...r, steps: noted(r, { endedAt: now }) }, now));
}

/** -> progressing, in the next step; -> succeeded when there is none. `note` says what became of the step so far. */
export function nextStep(r: StoredRollout, note: string, now: Millis): StoredRollout {
  const steps = noted(r, { endedAt: now, ...(note === '' ? {} : { note }) });
  if (r.step >= r.strategy.steps.length - 1) return ended({ ...r, steps }, now);
  return entered({ ...progressing({ ...r, steps }, 'offering', now) }, r.step + 1, now);
}

export function entered(r: StoredRollout, step: number, now: Millis): StoredRollout {
  const next = { ...r, step, readings: [], nextReadingAt: null, deadline: null };
  return { ...next, steps: noted(next, { startedAt: now }) };
}

function noted(r: StoredRollout, more: Partial<StepProgress>): StoredRollout['steps'] {
  return r.steps.map((s, i) => (i === r.step ? { ...s, ...more } : s));
}

/** Nothing is awaited of one that is over. */
export function closed(r: StoredRollout): StoredRollout {
  return { ...r, nextReadingAt: null, deadline: null, waits: [], failuresLeft: null };
}
