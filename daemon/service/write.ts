import { createHash } from 'node:crypto';
import { type Action, type Caller, may } from '../../proto/vocab/can.ts';
import { AppError, type ErrorCode } from '../../proto/vocab/errors.ts';
import type { FleetEvent } from '../../proto/vocab/event.ts';
import type { Millis, Revision } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Mutation } from './api.ts';
import type { About, AuditTrail, Ticket } from './audit.ts';
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
  private readonly audit: AuditTrail;
  /** What each mutation is, for the record of one that is refused. */
  private readonly abouts = new WeakMap<Mutation, About>();
  private readonly subscribers: ((p: Published) => void)[] = [];
  private durable: Snapshot;
  private last: Promise<unknown> = Promise.resolve();

  constructor(needs: { store: Store; clock: Clock; log: Log; audit: AuditTrail }) {
    this.store = needs.store;
    this.audit = needs.audit;
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
    let seen: Promise<unknown> | null = null;
    // What is published may be followed by another write.
    while (seen !== this.last) {
      seen = this.last;
      await seen;
    }
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
   * As `write`, with a record in the audit log, on disk before this settles; of a refusal in the decision as well.
   * @param subject of what was done, from the result
   */
  async told<R>(
    about: About,
    decide: Decide<R>,
    subject: (result: R) => string,
  ): Promise<{ revision: Revision; result: R }> {
    this.audit.check();
    const { actor, source } = about.caller;
    try {
      return this.must(await this.run(actor, source, undefined, decide, { about, subject }));
    } catch (error) {
      if (!(error instanceof Recorded) && this.audit.degraded() === null) {
        await this.audit.tell(about, codeOf(error));
      }
      throw error;
    }
  }

  /** What is known of a mutation that was refused. */
  aboutOf(m: Mutation): About | undefined {
    return this.abouts.get(m);
  }

  /**
   * For a person's request: authorised, refused when `ifRevision` is not the entity's, answered once per `requestId`.
   * @param entity key of what it makes or changes, from the result; kept with the request id
   * @param again rebuilds the answer of a repeated request from that key and the revision of the first one
   */
  async mutate<R>(
    m: Mutation,
    action: Action | OwnAction,
    args: unknown,
    decide: Decide<R>,
    entity: (result: R) => string,
    again: (view: Snapshot, entity: string, at: Revision) => R,
  ): Promise<{ revision: Revision; result: R }> {
    const { caller, requestId, reason } = m;
    const about: About = { caller, action, subject: subjectOf(args), requestId, reason };
    this.abouts.set(m, about);
    if (!isOwn(action)) authorise(caller, action);
    this.audit.check();
    const record = { about, subject: entity };
    if (requestId === '')
      return this.must(await this.run(caller.actor, caller.source, undefined, decide, record));
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
      if (done) return { revision: done.revision, result: again(this.durable, done.entity, done.revision) };
    }
    const once: Decide<R> = (view, now, revision) => {
      const d = decide(view, now, revision);
      if (!d) return null;
      const done = { id: requestId, digest, at: now, revision, entity: entity(d.result) };
      return { ...d, ops: [...d.ops, { op: 'put', kind: 'request', key: requestId, value: done }] };
    };
    return this.must(await this.run(caller.actor, caller.source, requestId, once, record));
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
    record?: { readonly about: About; readonly subject: (result: R) => string },
  ): Promise<{ revision: Revision; result: R } | null> {
    const now = this.clock.now();
    const before = this.store.snapshot();
    const revision = before.revision + 1;
    const decision = decide(before, now, revision);
    if (decision === null) return null;
    const about = record && { ...record.about, subject: record.subject(decision.result) };
    if (decision.ops.length === 0 && decision.events.length === 0) {
      if (about) await this.audit.tell(about, 'ok');
      return { revision: before.revision, result: decision.result };
    }
    const ticket = about && this.audit.begin(about, 'ok', revision, now);
    const ops = [
      ...decision.ops,
      ...decision.events.map((e, i) => eventOp(e, i, now, revision)),
      ...(ticket ? this.audit.ops(before) : []),
    ].map((d) => stamp(d, revision));
    const commit: Commit = { rev: revision, ts: now, actor, src, ...(req ? { req } : {}), ops };
    const disk = this.store.commit(commit);
    const view = this.store.snapshot();
    // Waited for below, behind its predecessors; until then a refusal is not unhandled.
    disk.catch(() => {});
    const done = this.last
      .then(() => disk)
      .then(() => this.published({ commit, view }, decision.effects ?? []));
    this.last = done.catch(() => {});
    await (ticket ? this.recorded(ticket, done) : done);
    return { revision, result: decision.result };
  }

  /** Nothing is answered before its record is on disk. */
  private async recorded(ticket: Ticket, done: Promise<void>): Promise<void> {
    try {
      await done;
    } catch (error) {
      await ticket.dropped(codeOf(error)).catch(() => {});
      throw error instanceof AppError ? new Recorded(error) : error;
    }
    await ticket.landed();
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

/** What everybody may do to their own: it is in no table. */
export type OwnAction = 'user.password';

function isOwn(action: Action | OwnAction): action is OwnAction {
  return action === 'user.password';
}

/** Refused by the disk after it was decided: the record of it stands already. */
export class Recorded extends AppError {
  constructor(error: AppError) {
    const { refusals, retryAfterMs } = error;
    super(error.code, error.message, {
      cause: error,
      refusals,
      ...(retryAfterMs === null ? {} : { retryAfterMs }),
    });
  }
}

export function codeOf(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'internal';
}

/** What was meant to be changed, as far as the arguments say. */
export function subjectOf(args: unknown): string {
  if (typeof args === 'string') return args;
  if (typeof args !== 'object' || args === null) return '';
  const a = args as Readonly<Record<string, unknown>>;
  for (const key of ['name', 'label', 'id', 'region', 'alert']) if (typeof a[key] === 'string') return a[key];
  return a['target'] === undefined ? '' : JSON.stringify(a['target']);
}

/** @throws AppError `forbidden` */
export function authorise(caller: Caller, action: Action): void {
  if (may(caller, action)) return;
  const limited =
    caller.scopes === undefined ? '' : ` with the scopes ${caller.scopes.join(', ') || 'of nothing'}`;
  throw new AppError('forbidden', `${caller.actor} is ${caller.role}${limited} and may not ${action}`);
}

/** The caller saw another state of the entity than there is. Its own kind, as HTTP has a status for it. */
export class StaleRevision extends AppError {
  constructor(what: string, is: Revision, seen: Revision) {
    super('conflict', `${what} has changed: it is at revision ${is}, not ${seen}`);
  }
}

/** @throws StaleRevision when the caller saw another state of the entity than there is */
export function guardRevision(m: Mutation, what: string, modRevision: Revision | undefined): void {
  if (m.ifRevision !== null && m.ifRevision !== modRevision) {
    throw new StaleRevision(what, modRevision ?? 0, m.ifRevision);
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
