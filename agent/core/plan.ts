import type { ConfigHash, Millis } from '../../proto/vocab/ids.ts';
import { type SealedRef, sealedRefsIn } from '../../proto/vocab/secret.ts';
import { arm, isDue } from './confirm-timer.ts';
import type { Body, Failure, Kept, Offer, Step } from './steps.ts';

/** An engine process seen for the first time. */
export interface Sighting {
  readonly instance: string;
  readonly at: Millis;
}

export interface Observed {
  readonly engine:
    | { readonly state: 'lost' }
    | { readonly state: 'up'; readonly instance: string; readonly hash: ConfigHash | null };
  readonly kept: Kept;
  /** Engine processes in the order they were seen, see `sighted`. */
  readonly sightings: readonly Sighting[];
  /** What was found in the engine without being remembered has been looked up already. */
  readonly adoptTried: boolean;
  /** After a failed try nothing is done before this. */
  readonly retryAt: Millis;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** For people: what this is for, or why nothing is done. */
  readonly why: string;
  /** What the steps answer; a failure among them is its refusal. */
  readonly for: 'offer' | 'keep' | 'nothing';
}

/** So many new engine processes, each this soon after a switch, are a crash loop. */
const CRASHES = 3;
const CRASH_WINDOW_MS = 60_000;
const MOST_SIGHTINGS = 16;

/** (desired, observed, now) -> steps. Offers are answered in order of their revision; without one, what is kept counts. */
export function plan(offer: Offer | null, o: Observed, now: Millis): Plan {
  const { kept, engine } = o;
  if (offer && isStale(offer, kept)) {
    return nothing(`revision ${offer.revision} is older than ${kept.revision}, which this node has answered`);
  }
  if (offer && wasRefused(offer, kept) && offer.hash !== kept.effective?.hash) {
    const failure = kept.rejected?.failure as Failure;
    return {
      for: 'offer',
      why: 'this document was refused before',
      steps: [{ do: 'nack', nonce: offer.nonce, hash: offer.hash, failure, reverted: false }],
    };
  }
  const looping = crashLoop(o);
  if (looping) return looping;
  if (engine.state === 'lost') {
    if (now < o.retryAt) return nothing('the engine is lost; looking for it again soon');
    return { for: 'keep', why: 'the engine is lost', steps: [{ do: 'find-engine' }] };
  }
  if (now < o.retryAt) return nothing('the last try failed; the next one is soon');
  if (isDue(kept.commit, now)) return takeBack(kept);
  if (offer) return engine.hash === offer.hash ? same(offer, kept) : change(offer, kept, now);
  if (!kept.effective) {
    if (engine.hash === null) return nothing('no document yet; the master has not offered one');
    if (o.adoptTried) return nothing('the engine runs a document that is not remembered here');
    return { for: 'keep', why: 'the engine runs what it found', steps: [{ do: 'adopt', hash: engine.hash }] };
  }
  if (engine.hash === kept.effective.hash) return nothing('in sync');
  return restore(kept.effective, engine.hash);
}

/** A failed step -> what is left to do. */
export function planFailure(failure: Failure, offer: Offer, kept: Kept): readonly Step[] {
  const touched = failure.phase === 'switch' || failure.phase === 'confirm';
  const back: Step[] = touched ? [{ do: 'put-back', to: kept.effective }] : [];
  return [...back, ...refuse(failure, offer, kept, touched)];
}

/** The same once the last-known-good could not be put back either: repaired later, as drift. */
export function planStuck(failure: Failure, offer: Offer, kept: Kept): readonly Step[] {
  return refuse(failure, offer, kept, false);
}

function refuse(failure: Failure, offer: Offer, kept: Kept, reverted: boolean): Step[] {
  const rejected = { hash: offer.hash, failure, reverted, revision: offer.revision };
  return [
    { do: 'remember', kept: { ...answered(offer, kept), rejected } },
    { do: 'nack', nonce: offer.nonce, hash: offer.hash, failure, reverted },
  ];
}

/** Only a new process counts; the list stays short. */
export function sighted(seen: readonly Sighting[], instance: string, at: Millis): readonly Sighting[] {
  return seen.at(-1)?.instance === instance ? seen : [...seen, { instance, at }].slice(-MOST_SIGHTINGS);
}

export function isStale(offer: Offer, kept: Kept): boolean {
  return offer.storeId === kept.storeId && offer.revision < kept.revision;
}

/** Asked again by a person, after it was refused, it is tried once more. */
function wasRefused(offer: Offer, kept: Kept): boolean {
  const { rejected } = kept;
  if (rejected?.hash !== offer.hash) return false;
  return (offer.retry ?? 0) <= (rejected.revision ?? 0);
}

function sealing({ sealed = [] }: Offer): Step[] {
  return sealed.length > 0 ? [{ do: 'keep-sealed', sealed }] : [];
}

/** What has to stay on the disk: what the engine runs, and what it may have to go back to. */
export function sealedNeeded(kept: Kept, now: Millis): readonly SealedRef[] {
  const { effective, previous, switchedAt, commit } = kept;
  const back = commit.kind === 'waiting' || (switchedAt !== null && now <= switchedAt + CRASH_WINDOW_MS);
  const texts = [effective?.text ?? '', back ? (previous?.text ?? '') : ''];
  return texts.flatMap(sealedRefsIn);
}

