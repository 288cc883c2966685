import { formatDuration } from '../../../proto/vocab/duration.ts';
import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Strategy, TargetState } from '../../../proto/vocab/rollout.ts';
import type { NodeFacts, StoredTarget } from './facts.ts';
import { isHere, isOffline, isWell, notWell, refusalOf, refuses, unfitFor } from './node-facts.ts';

// The arrows of one target. Each gives the very same object when nothing changed.

export interface Moment {
  readonly now: Millis;
  /** Since when this master looks: no deadline runs while there is none. */
  readonly since: Millis;
  /** The master doubts itself: nobody is late. */
  readonly frozen: boolean;
  readonly strategy: Strategy;
  /** Index of the rollout's step. */
  readonly step: number;
}

type Change = Partial<Omit<StoredTarget, 'rollout' | 'node' | 'region'>>;

export function changed(t: StoredTarget, to: Change, now: Millis): StoredTarget {
  const same = Object.entries(to).every(([k, v]) => t[k as keyof StoredTarget] === v);
  if (same) return t;
  const since = to.since ?? (to.state !== undefined && to.state !== t.state ? now : t.since);
  return { ...t, ...to, since };
}

/** What its node's facts make of it. */
export function observed(t: StoredTarget, f: NodeFacts | undefined, m: Moment): StoredTarget {
  if (!f) return gone(t, m);
  return t.released ? ofReleased(t, f, m) : ofUnreleased(t, f, m);
}

/** any -> excluded: the node is no longer there. */
function gone(t: StoredTarget, m: Moment): StoredTarget {
  return changed(
    t,
    { state: 'excluded', released: false, why: 'it is no longer part of the fleet, or of this target' },
    m.now,
  );
}

/** waiting | deferred_offline | excluded | held_by_streams: among themselves, by what its node could do. */
function ofUnreleased(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  if (!isPlannable(t)) return t;
  const unfit = unfitFor(f);
  if (unfit !== null) return changed(t, { state: 'excluded', why: unfit }, m.now);
  if (isOffline(f)) {
    const why = `it is ${f.status}; it gets its turn when it returns, and blocks nobody`;
    return changed(t, { state: 'deferred_offline', why }, m.now);
  }
  if (t.state === 'waiting') return t;
  if (t.state === 'held_by_streams' && f.wouldCut > 0) return t;
  return changed(t, { state: 'waiting', why: '' }, m.now);
}

const PLANNABLE: ReadonlySet<TargetState> = new Set([
  'waiting',
  'deferred_offline',
  'excluded',
  'held_by_streams',
]);

/** It has not been released, and may be. */
export function isPlannable(t: StoredTarget): boolean {
  return !t.released && PLANNABLE.has(t.state);
}

function ofReleased(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  if (t.state === 'failed') return t;
  if (refuses(f)) return refused(t, f, m.now);
  switch (t.state) {
    case 'offered':
      return ofOffered(t, f, m);
    case 'applying':
      return t.switchedAt === null ? ofSwitching(t, f, m) : ofUnwell(t, f, m);
    case 'soaking':
      return ofSoaking(t, f, m);
    case 'healthy':
      return ofHealthy(t, f, m);
    case 'deferred_offline':
      return ofAstray(t, f, m);
    default:
      return t;
  }
}

/** What it says when it returns comes before why: so long the why is waited for. */
const REASON_MS = 2000;
const UNSAID = 'it refuses the document, and has not said why yet';

/** any released -> failed, with what its node says; -> applying for a moment, until it has said it. */
function refused(t: StoredTarget, f: NodeFacts, now: Millis): StoredTarget {
  if (f.failure !== null) return failed(t, refusalOf(f), now);
  if (t.why !== UNSAID) return changed(t, { state: 'applying', why: UNSAID, since: now }, now);
  return now - t.since >= REASON_MS ? failed(t, refusalOf(f), now) : t;
}

/** any released -> failed. */
function failed(t: StoredTarget, why: string, now: Millis): StoredTarget {
  return changed(t, { state: 'failed', why }, now);
}

/** offered -> applying | soaking | failed; -> deferred_offline, taken back: it went away before it began. */
function ofOffered(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  if (isWell(f)) return soaking({ ...t, switchedAt: m.now }, m.now);
  if (f.configSync === 'applying') return changed(t, { state: 'applying', why: '' }, m.now);
  if (isOffline(f) && !m.frozen) {
    const why = `it went ${f.status} before it began; it gets its turn when it returns`;
    return changed(t, { state: 'deferred_offline', released: false, why }, m.now);
  }
  return late(t, f, m) ? failed(t, `not healthy ${within(m)} after its offer: ${notWell(f)}`, m.now) : t;
}

/** applying -> soaking | failed. One that goes away here may have been cut off by what it applies: it is waited for. */
function ofSwitching(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  if (isWell(f)) return soaking({ ...t, switchedAt: m.now }, m.now);
  return late(t, f, m) ? failed(t, `not healthy ${within(m)} after its offer: ${notWell(f)}`, m.now) : t;
}

/** applying, confirmed before -> soaking: well again; -> failed: too long on end; -> deferred_offline: it comes and goes. */
function ofUnwell(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  if (isWell(f)) return soaking(t, m.now);
  if (late({ ...t, offeredAt: t.since }, f, m)) {
    return failed(t, `it had confirmed, and is not healthy for ${within(m)}: ${notWell(f)}`, m.now);
  }
  if (f.status === 'disconnected' && late(t, f, m)) return astray(t, m);
  return t;
}

/** soaking -> healthy after `minHealthyMs` on end; -> applying: it stopped being well, and soaks anew when it is again. */
function ofSoaking(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  if (!isWell(f)) return unwell(t, f, m);
  if (m.now - t.since < m.strategy.minHealthyMs) return t;
  return changed(t, { state: 'healthy', why: '' }, m.now);
}

