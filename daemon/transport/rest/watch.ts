import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../../proto/vocab/can.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Revision } from '../../../proto/vocab/ids.ts';
import type { Entities, EntityKind, WatchEvent } from '../../../proto/vocab/watch.ts';
import type { WatchService, WatchSink } from '../../service/api.ts';
import { HttpRefusal, retryAfter } from './problem.ts';
import type { Answer, STREAM_EVENTS } from './route.ts';

/** One list, watched. */
export interface Watched<K extends EntityKind> {
  readonly kind: K;
  /** As the list shows it; `null`: it is not in this list. */
  item(value: Entities[K], key: string): object | null;
  /** What a tick of figures says of the list's items; absent: it has none. */
  figures?(names: ReadonlySet<string>, event: Extract<WatchEvent, { kind: 'vitals' }>): readonly object[];
}

interface Needs {
  readonly watch: WatchService;
  /** Of the running store: a revision of another one means nothing here. */
  readonly storeId: string;
  readonly authenticate: (bearer: string, remote: string) => Caller;
  /** It is no request any more that is answered soon. */
  streams(reply: FastifyReply): void;
}

/** A stream takes a socket and a place in the hub, so they are counted. */
const MOST_STREAMS = 512;
/** Bytes that may wait for a slow reader before it is called full. */
const MOST_WAITING_BYTES = 64 * 1024;
/** Ticks, of a second each, between two comments that keep what lies between from closing an idle connection. */
const HEARTBEAT_TICKS = 15;
/** Time for the last words of a stream. */
const LAST_WORDS_MS = 1000;

/**
 * `?watch` on lists: Server-Sent Events of what the console's stream has, narrowed to one list.
 *
 * `begin {revision, store_id}`, `put` for each item that stands, `synced {revision}`; or, with a `since` that is still
 * kept, `resumed`. Then `put` and `deleted {id}` as they happen; the last of a revision has it as its id. `figures`
 * once a second where the list has them. `end {reason}` before the master ends it.
 */
export class Watches {
  private readonly needs: Needs;
  private readonly streams = new Set<EventStream>();
  private ticks = 0;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  /** @throws HttpRefusal `gone` when the changes behind `since` are not kept any more */
  open<K extends EntityKind>(
    asked: { readonly caller: Caller; readonly request: FastifyRequest },
    args: { readonly since: Revision | null; readonly storeId: string | undefined },
    watched: Watched<K>,
  ): Answer {
    if (this.streams.size >= MOST_STREAMS) {
      throw new HttpRefusal('throttled', `${MOST_STREAMS} watches are open: close some`, {
        headers: retryAfter(5000),
      });
    }
    const since = args.since ?? lastEventOf(asked.request);
    const stream = new EventStream(watched as unknown as Watched<EntityKind>);
    const subscription = this.needs.watch.subscribe(
      asked.caller,
      {
        sinceRevision: since,
        storeId: since === null ? null : (args.storeId ?? this.needs.storeId),
        client: 'rest',
      },
      stream,
    );
    if (since !== null && stream.first() === 'compacted') {
      subscription.close();
      throw new HttpRefusal(
        'gone',
        `the changes since ${since} are not kept any more: read the list, and watch from its revision`,
      );
    }
    const over = (): void => {
      this.streams.delete(stream);
      subscription.close();
    };
    this.streams.add(stream);
    stream.onLeave(over);
    return {
      stream: (request, reply) => {
        this.needs.streams(reply);
        stream.attach(request, reply, () => subscription.drained());
      },
    };
  }

  /** Once a second: whose token ended, and what keeps idle connections open. */
  tick(): void {
    this.ticks += 1;
    const beat = this.ticks % HEARTBEAT_TICKS === 0;
    for (const s of this.streams) {
      const why = s.isStillKnown(this.needs.authenticate);
      if (why !== null) s.end(why);
      else if (beat) s.comment();
    }
  }

  endAll(reason: string): void {
    for (const s of this.streams) s.end(reason);
  }
}

/** What a browser sends when it comes back by itself. */
function lastEventOf(request: FastifyRequest): Revision | null {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : null;
}

/** early (nothing written yet: what comes is kept) -> attached -> over. */
class EventStream implements WatchSink {
  private readonly watched: Watched<EntityKind>;
  private readonly early: WatchEvent[] = [];
  private readonly inList = new Set<string>();
  private request: FastifyRequest | null = null;
  private reply: FastifyReply | null = null;
  private drained: () => void = () => {};
  private left: () => void = () => {};
  private full = false;
  private over = false;
  /** It goes on from a revision: what it had seen in the list before is not known. */
  private resumed = false;

