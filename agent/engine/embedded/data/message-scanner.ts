// Finds where HTTP/1.1 messages of one direction begin and end, in whatever pieces they arrive. Keeps no more than one
// head (64 KiB) and looks at body bytes only to count them.

export type Body = number | 'chunked' | 'none' | 'eof' | 'odd' | 'again';

/** Which direction a scanner looks at: one listener hears both. */
export type Direction = 'request' | 'answer';

export interface ScannerEvents {
  /** The head without its last empty line; says what follows. `again`: another head (1xx), `odd`: stop scanning. */
  head(of: Direction, head: string): Body;
  /** Body bytes `from` until `to` of the chunk being fed. */
  body(of: Direction, chunk: Buffer, from: number, to: number): void;
  end(of: Direction): void;
}

type Place = 'head' | 'length' | 'eof' | 'size' | 'extension' | 'chunk' | 'chunk-end' | 'trailer';

const LONGEST_HEAD = 64 * 1024;
const LONGEST_SIZE_LINE = 4096;
const CR = 0x0d;
const LF = 0x0a;

export class MessageScanner {
  readonly #of: Direction;
  readonly #events: ScannerEvents;
  #place: Place = 'head';
  #head = '';
  #left = 0;
  #digits = 0;
  #line = 0;
  #trailer = 0;

  constructor(of: Direction, events: ScannerEvents) {
    this.#of = of;
    this.#events = events;
  }

  /** A message has begun, be it a byte of its head, and is not complete. */
  get begun(): boolean {
    return this.#place !== 'head' || this.#head !== '';
  }

  /** Its head is known, its end is awaited. */
  get inBody(): boolean {
    return this.#place !== 'head';
  }

  /** False: this is not the HTTP/1.1 we know; don't feed it any more. */
  feed(chunk: Buffer): boolean {
    let at = 0;
    while (at >= 0 && at < chunk.length) {
      switch (this.#place) {
        case 'head':
          at = this.#feedHead(chunk, at);
          break;
        case 'length':
        case 'chunk':
        case 'eof':
          at = this.#feedBody(chunk, at);
          break;
        case 'size':
        case 'extension':
          at = this.#feedSize(chunk, at);
          break;
        case 'chunk-end':
          at = this.#feedChunkEnd(chunk, at);
          break;
        case 'trailer':
          at = this.#feedTrailer(chunk, at);
          break;
      }
    }
    return at >= 0;
  }

  /** The stream has ended: that is the end of a body without a length. */
  eof(): void {
    if (this.#place === 'eof') this.#finish();
  }

  // Each returns where to go on, or -1 for odd.

  #feedHead(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#head === '') {
      while (at < chunk.length && (chunk[at] === CR || chunk[at] === LF)) at += 1;
      if (at === chunk.length) return at;
    }
    const before = this.#head.length;
    // Enough of the chunk for the longest head allowed; a body behind it stays untouched.
    const piece = chunk.toString('latin1', at, Math.min(chunk.length, at + LONGEST_HEAD - before + 4));
    this.#head = before === 0 ? piece : this.#head + piece;
    const end = this.#head.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (end < 0) return this.#head.length >= LONGEST_HEAD ? -1 : chunk.length;
    const head = this.#head.slice(0, end);
    this.#head = '';
    return this.#start(this.#events.head(this.#of, head)) ? at + end + 4 - before : -1;
  }

  #start(body: Body): boolean {
    if (body === 'odd') return false;
    if (body === 'none' || body === 0) this.#finish();
    else if (body === 'eof') this.#place = 'eof';
    else if (body === 'chunked') this.#nextSize();
    else if (body !== 'again') {
      this.#place = 'length';
      this.#left = body;
    }
    return true;
  }

  #feedBody(chunk: Buffer, at: number): number {
    const to = this.#place === 'eof' ? chunk.length : Math.min(chunk.length, at + this.#left);
    this.#events.body(this.#of, chunk, at, to);
    if (this.#place === 'eof') return to;
    this.#left -= to - at;
    if (this.#left === 0) {
      if (this.#place === 'length') this.#finish();
      else {
        this.#place = 'chunk-end';
        this.#line = 0;
      }
    }
    return to;
  }

  #nextSize(): void {
    this.#place = 'size';
    this.#left = 0;
    this.#digits = 0;
    this.#line = 0;
  }

  #feedSize(chunk: Buffer, at: number): number {
    const byte = chunk[at] as number;
    this.#line += 1;
    if (this.#line > LONGEST_SIZE_LINE) return -1;
    if (byte === LF) {
      if (this.#digits === 0) return -1;
      this.#place = this.#left === 0 ? 'trailer' : 'chunk';
      this.#line = 0;
      this.#trailer = 0;
    } else if (this.#place === 'size') {
      const digit = hexDigit(byte);
      if (digit >= 0) {
        this.#left = this.#left * 16 + digit;
        this.#digits += 1;
        if (this.#digits > 12) return -1;
      } else if (byte === CR || byte === 0x3b || byte === 0x20 || byte === 0x09) this.#place = 'extension';
      else return -1;
    }
    return at + 1;
  }

  #feedChunkEnd(chunk: Buffer, at: number): number {
    if (chunk[at] !== (this.#line === 0 ? CR : LF)) return -1;
    if (this.#line === 0) this.#line = 1;
    else this.#nextSize();
    return at + 1;
  }

  #feedTrailer(chunk: Buffer, at: number): number {
    const byte = chunk[at];
    this.#trailer += 1;
    if (this.#trailer > LONGEST_HEAD) return -1;
    if (byte === LF) {
      if (this.#line === 0) this.#finish();
      this.#line = 0;
    } else if (byte !== CR) this.#line += 1;
    return at + 1;
  }

  #finish(): void {
    this.#place = 'head';
    this.#events.end(this.#of);
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
