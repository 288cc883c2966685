import type net from 'node:net';

// One side of a carried stream. A plain leg says "complete" with a FIN and "cut" with a RST. TLS cannot: Node reports
// a connection that dies without close_notify as a normal end, so a killed core would make half an answer look whole.
// Two engines of ours therefore agree (by ALPN, see SEALED) to seal what follows the relay header: `len32 | bytes`,
// where a length of 0 says complete and lengths from CUT on say who cut it. Anything else is a cut.

/** The ALPN name of sealed ends; peers that do not know it (gost) never choose it and speak plain relay. */
export const SEALED = 'aicdn/1';

/** Who ended a stream before it was complete. */
export type CutBy = 'client' | 'origin' | 'tunnel';

const CUT = 0xffffff00;
const CUT_MARKS: Readonly<Record<CutBy, number>> = { client: CUT + 1, origin: CUT + 2, tunnel: CUT + 3 };
// What is still under way before a cut gets this long to arrive; then the connection is reset.
const CUT_GRACE_MS = 5_000;
const DISMISS_MS = 1_000;
// A connection whose peer has said its end is no longer watched for a reset, and a TLS socket that lost a write of its
// own (a session ticket to a client that had reset) never calls back again: an empty write asks the kernel.
const ASK_FIRST_MS = 100;
const ASK_AGAIN_MS = 1_000;
const NOTHING = Buffer.alloc(0);

export interface LegEvents {
  data(chunk: Buffer): void;
  /** The other side has said all it had to say. */
  end(): void;
  /** Over before it was complete; `by` is known when the peer told. */
  lost(by: CutBy | null, why: string): void;
  drain(): void;
  closed(): void;
}

export class Leg {
  readonly socket: net.Socket;
  readonly sealed: boolean;
  readonly #raw: net.Socket;
  #events: LegEvents | null = null;
  #preface: ((bytes: Buffer) => number) | null = null;
  #prefaced: Buffer | null = null;
  #fault: string | null = null;
  /** The socket's own end, and the stream's: a sealed one says so before. */
  #eof = false;
  #ended = false;
  #saidEnd = false;
  #told = false;
  #mark = 0;
  #markBytes = 0;
  #left = 0;

