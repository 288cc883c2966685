import type { Duplex } from 'node:stream';
import type { CutBy } from '../data/leg.ts';
import {
  AT_MOST,
  FIN,
  FIRST_WINDOW,
  FrameReader,
  LEAVING,
  NOP,
  PSH,
  type SmuxVersion,
  SYN,
  UPD,
} from './smux-frame.ts';
import { marksOf, SmuxStream, type StreamHost, StreamLost } from './smux-stream.ts';
import { FrameWriter } from './smux-writer.ts';

const WINDOW_BYTES = 1024 * 1024;
/** Granted when much is held for slow readers: few bytes each, so that there is room for very many. */
const NARROW_BYTES = 64 * 1024;
const HELD_BYTES = 64 * 1024 * 1024;
/** Answers the carrier does not take (refusals, updates): nobody honest makes that many. */
const BACKLOG_BYTES = 16 * 1024 * 1024;
const MAX_STREAMS = 65_536;
const KEEPALIVE = { everyMs: 10_000, timeoutMs: 30_000 } as const;
const LAST_SID = 0xffffffff;

/** They may change while the session goes on. */
export interface SmuxLimits {
  /** What a stream's peer may send ahead of its reader, 256 KB at least. */
  readonly windowBytes?: number | undefined;
  /** Of the peer's, open at once. */
  readonly maxStreams?: number | undefined;
}

export interface SmuxSettings extends SmuxLimits {
  /** Clients open odd streams, servers even ones. */
  readonly role: 'client' | 'server';
  /** Default: 2; a server takes what the client speaks. Version 1 has no windows: stalled streams stop the others. */
  readonly version?: SmuxVersion;
  /** What all streams may hold for their readers; a quarter of it narrows the windows, all of it stops the session. */
  readonly heldBytes?: number;
  /** Both ends are ours: they may say words of their own, see `SmuxSession.leave`. */
  readonly words?: boolean;
  /** A NOP every so often; a peer that says nothing at all for longer than the time-out is gone. Null: neither. */
  readonly keepalive?: { readonly everyMs: number; readonly timeoutMs: number } | null;
}

export interface SmuxNeeds {
  /** A stream of the peer's. Without this they are refused. */
  readonly onStream?: (stream: SmuxStream) => void;
  /** Once; all streams were told before. */
  readonly onOver: (why: string) => void;
  /** Once: the other side takes no more streams. */
  readonly onLeaving?: () => void;
  /** Calls `run` until the returned function is called. */
  readonly every: (ms: number, run: () => void) => () => void;
}

/**
 * smux v1 and v2 over any carrier. The session's death, the carrier's end included, is a loss to every stream that was
 * not complete; streams take turns frame by frame when the carrier is full.
 */
export class SmuxSession {
  readonly #carrier: Duplex;
  readonly #settings: SmuxSettings;
  readonly #needs: SmuxNeeds;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #host: StreamHost;
  readonly #streams = new Map<number, SmuxStream>();
  #window: number;
  #maxStreams: number;
  /** As the other side said. */
  #theirMost = Number.POSITIVE_INFINITY;
  #theyLeave = false;
  #saidLeaving = false;
  readonly #heldMost: number;
  /** Streams with something to send, in turn; from `#rowAt` on. */
  #row: SmuxStream[] = [];
  #rowAt = 0;
  #pumping = false;
  #lastSid: number;
  /** Where the payload under way goes; null drops it. */
  #into: SmuxStream | null = null;
  #held = 0;
  #paused = false;
  #silentMs = 0;
  #over: string | null = null;
  #closing = false;
  readonly #stopTicking: () => void;

