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

/** A part of a snapshot: a reader that has stopped reading holds one of them and what its sink lets wait. */
const PART_BYTES = 16 * 1024;
const PART_ENTITIES = 500;
/** A subscriber that has not read for this long is ended; it comes back for what it missed. */
const PATIENCE_MS = 30_000;
/** Entities in one change: a larger one is no message any more, the state is read anew, in parts. */
const MOST_IN_CHANGE = 512;

const keyOf = (e: EntityKey): string => `${e.kind}/${e.key}`;

/** All of them as one, behind `since`: the latest of each entity wins. */
export function mergeChanges(since: Revision, changes: readonly Change[]): Change {
  const put = new Map<string, Entity>();
  const deleted = new Map<string, EntityKey>();
  for (const c of changes) {
    for (const e of c.put) {
      put.set(keyOf(e), e);
      deleted.delete(keyOf(e));
    }
    for (const k of c.deleted) {
      put.delete(keyOf(k));
      deleted.set(keyOf(k), k);
    }
  }
  const revision = changes.at(-1)?.revision ?? since;
  return { revision, put: [...put.values()], deleted: [...deleted.values()], conflated: true };
}

/** One event a change, whoever is sent it: a sink packs each once. */
const events = new WeakMap<Change, WatchEvent>();

function eventOf(c: Change): WatchEvent {
  const event = events.get(c) ?? { kind: 'change', ...c };
  events.set(c, event);
  return event;
}

/**
 * One console. open -> full (its sink is not drained: what it misses is looked up once it is, figures are left out)
 * -> open | ended. Never waited for, and while it is full it costs nothing.
 */
export class Subscriber {
  private readonly sink: WatchSink;
  private readonly clock: Clock;
  /** Begins a snapshot of what stands now. */
  private readonly anew: (s: Subscriber) => void;
  /** What has changed behind this revision; `null`: not all of it is kept. */
  private readonly missed: (since: Revision) => Change | null;
  private full = false;
  private fullSince: Millis = 0;
  private over = false;
  /** The rest of the snapshot, while it is being sent. */
  private parts: Iterator<WatchEvent> | null = null;
  /** It was told everything up to here, and not what came then. */
  private behind: Revision | null = null;
  private latest: WatchEvent[] = [];

  constructor(
    sink: WatchSink,
    needs: {
      clock: Clock;
      anew: (s: Subscriber) => void;
      missed: (since: Revision) => Change | null;
    },
  ) {
    this.sink = sink;
    this.clock = needs.clock;
    this.anew = needs.anew;
    this.missed = needs.missed;
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
    if (this.full || this.parts) this.behind ??= c.revision - 1;
    else this.sendChange(c);
  }

  private sendChange(c: Change): void {
    if (c.put.length + c.deleted.length > MOST_IN_CHANGE) this.anew(this);
    else this.send(eventOf(c));
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
    const { behind } = this;
    this.behind = null;
    if (behind === null) return;
    const missed = this.missed(behind);
    if (missed === null) this.anew(this);
    else this.sendChange(missed);
  }

  private send(event: WatchEvent): void {
    if (!this.sink.send(event) && !this.full) {
      this.full = true;
      this.fullSince = this.clock.now();
    }
  }
}

/** Of each version of an entity once, however many begin to watch. */
const sizes = new WeakMap<object, number>();

/** JSON is longer than the wire's form of the same: an upper bound that costs one stringify. */
function sizeOf(e: Entity): number {
  const size = sizes.get(e.value) ?? JSON.stringify(e.value).length + 32;
  sizes.set(e.value, size);
  return size;
}

function* partsOf(begin: WatchEvent, entities: Iterable<Entity>, revision: Revision): Generator<WatchEvent> {
  yield begin;
  let part: Entity[] = [];
  let bytes = 0;
  for (const e of entities) {
    const size = sizeOf(e);
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
