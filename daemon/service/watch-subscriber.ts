import type { Millis, Revision } from '../../proto/vocab/ids.ts';
import type { Entity, EntityKey, WatchEvent } from '../../proto/vocab/watch.ts';
import type { WatchSink } from './api.ts';
import type { Clock } from './ports.ts';

export interface Change {
  readonly revision: Revision;
  readonly put: readonly Entity[];
  readonly deleted: readonly EntityKey[];
  readonly conflated: boolean;
}

/** A part of a snapshot stays below the 256 KiB limit of a message. */
const PART_BYTES = 200 * 1024;
const PART_ENTITIES = 500;
/** A subscriber that has not read for this long is ended; it comes back for what it missed. */
const PATIENCE_MS = 30_000;
/** Entities in one change: a larger one is no message any more, the state is read anew, in parts. */
const MOST_IN_CHANGE = 512;

const keyOf = (e: EntityKey): string => `${e.kind}/${e.key}`;

/** The later of two changes wins, entity by entity. */
export function mergeChanges(a: Change, b: Change): Change {
  const put = new Map(a.put.map((e) => [keyOf(e), e]));
  const deleted = new Map(a.deleted.map((k) => [keyOf(k), k]));
  for (const e of b.put) {
    put.set(keyOf(e), e);
    deleted.delete(keyOf(e));
  }
  for (const k of b.deleted) {
    put.delete(keyOf(k));
    deleted.set(keyOf(k), k);
  }
  return { revision: b.revision, put: [...put.values()], deleted: [...deleted.values()], conflated: true };
}

/**
 * One console. open -> full (its sink is not drained: changes are merged, figures left out) -> open | ended.
 * Never waited for.
 */
export class Subscriber {
  private readonly sink: WatchSink;
  private readonly clock: Clock;
  /** Begins a snapshot of what stands now. */
  private readonly anew: (s: Subscriber) => void;
  private full = false;
  private fullSince: Millis = 0;
  private over = false;
  /** The rest of the snapshot, while it is being sent. */
  private parts: Iterator<WatchEvent> | null = null;
  private pending: Change | null = null;
  private latest: WatchEvent[] = [];

  constructor(sink: WatchSink, clock: Clock, anew: (s: Subscriber) => void) {
    this.sink = sink;
    this.clock = clock;
    this.anew = anew;
  }

  snapshot(begin: WatchEvent, entities: Iterable<Entity>, revision: Revision): void {
    this.parts = partsOf(begin, entities, revision);
    this.pump();
  }

  /** @param since what it knows: commits that changed nothing it is shown still move its revision */
  resume(resumed: WatchEvent, missed: Change, since: Revision): void {
    this.tell(resumed);
    if (missed.revision > since) this.change(missed);
  }

  /** Without regard to fullness: small, and rare. */
  tell(event: WatchEvent): void {
    if (this.over) return;
    if (this.parts) this.latest.push(event);
    else this.send(event);
  }

  change(c: Change): void {
    if (this.over) return;
    if (this.full || this.parts) this.pending = this.pending ? mergeChanges(this.pending, c) : c;
    else this.sendChange(c);
  }

  private sendChange(c: Change): void {
    if (c.put.length + c.deleted.length > MOST_IN_CHANGE) this.anew(this);
    else this.send({ kind: 'change', ...c });
  }

  /** Figures are worth nothing later: a full subscriber gets the next ones. */
  figures(v: WatchEvent): void {
    if (!this.over && !this.full && !this.parts) this.send(v);
  }

  drained(): void {
    this.full = false;
    this.pump();
  }

  expired(now: Millis): boolean {
    return this.full && now - this.fullSince > PATIENCE_MS;
  }

  end(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.sink.end(reason);
  }

  close(): void {
    this.over = true;
  }

  private pump(): void {
    while (this.parts && !this.full && !this.over) {
      const next = this.parts.next();
      if (next.done) this.parts = null;
      else this.send(next.value);
    }
    if (this.full || this.over) return;
    for (const event of this.latest.splice(0)) this.send(event);
    const { pending } = this;
    this.pending = null;
    if (pending) this.sendChange({ ...pending, conflated: true });
  }

  private send(event: WatchEvent): void {
    if (!this.sink.send(event) && !this.full) {
      this.full = true;
      this.fullSince = this.clock.now();
    }
  }
}

function* partsOf(begin: WatchEvent, entities: Iterable<Entity>, revision: Revision): Generator<WatchEvent> {
  yield begin;
  let part: Entity[] = [];
  let bytes = 0;
  for (const e of entities) {
    // JSON is longer than the wire's form of the same: an upper bound that costs one stringify.
    const size = JSON.stringify(e).length;
    if (part.length > 0 && (bytes + size > PART_BYTES || part.length >= PART_ENTITIES)) {
      yield { kind: 'part', entities: part };
      part = [];
      bytes = 0;
    }
    part.push(e);
    bytes += size;
  }
  if (part.length > 0) yield { kind: 'part', entities: part };
  yield { kind: 'end', revision };
}