  constructor(carrier: Duplex, settings: SmuxSettings, needs: SmuxNeeds) {
    this.#carrier = carrier;
    this.#settings = settings;
    this.#needs = needs;
    this.#window = windowOf(settings);
    this.#maxStreams = settings.maxStreams ?? MAX_STREAMS;
    this.#heldMost = settings.heldBytes ?? HELD_BYTES;
    this.#lastSid = settings.role === 'client' ? 1 : 0;
    this.#host = this.#hostStreams();
    this.#writer = new FrameWriter(carrier, () => this.#pump());
    this.#reader = new FrameReader(settings.version ?? (settings.role === 'client' ? 2 : null), {
      open: (sid) => this.#accept(sid),
      end: (sid) => this.#streams.get(sid)?.receiveEnd(),
      push: (sid, length) => {
        this.#into = this.#streams.get(sid) ?? null;
        if (length === 0) this.#into?.mark();
      },
      data: (piece) => {
        if (this.#into?.receive(piece) === false)
          this.destroy(`stream ${this.#into.id} got more than its window`);
      },
      update: (sid, consumed, window) => {
        if (this.#streams.get(sid)?.update(consumed, window) === false)
          this.destroy(`stream ${sid}: more was consumed than sent`);
      },
      word: (word) => {
        if (settings.words) this.#heard(word);
      },
    });
    const { everyMs, timeoutMs } = settings.keepalive ?? KEEPALIVE;
    this.#stopTicking =
      settings.keepalive === null
        ? () => undefined
        : needs.every(everyMs, () => this.#tick(everyMs, timeoutMs));
    carrier.on('error', (e) => this.destroy(e.message));
    carrier.on('end', () => this.destroy('the other side ended the session'));
    carrier.on('close', () => this.destroy('the connection was closed'));
    carrier.on('data', (chunk: Buffer) => this.#read(chunk));
    if (this.#maxStreams !== MAX_STREAMS) this.#say(AT_MOST + this.#maxStreams);
  }

  /** Why it is over, or null. */
  get over(): string | null {
    return this.#over;
  }

  /** Null in a server that has not heard of its client yet. */
  get version(): SmuxVersion | null {
    return this.#reader.version;
  }

  /** Streams that are not ended both ways. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Bytes that wait for readers. */
  get held(): number {
    return this.#held;
  }

  /** For good: the other side takes no more streams, or their numbers are used up. */
  get leaving(): boolean {
    return this.#theyLeave || this.#lastSid + 2 > LAST_SID;
  }

  /** Null when no more can be opened: the session is over, left, full, or has used up its numbers. */
  open(): SmuxStream | null {
    const { version } = this;
    if (this.#over !== null || this.#closing || this.leaving || version === null) return null;
    if (this.#streams.size >= this.#theirMost) return null;
    this.#lastSid += 2;
    this.#frame(SYN, this.#lastSid, 0);
    return this.#begin(this.#lastSid, version);
  }

  /** Asks for no more streams, where the other side understands it; what comes all the same is taken as before. */
  leave(): void {
    if (this.#saidLeaving) return;
    this.#saidLeaving = true;
    this.#say(LEAVING);
  }

  /** From now on; open streams beyond a new most go on. */
  tune(limits: SmuxLimits): void {
    this.#window = windowOf(limits);
    const most = limits.maxStreams ?? MAX_STREAMS;
    if (most === this.#maxStreams) return;
    this.#maxStreams = most;
    this.#say(AT_MOST + most);
  }

  /** Cuts what is open and ends the carrier after what was already said. */
  close(): void {
    if (this.#over !== null || this.#closing) return;
    this.#closing = true;
    for (const stream of this.#streams.values()) stream.resetAndDestroy();
    this.#writer.end();
  }

  /** At once; every open stream is lost. */
  destroy(why: string): void {
    if (this.#over !== null) return;
    this.#over = why;
    this.#reader.stop();
    this.#stopTicking();
    const lost = new StreamLost(`the session was lost: ${why}`, null);
    for (const stream of this.#streams.values()) stream.lose(lost);
    this.#row = [];
    this.#rowAt = 0;
    this.#carrier.destroy();
    this.#needs.onOver(why);
  }

  #read(chunk: Buffer): void {
    this.#silentMs = 0;
    const fault = this.#reader.feed(chunk);
    if (fault !== null) this.destroy(`not smux: ${fault}`);
    else if (this.#writer.backlog > BACKLOG_BYTES) this.destroy('the other side asks and takes no answers');
  }

  #begin(sid: number, version: SmuxVersion): SmuxStream {
    const stream = new SmuxStream(sid, version === 2, this.#host);
    this.#streams.set(sid, stream);
    if (version === 2 && this.#host.window() < FIRST_WINDOW) stream.grant();
    return stream;
  }

  #accept(sid: number): void {
    const { version } = this;
    if (version === null || this.#over !== null || this.#streams.has(sid)) return;
    const theirs = this.#settings.role === 'client' ? 0 : 1;
    if (sid === 0 || sid % 2 !== theirs) {
      this.destroy(`not smux: stream ${sid} is not the peer's to open`);
      return;
    }
    const { onStream } = this.#needs;
    if (onStream === undefined || this.#closing || this.#streams.size >= this.#maxStreams)
      this.#host.cut(sid, 'tunnel');
    else onStream(this.#begin(sid, version));
  }

  #say(word: number): void {
    if (this.#settings.words && this.#over === null) this.#frame(NOP, word, 0);
  }

  #heard(word: number): void {
    if (word >= AT_MOST) this.#theirMost = word - AT_MOST;
    else if (word === LEAVING && !this.#theyLeave) {
      this.#theyLeave = true;
      this.#needs.onLeaving?.();
    }
  }

  #tick(everyMs: number, timeoutMs: number): void {
    // What is not read because readers are slow may hold the peer's signs of life.
    if (!this.#paused) this.#silentMs += everyMs;
    if (this.#silentMs > timeoutMs) this.destroy(`nothing was heard for ${timeoutMs} ms`);
    else if (!this.#writer.blocked && this.version !== null) this.#frame(NOP, 0, 0);
  }

  #hostStreams(): StreamHost {
    return {
      ready: (stream) => {
        this.#line(stream);
        this.#pump();
      },
      window: () => (this.#held < this.#heldMost / 4 ? this.#window : NARROW_BYTES),
      grant: (sid, consumed, window) => {
        if (this.#over !== null) return;
        this.#frame(UPD, sid, 8);
        this.#writer.words(consumed, window);
      },
      hold: (bytes) => this.#hold(bytes),
      cut: (sid, by) => this.#cut(sid, by),
      gone: (stream) => {
        if (this.#streams.get(stream.id) === stream) this.#streams.delete(stream.id);
        if (this.#into === stream) this.#into = null;
      },
    };
  }

  #line(stream: SmuxStream): void {
    if (stream.inRow || (stream.sendable === 0 && !stream.endable)) return;
    stream.inRow = true;
    this.#row.push(stream);
  }

  /** One frame each, in turn, for as long as the carrier takes them. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#writer.blocked && this.#over === null) {
      const stream = this.#row[this.#rowAt];
      if (stream === undefined) break;
      this.#rowAt += 1;
      if (this.#rowAt === this.#row.length) {
        this.#row.length = 0;
        this.#rowAt = 0;
      } else if (this.#rowAt > 1024) {
        this.#row = this.#row.slice(this.#rowAt);
        this.#rowAt = 0;
      }
      stream.inRow = false;
      this.#send(stream);
      this.#line(stream);
    }
    this.#pumping = false;
  }

  #send(stream: SmuxStream): void {
    const bytes = stream.sendable;
    if (bytes > 0) {
      this.#frame(PSH, stream.id, bytes);
      stream.takeFrame(bytes, this.#writer);
      stream.took();
    } else if (stream.endable) {
      const by = stream.takeEnd();
      if (by === null) this.#frame(FIN, stream.id, 0);
      else this.#cut(stream.id, by);
      stream.sentEnd();
    }
  }

  #cut(sid: number, by: CutBy): void {
    if (this.#over !== null) return;
    for (let n = marksOf(by); n > 0; n--) this.#frame(PSH, sid, 0);
    this.#frame(FIN, sid, 0);
  }

  #frame(cmd: number, sid: number, length: number): void {
    this.#writer.header({ version: this.version ?? 2, cmd, length, sid });
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    if (this.#over !== null) return;
    if (!this.#paused && this.#held >= this.#heldMost) {
      this.#paused = true;
      this.#carrier.pause();
    } else if (this.#paused && this.#held < this.#heldMost) {
      this.#paused = false;
      this.#silentMs = 0;
      this.#carrier.resume();
    }
  }
}

function windowOf({ windowBytes }: SmuxLimits): number {
  return Math.max(FIRST_WINDOW, windowBytes ?? WINDOW_BYTES);
}
