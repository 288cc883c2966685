import { createHash } from 'node:crypto';
import { type Action, type Caller, may } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { FleetEvent } from '../../proto/vocab/event.ts';
import type { Millis, Revision } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Mutation } from './api.ts';
import type { Clock, Commit, Draft, Log, Op, Snapshot, Store } from './ports.ts';

/** An event before its commit gives it an id, a time and a revision. */
export type EventDraft = Pick<FleetEvent, 'kind' | 'who' | 'subject' | 'text' | 'level'>;

/** What a use-case decided, as data. Effects run once the commit is on disk and published, never before. */
export interface Decision<R> {
  readonly ops: readonly Draft[];
  readonly events: readonly EventDraft[];
  readonly effects?: readonly Effect[];
  readonly result: R;
}

export type Effect = () => void;

/** `now` is the one time of this use-case, `revision` the one its commit will have. */
export type Decide<R> = (view: Snapshot, now: Millis, revision: Revision) => Decision<R> | null;

export interface Published {
  readonly commit: Commit;
  readonly view: Snapshot;
}

/**
 * The one way to write: decide on the newest state -> journal -> (on disk) -> publish -> effects.
 * Deciding and handing over to the store happen in one turn, so commits are decided in the order of their revisions.
 */
export class Writer {
  private readonly store: Store;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly subscribers: ((p: Published) => void)[] = [];
  private durable: Snapshot;
  private last: Promise<unknown> = Promise.resolve();

  constructor(needs: { store: Store; clock: Clock; log: Log }) {
    this.store = needs.store;
    this.clock = needs.clock;
    this.log = needs.log;
    this.durable = needs.store.snapshot();
  }

  /** What readers see: everything in it is on disk. */
  view(): Snapshot {
    return this.durable;
  }

  /** Settles once everything decided so far is on disk and published, or refused. */
  async settled(): Promise<void> {
    await this.last;
  }

  /** Subscribers are called in the order of revisions. */
  onPublish(subscriber: (p: Published) => void): void {
    this.subscribers.push(subscriber);
  }

  /** For what is nobody's request: an agent's word, a tick. `null` when there was nothing to write. */
  async write<R>(
    actor: string,
    src: string,
    decide: Decide<R>,
  ): Promise<{ revision: Revision; result: R } | null> {
    return this.run(actor, src, undefined, decide);
  }

  /**
   * For a person's request: authorised, refused when `ifRevision` is not the entity's, answered once per `requestId`.
   * @param entity key of what it makes or changes, from the result; kept with the request id
   * @param again rebuilds the answer of a repeated request from that key
   */
  async mutate<R>(
    m: Mutation,
    action: Action,
    args: unknown,
    decide: Decide<R>,
    entity: (result: R) => string,
    again: (view: Snapshot, entity: string) => R,
  ): Promise<{ revision: Revision; result: R }> {
    authorise(m.caller, action);
    const { requestId } = m;
    if (requestId === '')
      return this.must(await this.run(m.caller.actor, m.caller.source, undefined, decide));
    const digest = createHash('sha256')
      .update(JSON.stringify([action, args]))
      .digest('hex');
    const known = (view: Snapshot) => {
      const done = view.get('request', requestId);
      if (!done || done.digest === digest) return done;
      throw new AppError(
        'conflict',
        `request id ${safeText(requestId, { max: 64 })} was used for something else`,
      );
    };
    if (known(this.store.snapshot())) {
      // The first one may still be on its way to the disk, or be refused there.
      await this.settled();
      const done = known(this.durable);
      if (done) return { revision: done.revision, result: again(this.durable, done.entity) };
    }
    const work = await this.run<R>(m.caller.actor, m.caller.source, requestId, (view, now, revision) => {
      const d = decide(view, now, revision);
      if (!d) return null;
      const record = { id: requestId, digest, at: now, revision, entity: entity(d.result) };
      return { ...d, ops: [...d.ops, { op: 'put', kind: 'request', key: requestId, value: record }] };
    });
    return this.must(work);
  }

  private must<R>(done: { revision: Revision; result: R } | null): { revision: Revision; result: R } {
    if (done === null) throw new AppError('internal', 'a mutation decided nothing');
    return done;
  }

  private async run<R>(
    actor: string,
    src: string,
    req: string | undefined,
    decide: Decide<R>,
  ): Promise<{ revision: Revision; result: R } | null> {
    const now = this.clock.now();
    const before = this.store.snapshot();
    const revision = before.revision + 1;
    const decision = decide(before, now, revision);
    if (decision === null) return null;
    if (decision.ops.length === 0 && decision.events.length === 0) {
      return { revision: before.revision, result: decision.result };
    }
    const ops = [...decision.ops, ...decision.events.map((e, i) => eventOp(e, i, now, revision))].map((d) =>
      stamp(d, revision),
    );
    const commit: Commit = { rev: revision, ts: now, actor, src, ...(req ? { req } : {}), ops };
    const disk = this.store.commit(commit);
    const view = this.store.snapshot();
    // Waited for below, behind its predecessors; until then a refusal is not unhandled.
    disk.catch(() => {});
    const done = this.last
      .then(() => disk)
      .then(() => this.published({ commit, view }, decision.effects ?? []));
    this.last = done.catch(() => {});
    await done;
    return { revision, result: decision.result };
  }

  /** It is on disk: whatever fails from here on is told at the next occasion, and must not look like a refusal. */
  private published(p: Published, effects: readonly Effect[]): void {
    this.durable = p.view;
    for (const s of this.subscribers) this.guarded('publishing', p, () => s(p));
    for (const effect of effects) this.guarded('effect', p, effect);
  }

  private guarded(what: string, p: Published, act: () => void): void {
    try {
      act();
    } catch (e) {
      this.log.error(`${what} failed`, { revision: p.commit.rev, error: String(e) });
    }
  }
}

/** @throws AppError `forbidden` */
export function authorise(caller: Caller, action: Action): void {
  if (may(caller, action)) return;
  const limited =
    caller.scopes === undefined ? '' : ` with the scopes ${caller.scopes.join(', ') || 'of nothing'}`;
  throw new AppError('forbidden', `${caller.actor} is ${caller.role}${limited} and may not ${action}`);
}

/** @throws AppError `conflict` when the caller saw another state of the entity than there is */
export function guardRevision(m: Mutation, what: string, modRevision: Revision | undefined): void {
  if (m.ifRevision !== null && m.ifRevision !== modRevision) {
    throw new AppError(
      'conflict',
      `${what} has changed: it is at revision ${modRevision ?? 0}, not ${m.ifRevision}`,
    );
  }
}

function eventOp(e: EventDraft, i: number, at: Millis, revision: Revision): Draft {
  const id = `${revision}-${i}`;
  const text = safeText(e.text, { max: 500 });
  return { op: 'put', kind: 'event', key: id, value: { ...e, text, id, at, revision } };
}

function stamp(d: Draft, revision: Revision): Op {
  // An event carries its revision itself.
  if (d.op === 'del' || d.kind === 'event') return d as Op;
  return { ...d, value: { ...d.value, modRevision: revision } } as Op;
}