  constructor(watched: Watched<EntityKind>) {
    this.watched = watched;
  }

  first(): WatchEvent['kind'] | null {
    return this.early[0]?.kind ?? null;
  }

  onLeave(left: () => void): void {
    this.left = left;
  }

  attach(request: FastifyRequest, reply: FastifyReply, drained: () => void): void {
    const { raw } = reply;
    this.request = request;
    this.reply = reply;
    this.drained = drained;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      // Nothing comes after it on this connection.
      connection: 'close',
      'x-accel-buffering': 'no',
    });
    raw.on('close', () => this.leave());
    raw.on('error', () => this.leave());
    raw.on('drain', () => {
      if (!this.full || this.over) return;
      this.full = false;
      this.drained();
    });
    for (const event of this.early.splice(0)) this.write(event);
    if (this.over) this.close();
    else if (this.full && raw.writableLength <= MOST_WAITING_BYTES) {
      this.full = false;
      drained();
    }
  }

  send(event: WatchEvent): boolean {
    if (this.over) return true;
    if (this.reply === null) {
      this.early.push(event);
      // A snapshot is not piled up before somebody reads it.
      this.full = true;
      return false;
    }
    this.write(event);
    this.full = this.reply.raw.writableLength > MOST_WAITING_BYTES;
    return !this.full;
  }

  end(reason: string): void {
    if (this.over) return;
    this.say('end', { reason });
    this.over = true;
    if (this.reply !== null) this.close();
  }

  comment(): void {
    if (this.reply !== null && !this.over && !this.full) this.reply.raw.write(':\n\n');
  }

  /** `null`, or why the token it came with is none any more. */
  isStillKnown(authenticate: Needs['authenticate']): string | null {
    if (this.request === null || this.over) return null;
    try {
      authenticate(this.request.bearer, this.request.ip);
      return null;
    } catch (error) {
      return error instanceof AppError ? error.message : 'the token cannot be checked';
    }
  }

  private close(): void {
    const raw = this.reply?.raw;
    if (!raw) return;
    raw.end();
    // One that does not read its last words does not keep the socket.
    setTimeout(() => raw.destroy(), LAST_WORDS_MS).unref();
  }

  private leave(): void {
    this.over = true;
    this.left();
  }

  private say(event: (typeof STREAM_EVENTS)[number], data: unknown, id?: Revision): void {
    const text = `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
    this.reply?.raw.write(text);
  }

  private write(event: WatchEvent): void {
    switch (event.kind) {
      case 'begin':
        this.say('begin', { revision: event.revision, store_id: event.storeId });
        return;
      case 'resumed':
        this.resumed = true;
        this.say('resumed', { revision: event.revision, store_id: event.storeId });
        return;
      case 'part':
        for (const e of event.entities) if (e.kind === this.watched.kind) this.put(e.key, e.value);
        return;
      case 'end':
        this.say('synced', { revision: event.revision }, event.revision);
        return;
      case 'change':
        this.change(event);
        return;
      case 'vitals': {
        const items = this.watched.figures?.(this.inList, event) ?? [];
        if (items.length > 0) this.say('figures', { items });
        return;
      }
      case 'compacted':
        this.end('too much has changed for one message: read the list, and watch from its revision');
        return;
    }
  }

  private put(key: string, value: Entities[EntityKind], id?: Revision): void {
    const item = this.watched.item(value as never, key);
    if (item !== null) {
      this.inList.add(key);
      this.say('put', item, id);
    } else this.gone(key, id);
  }

  private gone(key: string, id?: Revision): void {
    if (this.inList.delete(key) || this.resumed) this.say('deleted', { id: key }, id);
  }

  private change(c: Extract<WatchEvent, { kind: 'change' }>): void {
    const mine = (e: { kind: EntityKind }): boolean => e.kind === this.watched.kind;
    const puts = c.put.filter(mine);
    const deleted = c.deleted.filter(mine);
    const last = puts.length + deleted.length - 1;
    puts.forEach((e, i) => {
      this.put(e.key, e.value, i === last ? c.revision : undefined);
    });
    deleted.forEach((e, i) => {
      this.gone(e.key, puts.length + i === last ? c.revision : undefined);
    });
  }
}
