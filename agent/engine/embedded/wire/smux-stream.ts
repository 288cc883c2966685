import { Duplex } from 'node:stream';
import type { CutBy } from '../data/leg.ts';
import { HeldBytes } from './held-bytes.ts';
import { FIRST_WINDOW, FRAME_BYTES } from './smux-frame.ts';

// smux knows one way to end a stream, FIN, and Go peers say it for a cut as for an end. Between our own ends a cut is
// told by PSH frames without payload right before the FIN; how many of them tells who cut it. xtaci/smux never sends
// an empty PSH and skips one it gets, so such a peer sees a plain FIN, as from its like.
const MARKS: readonly CutBy[] = ['client', 'origin', 'tunnel'];

export function marksOf(by: CutBy): number {
  return MARKS.indexOf(by) + 1;
}

/** Why a stream was over before it was complete. */
export class StreamLost extends Error {
  readonly code = 'ECONNRESET';
  /** Known when the other side told. */
  readonly by: CutBy | null;

  constructor(why: string, by: CutBy | null) {
    super(why);
    this.by = by;
  }
}

/** What a stream needs of its session. */
export interface StreamHost {
  /** It has something to send. */
  ready(stream: SmuxStream): void;
  /** The window the reader may be granted now. */
  window(): number;
  grant(sid: number, consumed: number, window: number): void;
  /** Bytes more, or less, wait for a reader. */
  hold(bytes: number): void;
  /** Says at once that the stream is cut. */
  cut(sid: number, by: CutBy): void;
  /** Nothing more will be said about it by either side. */
  gone(stream: SmuxStream): void;
}

export interface FrameSink {
  payload(piece: Buffer): void;
}

const ignore = (): void => undefined;
const NOTHING: readonly Buffer[] = [];

type Side = 'open' | 'ended' | 'lost';

/**
 * A stream of a session. Each direction ends on its own; anything but a FIN is an error (`StreamLost`), told after what
 * came before it was read. A chunk belongs to the stream once written: it is not copied, and may still be under way
 * after its callback.
 */
export class SmuxStream extends Duplex {
  readonly id: number;
  /** The session's: it stands in the row of those that want to send. */
  inRow = false;
  readonly #host: StreamHost;
  readonly #windowed: boolean;

  #out: readonly Buffer[] = NOTHING;
  /** What of `#out` was sent: whole chunks, and bytes of the one after them. */
  #outAt = 0;
  #outFrom = 0;
  #outBytes = 0;
  #written: ((e?: Error) => void) | null = null;
  #finish: (() => void) | null = null;
  #self: Side = 'open';
  #cutBy: CutBy | null = null;
  #sent = 0;
  #peerConsumed = 0;
  #peerWindow = FIRST_WINDOW;

  #peer: Side = 'open';
  #lost: StreamLost | null = null;
  #endTold = false;
  #marks = 0;
  #want = true;
  /** Made for the first byte that has to wait. */
  #held: HeldBytes | null = null;
  #received = 0;
  #consumed = 0;
  #toldConsumed = 0;
  #granted = FIRST_WINDOW;
  #mostGranted = FIRST_WINDOW;

  constructor(id: number, windowed: boolean, host: StreamHost) {
    // Nothing is buffered by Node itself: `_read` says that everything was taken.
    super({ allowHalfOpen: true, readableHighWaterMark: 0, writableHighWaterMark: 64 * 1024 });
    this.id = id;
    this.#windowed = windowed;
    this.#host = host;
    // A cut that nobody listens for is no reason to end the process.
    this.on('error', ignore);
  }

  /** As of a socket: at once, whatever was still to be sent. */
  resetAndDestroy(): void {
    this.destroy();
  }

  /** Tells the other side that this is not complete, after all that was written; what comes in is dropped. */
  cut(by: CutBy): void {
    this.#cutBy ??= by;
    if (this.#self !== 'open' || this.#peer === 'lost') {
      this.destroy();
      return;
    }
    this.#dropHeld();
    this.end();
    this.resume();
  }

  // ---- what the session asks and tells ----