/** healthy -> applying, in the first step only: a config that takes hosts down later is found where there are few. */
function ofHealthy(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  const lost = m.step === 0 && f.status === 'down' && !m.frozen;
  // Its deadline counts anew: it has failed if it stays away.
  return lost ? { ...unwell(t, f, m), offeredAt: m.now } : t;
}

/** deferred_offline, but it runs the version -> soaking | applying: it is back. */
function ofAstray(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  if (isWell(f)) return soaking(t, m.now);
  return isHere(f) ? unwell(t, f, m) : t;
}

function soaking(t: StoredTarget, now: Millis): StoredTarget {
  return { ...t, state: 'soaking', since: now, why: '' };
}

function unwell(t: StoredTarget, f: NodeFacts, m: Moment): StoredTarget {
  return changed(t, { state: 'applying', why: `${notWell(f)}; it soaks anew once it is healthy` }, m.now);
}

function astray(t: StoredTarget, m: Moment): StoredTarget {
  const soak = formatDuration(m.strategy.minHealthyMs);
  const why = `it comes and goes, and was never healthy for ${soak} on end; it keeps the version and blocks nobody`;
  return changed(t, { state: 'deferred_offline', why }, m.now);
}

const within = (m: Moment): string => formatDuration(m.strategy.healthyDeadlineMs);

/** Its deadline is over. Nobody is late whom this master has not had the time to hear of, nor while it doubts itself. */
function late(t: StoredTarget, f: NodeFacts | null, m: Moment): boolean {
  if (m.frozen || t.offeredAt === null || f?.status === 'unknown') return false;
  return m.now >= Math.max(t.offeredAt, m.since) + m.strategy.healthyDeadlineMs;
}

/** It has its offer and has not come to rest. One that confirmed and comes and goes past its deadline is waited for no more. */
export function isInFlight(t: StoredTarget, m: Moment): boolean {
  if (!t.released) return false;
  if (t.state === 'offered') return true;
  if (t.state !== 'applying' && t.state !== 'soaking') return false;
  return !(t.switchedAt !== null && late(t, null, m));
}

/** waiting | held_by_streams -> offered. */
export function offeredNow(t: StoredTarget, now: Millis): StoredTarget {
  return {
    ...t,
    state: 'offered',
    released: true,
    offeredAt: now,
    since: now,
    switchedAt: null,
    why: '',
  };
}

/** waiting -> held_by_streams: the change would cut what it carries. */
export function held(t: StoredTarget, f: NodeFacts, now: Millis): StoredTarget {
  if (t.state === 'held_by_streams') return t;
  const n = f.wouldCut;
  const why = `the change would cut ${n} ${n === 1 ? 'stream' : 'streams'} that it carried then: it waits until they are over, or it is drained`;
  return changed(t, { state: 'held_by_streams', why }, now);
}

/** failed -> waiting: a person asks for one more try. */
export function triedAgain(t: StoredTarget, now: Millis): StoredTarget {
  return changed(
    t,
    { state: 'waiting', released: false, offeredAt: null, switchedAt: null, why: 'to be tried once more' },
    now,
  );
}

/** Its clocks begin anew: they did not count while the master doubted itself. */
export function thawed(t: StoredTarget, now: Millis): StoredTarget {
  const open = t.released && (t.state === 'offered' || t.state === 'applying' || t.state === 'soaking');
  return open ? { ...t, since: now, offeredAt: now } : t;
}

// Taking back.

/** It has lost its release and is on its way to what stood before. */
export function isGoingBack(t: StoredTarget): boolean {
  return !t.released && t.state === 'applying';
}

/** It lost its release, and could not go back. A target that failed on its way forward has no offer out any more. */
export function couldNot(t: StoredTarget): boolean {
  return !t.released && t.state === 'failed' && t.offeredAt !== null;
}

/** released -> applying, going back; -> deferred_offline: when it returns; failed -> failed: it never left what it had. */
export function takenBack(t: StoredTarget, f: NodeFacts | undefined, now: Millis): StoredTarget {
  const lost = { ...t, released: false };
  if (!f) return { ...lost, state: 'excluded', since: now, why: 'it is no longer part of the fleet' };
  // Its word that it went back may come before that of what it runs.
  const back = f.failure?.reverted === true || f.effectiveHash !== f.hash;
  if (t.state === 'failed' && refuses(f) && back) {
    return { ...lost, offeredAt: null };
  }
  if (isOffline(f)) {
    const why = `it is ${f.status}; it gets back what stood before when it returns`;
    return { ...lost, state: 'deferred_offline', since: now, offeredAt: null, why };
  }
  return { ...lost, state: 'applying', since: now, offeredAt: now, why: 'it goes back to what stood before' };
}

/** applying, going back -> reverted | failed | deferred_offline. */
export function goneBack(t: StoredTarget, f: NodeFacts | undefined, m: Moment): StoredTarget {
  if (!isGoingBack(t)) return t;
  if (!f) return gone(t, m);
  if (isOffline(f)) return takenBack(t, f, m.now);
  if (f.configSync === 'in_sync' && isHere(f)) return changed(t, { state: 'reverted', why: '' }, m.now);
  if (f.configSync === 'unknown' && isHere(f)) {
    return changed(t, { state: 'reverted', why: 'nothing stood there before: it keeps what it runs' }, m.now);
  }
  if (f.configSync === 'failed' && isHere(f))
    return failed(t, `it could not go back: ${refusalOf(f)}`, m.now);
  return late(t, f, m) ? failed(t, `it did not go back within ${within(m)}: ${notWell(f)}`, m.now) : t;
}
