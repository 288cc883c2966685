import type { Duplex } from 'node:stream';
import type { Wire } from './wires.ts';

// One side of a carried stream. A plain leg says "complete" with a FIN and "cut" with a RST. TLS cannot: Node reports
// a connection that dies without close_notify as a normal end, so a killed core would make half an answer look whole.
// Two engines of ours therefore agree (by ALPN, see SEALED) to seal what follows the relay header: `len32 | bytes`,
// where a length of 0 says complete and lengths from CUT on say who cut it. Anything else is a cut.

/** The ALPN name of sealed ends; peers that do not know it (gost) never choose it and speak plain relay. */
export const SEALED = 'aicdn/1';
/** The same as a WebSocket says it. */
export const SUBPROTOCOL = 'aicdn.1';

/** Who ended a stream before it was complete. */
export type CutBy = 'client' | 'origin' | 'tunnel';

const CUT = 0xffffff00;
const CUT_MARKS: Readonly<Record<CutBy, number>> = { client: CUT + 1, origin: CUT + 2, tunnel: CUT + 3 };
// What is still under way before a cut gets this long to arrive; then the connection is reset.
const CUT_GRACE_MS = 5_000;
const DISMISS_MS = 1_000;

export interface LegEvents {
  data(chunk: Buffer): void;
  /** The other side has said all it had to say. */
  end(): void;
  /** Over before it was complete; `by` is known when the peer told. */
  lost(by: CutBy | null, why: string): void;
  drain(): void;
  closed(): void;
}

/** One side of a stream, whatever it comes over. */
export class Leg {
  readonly socket: Duplex;
  /** An end of it is one, and a cut is told: by marks in the bytes, or by the wire itself. */
  readonly sealed: boolean;
  readonly #wire: Wire;
  readonly #marked: boolean;
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

  constructor(wire: Wire) {
    const { socket, raw } = wire;
    this.socket = socket;
    this.sealed = wire.ends !== 'plain';
    this.#wire = wire;
    this.#marked = wire.ends === 'sealed';
    const fault = (e: NodeJS.ErrnoException & { readonly by?: CutBy | null }): void =>
      this.#lost(e.by ?? null, e.code ?? e.message);
    socket.on('error', fault);
    if (raw !== null && raw !== socket) raw.on('error', fault);
    if (socket.destroyed) this.#fault = 'closed before it was used';
    // It came before its service did, and has said all it had to say: it does not say so twice.
    if (socket.readableEnded) this.#eof = true;
    socket.on('end', () => {
      this.#eof = true;
      this.#end();
    });
    socket.on('close', () => {
      if (!this.#ended || !socket.writableFinished) this.#lost(null, 'closed before all was said');
      this.#events?.closed();
    });
  }

  /** The client's address, as far as it is known. */
  get remote(): string {
    return this.#wire.ways.from.address;
  }

  /** Whence and whither the connection went. */
  get ways(): Wire['ways'] {
    return this.#wire.ways;
  }

  /** Either direction can end without the other. */
  get halves(): boolean {
    return this.#wire.halves;
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
    const take = (chunk: Buffer): void => {
      if (this.#told) return;
      if (this.#preface !== null) this.#readPreface(chunk);
      else if (this.#marked) this.#unseal(chunk);
      else events.data(chunk);
    };
    const { reader } = this.#wire;
    if (reader === null) socket.on('data', take);
    else reader.to(take);
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
    if (!this.#marked) return socket.write(chunk);
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
    if (!this.#marked) this.socket.end();
    else if (!this.#saidEnd && !this.socket.writableEnded) {
      this.#saidEnd = true;
      this.#writeMark(0);
      if (this.#ended) this.socket.end();
    }
  }

  /** `drain` is yet to come. */
  get full(): boolean {
    return this.socket.writableNeedDrain;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Says "not complete" to the other side: in words where it can be told, by a RST where not. */
  cut(by: CutBy): void {
    const { socket } = this;
    const { cut } = this.#wire;
    this.#told = true;
    if (
      socket.destroyed ||
      this.#fault !== null ||
      (cut === null && (!this.#marked || socket.writableEnded))
    ) {
      this.reset();
      return;
    }
    if (cut === null) {
      this.#writeMark(CUT_MARKS[by]);
      socket.end();
    } else cut(by);
    this.#wire.reader?.to(null);
    socket.removeAllListeners('data');
    socket.resume();
    const late = setTimeout(() => this.reset(), CUT_GRACE_MS);
    late.unref();
    socket.once('close', () => clearTimeout(late));
  }

  /** After a last word: ends in good order, or by a reset when the other side does not. */
  dismiss(): void {
    const { socket } = this;
    this.#told = true;
    socket.end();
    socket.once('end', () => socket.destroy());
    socket.resume();
    const late = setTimeout(() => this.reset(), DISMISS_MS);
    socket.once('close', () => clearTimeout(late));
  }

  /** Breaks it so that the other side cannot take it for a good end. */
  reset(): void {
    this.#told = true;
    this.#wire.reset();
  }

  #end(): void {
    if (this.#ended || this.#events === null) return;
    if (this.#preface !== null) this.#lost(null, 'ended before it answered');
    else if (this.#marked) this.#lost(null, 'ended without saying so');
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
    if (this.#marked) this.#unseal(bytes.subarray(own));
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