  /** `raw` is the TCP socket under `socket`, or the same: only that one can be reset. */
  constructor(socket: net.Socket, raw: net.Socket, sealed: boolean) {
    this.socket = socket;
    this.sealed = sealed;
    this.#raw = raw;
    socket.on('error', (e: NodeJS.ErrnoException) => this.#lost(null, e.code ?? e.message));
    if (raw !== socket) raw.on('error', (e: NodeJS.ErrnoException) => this.#lost(null, e.code ?? e.message));
    socket.on('end', () => {
      this.#eof = true;
      this.#end();
      this.#askWhetherItLives();
    });
    socket.on('close', () => {
      if (!this.#ended || !socket.writableFinished) this.#lost(null, 'closed before all was said');
      this.#events?.closed();
    });
  }

  get remote(): string {
    return this.#raw.remoteAddress ?? '';
  }

  /** Already over, before anybody attached. */
  get fault(): string | null {
    return this.#fault;
  }

  /** `preface` gets the first bytes, whole so far, until it returns how many of them were its own (< 0: gave up). */
  attach(events: LegEvents, preface?: (bytes: Buffer) => number): void {
    this.#events = events;
    this.#preface = preface ?? null;
    if (this.#fault !== null) {
      const why = this.#fault;
      queueMicrotask(() => this.#tell(null, why));
      return;
    }
    const { socket } = this;
    socket.on('drain', () => events.drain());
    // A FIN may have come while the way was being made.
    if (this.#eof) queueMicrotask(() => this.#end());
    socket.on('data', (chunk) => {
      if (this.#told) return;
      if (this.#preface !== null) this.#readPreface(chunk as Buffer);
      else if (this.sealed) this.#unseal(chunk as Buffer);
      else events.data(chunk as Buffer);
    });
    socket.resume();
  }

  /** Before the stream itself: a relay header, never sealed. */
  writePlain(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** False asks to pause the source until `drain`. */
  write(chunk: Buffer): boolean {
    const { socket } = this;
    if (this.#told) return true;
    if (!this.sealed) return socket.write(chunk);
    const mark = Buffer.allocUnsafe(4);
    mark.writeUInt32BE(chunk.length, 0);
    socket.cork();
    socket.write(mark);
    const ok = socket.write(chunk);
    socket.uncork();
    return ok;
  }

  /** A sealed leg keeps its own FIN until both have ended: what is cut after a half-close can still say by whom. */
  end(): void {
    if (this.#told) return;
    if (!this.sealed) this.socket.end();
    else if (!this.#saidEnd && !this.socket.writableEnded) {
      this.#saidEnd = true;
      this.#writeMark(0);
      if (this.#ended) this.socket.end();
    }
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Says "not complete" to the other side: a mark where it can be sent, a RST where not. */
  cut(by: CutBy): void {
    const { socket } = this;
    this.#told = true;
    if (!this.sealed || socket.destroyed || socket.writableEnded || this.#fault !== null) {
      this.reset();
      return;
    }
    this.#writeMark(CUT_MARKS[by]);
    socket.end();
    socket.removeAllListeners('data');
    socket.resume();
    this.#giveUpAfter(CUT_GRACE_MS);
  }

  /** After a last word: ends in good order, or by a reset when the other side does not. */
  dismiss(): void {
    const { socket } = this;
    this.#told = true;
    socket.end();
    socket.once('end', () => socket.destroy());
    socket.resume();
    this.#giveUpAfter(DISMISS_MS);
  }

  /** Breaks the connection so that the other side cannot take it for a good end. */
  reset(): void {
    this.#told = true;
    const { socket } = this;
    if (socket.destroyed || !socket.writableEnded || socket.writableFinished) {
      this.#resetNow();
      return;
    }
    // Its last bytes and a FIN are on their way. libuv refuses a reset until they are gone, and Node would then never
    // close the descriptor.
    this.#giveUpAfter(CUT_GRACE_MS);
    socket.once('finish', () => this.#resetNow());
    socket.removeAllListeners('data');
    socket.resume();
  }

  #giveUpAfter(ms: number): void {
    const { socket } = this;
    const late = setTimeout(() => {
      // With bytes left no shutdown has been asked for yet, and what is cut short must not end in good order.
      const shutting = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
      if (shutting) socket.destroy();
      else this.#resetNow();
    }, ms);
    late.unref();
    socket.once('close', () => clearTimeout(late));
  }

  #askWhetherItLives(): void {
    const { socket } = this;
    const raw = this.#raw;
    let asking: NodeJS.Timeout;
    const ask = (): void => {
      if (socket.destroyed || socket.writableFinished) return;
      if (!raw.destroyed && (raw !== socket || !socket.writableEnded)) raw.write(NOTHING);
      asking = setTimeout(ask, ASK_AGAIN_MS).unref();
    };
    asking = setTimeout(ask, ASK_FIRST_MS).unref();
    socket.once('close', () => clearTimeout(asking));
  }

  #resetNow(): void {
    const raw = this.#raw;
    const { socket } = this;
    if (raw === socket) {
      if (!raw.destroyed) raw.resetAndDestroy();
      return;
    }
    // Not now: this may run inside OpenSSL (the handshake's and the tickets' callbacks do), and with the TCP socket
    // gone Node frees the TLS state at once, under OpenSSL's feet.
    setImmediate(() => {
      if (!raw.destroyed) raw.resetAndDestroy();
      socket.destroy();
    });
  }

  #end(): void {
    if (this.#ended || this.#events === null) return;
    if (this.#preface !== null) this.#lost(null, 'ended before it answered');
    else if (this.sealed) this.#lost(null, 'ended without saying so');
    else {
      this.#ended = true;
      this.#events.end();
    }
  }

  #writeMark(value: number): void {
    const mark = Buffer.allocUnsafe(4);
    mark.writeUInt32BE(value, 0);
    this.socket.write(mark);
  }

  #readPreface(chunk: Buffer): void {
    const bytes = this.#prefaced === null ? chunk : Buffer.concat([this.#prefaced, chunk]);
    const own = this.#preface?.(bytes) ?? -1;
    this.#prefaced = own === 0 ? bytes : null;
    if (own <= 0) return;
    this.#preface = null;
    if (own === bytes.length) return;
    if (this.sealed) this.#unseal(bytes.subarray(own));
    else this.#events?.data(bytes.subarray(own));
  }

  #unseal(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#told) {
      if (this.#left > 0) {
        const n = Math.min(this.#left, chunk.length - at);
        this.#left -= n;
        this.#events?.data(chunk.subarray(at, at + n));
        at += n;
        continue;
      }
      this.#mark = this.#mark * 256 + (chunk[at] as number);
      at += 1;
      this.#markBytes += 1;
      if (this.#markBytes < 4) continue;
      const mark = this.#mark;
      this.#mark = 0;
      this.#markBytes = 0;
      if (mark >= CUT) this.#lost(cutBy(mark), 'cut by the other side');
      else if (this.#ended) this.#lost(null, 'more after the end');
      else if (mark > 0) this.#left = mark;
      else {
        this.#ended = true;
        this.#events?.end();
        if (this.#saidEnd) this.socket.end();
      }
    }
  }

  #lost(by: CutBy | null, why: string): void {
    if (this.#fault !== null) return;
    this.#fault = why;
    this.#tell(by, why);
  }

  #tell(by: CutBy | null, why: string): void {
    if (this.#told || this.#events === null) return;
    this.#told = true;
    this.#events.lost(by, why);
  }
}

function cutBy(mark: number): CutBy {
  for (const by of ['client', 'origin'] as const) if (CUT_MARKS[by] === mark) return by;
  return 'tunnel';
}