  /** Bytes of the next frame; 0 when there is none but perhaps an end. */
  get sendable(): number {
    if (this.#self !== 'open' || this.#peer === 'lost') return 0;
    const n = Math.min(this.#outBytes, FRAME_BYTES);
    if (!this.#windowed) return n;
    return Math.max(0, Math.min(n, this.#peerWindow - this.#inFlight()));
  }

  /** A FIN is next, after as many marks of a cut. */
  get endable(): boolean {
    return this.#self === 'open' && this.#peer !== 'lost' && this.#finish !== null && this.#outBytes === 0;
  }

  takeFrame(bytes: number, sink: FrameSink): void {
    let left = bytes;
    this.#sent = (this.#sent + bytes) >>> 0;
    this.#outBytes -= bytes;
    while (left > 0) {
      const chunk = this.#out[this.#outAt] as Buffer;
      const n = Math.min(left, chunk.length - this.#outFrom);
      sink.payload(n === chunk.length ? chunk : chunk.subarray(this.#outFrom, this.#outFrom + n));
      left -= n;
      this.#outFrom += n;
      if (this.#outFrom === chunk.length) {
        this.#outAt += 1;
        this.#outFrom = 0;
      }
    }
  }

  /** After a frame: tells the writer when all it gave was taken. */
  took(): void {
    if (this.#outBytes > 0) return;
    this.#forget();
    const written = this.#written;
    this.#written = null;
    written?.();
  }

  /** open -> ended. The marks to send before the FIN; call `sentEnd` after it. */
  takeEnd(): CutBy | null {
    this.#self = 'ended';
    return this.#cutBy;
  }

  sentEnd(): void {
    const finish = this.#finish;
    this.#finish = null;
    if (this.#cutBy !== null || this.#peer === 'ended') this.#host.gone(this);
    if (this.#cutBy !== null) {
      this.#peer = 'lost';
      this.destroy();
    } else finish?.();
  }

  /** A window update. False when the peer took more than was sent. */
  update(consumed: number, window: number): boolean {
    this.#peerConsumed = consumed;
    this.#peerWindow = window;
    if (this.#inFlight() < 0) return false;
    if (this.#outBytes > 0) this.#host.ready(this);
    return true;
  }

  mark(): void {
    this.#marks += 1;
  }

  /** False when the peer sends more than its window. */
  receive(piece: Buffer): boolean {
    this.#marks = 0;
    if (this.#peer !== 'open') return true;
    this.#received = (this.#received + piece.length) >>> 0;
    if (this.#windowed && (this.#received - this.#toldConsumed) >>> 0 > this.#mostGranted) return false;
    if (this.#cutBy !== null) {
      this.#consume(piece.length);
    } else if (
      this.#want &&
      this.#waiting === 0 &&
      this.readableFlowing === true &&
      this.readableLength === 0
    ) {
      // Counted first: the reader may end the stream.
      this.#consume(piece.length);
      this.#want = this.push(piece);
    } else {
      this.#held ??= new HeldBytes();
      this.#held.push(piece);
      this.#host.hold(piece.length);
      this.#deliver();
    }
    return true;
  }

  /** The peer's FIN: open -> ended; open | ended -> lost when marks of a cut came before it. */
  receiveEnd(): void {
    if (this.#marks > 0) {
      const by = MARKS[Math.min(this.#marks, MARKS.length) - 1] ?? 'tunnel';
      this.lose(new StreamLost('cut by the other side', by));
      return;
    }
    if (this.#peer !== 'open') return;
    this.#peer = 'ended';
    if (this.#self === 'ended') this.#host.gone(this);
    this.#deliver();
  }

  /** open | ended -> lost: what came is still delivered, then the error. */
  lose(lost: StreamLost): void {
    if (this.#peer === 'lost' || (this.#peer === 'ended' && this.#self === 'ended')) return;
    this.#peer = 'lost';
    this.#lost = lost;
    this.#finish = null;
    this.#host.gone(this);
    this.#forget();
    this.took();
    if (this.#endTold && !this.readableEnded) this.once('end', () => this.destroy(lost));
    else this.#deliver();
  }

  // ---- Duplex ----

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (e?: Error) => void): void {
    this.#send([chunk], chunk.length, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (e?: Error) => void): void {
    let bytes = 0;
    const pieces: Buffer[] = [];
    for (const { chunk } of chunks) {
      bytes += chunk.length;
      pieces.push(chunk);
    }
    this.#send(pieces, bytes, done);
  }

  override _final(done: () => void): void {
    // Of a lost stream no end is told, not even here.
    if (this.#peer === 'lost') return;
    this.#finish = done;
    this.#host.ready(this);
  }

  override _read(): void {
    this.#want = true;
    this.#deliver();
  }

  override _destroy(e: Error | null, done: (e: Error | null) => void): void {
    this.#dropHeld();
    if (this.#peer !== 'lost' && !(this.#self === 'ended' && this.#peer === 'ended')) {
      this.#self = 'ended';
      this.#peer = 'lost';
      this.#host.gone(this);
      this.#host.cut(this.id, this.#cutBy ?? 'tunnel');
    }
    this.#forget();
    const written = this.#written;
    this.#written = null;
    written?.(new StreamLost('destroyed before it was sent', null));
    done(e);
  }

  #send(pieces: Buffer[], bytes: number, done: (e?: Error) => void): void {
    if (bytes === 0 || this.#peer === 'lost') {
      done();
      return;
    }
    this.#out = pieces;
    this.#outBytes = bytes;
    this.#written = done;
    this.#host.ready(this);
  }

  #forget(): void {
    this.#out = NOTHING;
    this.#outAt = 0;
    this.#outFrom = 0;
    this.#outBytes = 0;
  }

  #inFlight(): number {
    return (this.#sent - this.#peerConsumed) | 0;
  }

  #deliver(): void {
    while (this.#want) {
      const piece = this.#held?.shift() ?? null;
      if (piece === null) break;
      this.#host.hold(-piece.length);
      this.#consume(piece.length);
      this.#want = this.push(piece);
    }
    if (this.#waiting > 0 || this.destroyed) return;
    if (this.#peer === 'ended' && !this.#endTold) {
      this.#endTold = true;
      this.push(null);
    } else if (this.#lost !== null && this.readableLength === 0) this.destroy(this.#lost);
  }

  #consume(bytes: number): void {
    this.#consumed = (this.#consumed + bytes) >>> 0;
    if (!this.#windowed || this.#peer !== 'open') return;
    const since = (this.#consumed - this.#toldConsumed) >>> 0;
    // The first word comes early: until then the peer knows only of the small first window.
    const enough = Math.min(this.#granted / 2, this.#toldConsumed === 0 ? FIRST_WINDOW / 4 : Infinity);
    if (since >= enough) this.grant();
  }

  /** Tells the peer what was read and how much it may send from there. */
  grant(): void {
    this.#granted = this.#host.window();
    this.#mostGranted = Math.max(this.#mostGranted, this.#granted);
    this.#toldConsumed = this.#consumed;
    this.#host.grant(this.id, this.#consumed, this.#granted);
  }

  get #waiting(): number {
    return this.#held?.size ?? 0;
  }

  #dropHeld(): void {
    const size = this.#waiting;
    this.#held = null;
    if (size === 0) return;
    this.#host.hold(-size);
    if (!this.destroyed) this.#consume(size);
  }
}