function same(offer: Offer, kept: Kept): Plan {
  const known = kept.effective?.hash === offer.hash;
  const next: Kept = {
    ...answered(offer, kept),
    effective: bodyOf(offer),
    previous: known ? kept.previous : kept.effective,
    rejected: null,
  };
  return {
    for: 'offer',
    why: 'the engine runs this document already',
    steps: [
      ...sealing(offer),
      { do: 'keep-lkg', kept: next },
      { do: 'ack', nonce: offer.nonce, hash: offer.hash },
    ],
  };
}

function change(offer: Offer, kept: Kept, now: Millis): Plan {
  const body = bodyOf(offer);
  const next: Kept = {
    ...answered(offer, kept),
    effective: body,
    previous: kept.effective,
    switchedAt: now,
    commit: arm(offer.commit, now),
    rejected: null,
  };
  return {
    for: 'offer',
    why: `revision ${offer.revision} is to be put into force`,
    steps: [
      { do: 'report', nonce: offer.nonce, phase: 'validate' },
      { do: 'validate', body },
      ...sealing(offer),
      { do: 'prepare', body },
      { do: 'switch', body },
      { do: 'report', nonce: offer.nonce, phase: 'confirm' },
      { do: 'confirm', body },
      { do: 'keep-lkg', kept: next },
      { do: 'ack', nonce: offer.nonce, hash: offer.hash },
    ],
  };
}

function restore(body: Body, found: ConfigHash | null): Plan {
  const drifted = found !== null;
  const text = drifted
    ? `the engine ran ${found.slice(0, 12)} instead of ${body.hash.slice(0, 12)}: put right`
    : `the engine had nothing to run: ${body.hash.slice(0, 12)} put in force again`;
  return {
    for: 'keep',
    why: drifted ? 'the engine has drifted' : 'the engine runs nothing',
    steps: [
      { do: 'put-back', to: body },
      { do: 'note', kind: drifted ? 'drift' : 'engine', text },
    ],
  };
}

/** The master did not say in time that it can still be reached. */
function takeBack(kept: Kept): Plan {
  const bad = kept.effective;
  if (!bad || !kept.previous) {
    const text = 'the master did not confirm the config in time; there is none before it, so it stays';
    return {
      for: 'keep',
      why: 'not confirmed, and nothing to go back to',
      steps: [
        { do: 'remember', kept: { ...kept, commit: { kind: 'none' } } },
        { do: 'note', kind: 'config', text },
      ],
    };
  }
  const { kept: next, told } = backTo(kept, kept.previous, bad, {
    code: 'not_confirmed',
    message: 'the master did not confirm it in time: the node put the previous config back by itself',
    hint: 'it may have cut the way to the master',
  });
  return {
    for: 'keep',
    why: 'the master did not confirm the config in time',
    steps: [{ do: 'put-back', to: kept.previous }, { do: 'keep-lkg', kept: next }, ...told],
  };
}

/** The file is changed first and alone: a crashing engine reads it before we can say anything. */
function crashLoop({ kept, sightings }: Observed): Plan | null {
  const { switchedAt, effective: bad, previous } = kept;
  if (switchedAt === null || !bad || !previous) return null;
  const soon = sightings.filter((s) => s.at > switchedAt && s.at <= switchedAt + CRASH_WINDOW_MS);
  if (soon.length < CRASHES) return null;
  const { kept: next, told } = backTo(kept, previous, bad, {
    code: 'crash_loop',
    message: `the engine started ${soon.length} times within ${CRASH_WINDOW_MS / 1000} s of the switch`,
  });
  return {
    for: 'keep',
    why: 'the engine crashes again and again since the switch',
    steps: [{ do: 'keep-lkg', kept: next }, ...told],
  };
}

function backTo(
  kept: Kept,
  to: Body,
  bad: Body,
  refusal: Failure['refusal'],
): { readonly kept: Kept; readonly told: readonly Step[] } {
  const failure: Failure = { phase: 'confirm', refusal, transient: false, logTail: '' };
  return {
    kept: {
      ...kept,
      effective: to,
      previous: null,
      switchedAt: null,
      commit: { kind: 'none' },
      rejected: { hash: bad.hash, failure, reverted: true, revision: bad.revision },
    },
    told: [
      { do: 'nack', nonce: '', hash: bad.hash, failure, reverted: true },
      { do: 'note', kind: 'config', text: `${refusal.message}; back to ${to.hash.slice(0, 12)}` },
    ],
  };
}

function answered(offer: Offer, kept: Kept): Kept {
  const revision = offer.storeId === kept.storeId ? Math.max(kept.revision, offer.revision) : offer.revision;
  return { ...kept, storeId: offer.storeId, revision };
}

function bodyOf({ hash, version, revision, text }: Offer): Body {
  return { hash, version, revision, text };
}

function nothing(why: string): Plan {
  return { for: 'nothing', why, steps: [] };
}
