// smux, as xtaci/smux 1.5.58 reads and writes it: `ver8 cmd8 len16 sid32 | payload`, little-endian.

export const SYN = 0;
export const FIN = 1;
export const PSH = 2;
export const NOP = 3;
export const UPD = 4;

export const HEADER_BYTES = 8;
/** The most a frame of ours carries: what one stream may say before it is another's turn. */
export const FRAME_BYTES = 32 * 1024;
/** What a peer may send on a new stream before it has heard of our window, and we to it. */
export const FIRST_WINDOW = 256 * 1024;

const UPD_BYTES = 8;

// Words of our own: NOPs with a stream id. xtaci/smux looks at no NOP's id, and sends none but 0.

/** Whoever says it takes no more streams; those that are open, or under way, go on. */
export const LEAVING = 1;
/** Plus a number: the most streams that may be open at once. */
export const AT_MOST = 0x80000000;

export type SmuxVersion = 1 | 2;

export function writeHeader(
  into: Buffer,
  at: number,
  f: { version: SmuxVersion; cmd: number; length: number; sid: number },
): void {
  into[at] = f.version;
  into[at + 1] = f.cmd;
  into.writeUInt16LE(f.length, at + 2);
  into.writeUInt32LE(f.sid, at + 4);
}

export interface FrameEvents {
  open(sid: number): void;
  end(sid: number): void;
  /** A PSH begins; `length` 0 carries nothing and means nothing to a Go peer, see the marks of a cut. */
  push(sid: number, length: number): void;
  /** A piece of the PSH under way, never copied: it points into the chunk that was fed. */
  data(piece: Buffer): void;
  update(sid: number, consumed: number, window: number): void;
  /** A NOP that says something. */
  word(word: number): void;
}

/** Reads frames off chunks cut anywhere; payload is passed on as it comes, a frame is never put together. */
export class FrameReader {
  readonly #events: FrameEvents;
  /** Null takes what the first frame says. */
  #version: SmuxVersion | null;
  /** A header or an update cut in two. */
  readonly #part = Buffer.alloc(HEADER_BYTES);
  #partBytes = 0;
  #payload = 0;
  /** The stream whose update comes next. */
  #updating: number | null = null;
  #stopped = false;

  constructor(version: SmuxVersion | null, events: FrameEvents) {
    this.#version = version;
    this.#events = events;
  }

  get version(): SmuxVersion | null {
    return this.#version;
  }

  /** From now on nothing is read, not even the rest of the chunk under way. */
  stop(): void {
    this.#stopped = true;
  }

  /** What is wrong with what came, or null. After a fault nothing more may be fed. */
  feed(chunk: Buffer): string | null {
    let at = 0;
    const end = chunk.length;
    while (at < end && !this.#stopped) {
      if (this.#payload > 0) {
        const n = Math.min(this.#payload, end - at);
        this.#payload -= n;
        this.#events.data(n === end ? chunk : chunk.subarray(at, at + n));
        at += n;
        continue;
      }
      let from = chunk;
      let pos = at;
      if (this.#partBytes > 0 || end - at < HEADER_BYTES) {
        const n = Math.min(HEADER_BYTES - this.#partBytes, end - at);
        chunk.copy(this.#part, this.#partBytes, at, at + n);
        this.#partBytes += n;
        at += n;
        if (this.#partBytes < HEADER_BYTES) return null;
        this.#partBytes = 0;
        from = this.#part;
        pos = 0;
      } else at += HEADER_BYTES;
      const fault = this.#updating === null ? this.#header(from, pos) : this.#update(from, pos);
      if (fault !== null) return fault;
    }
    return null;
  }

  #header(b: Buffer, at: number): string | null {
    const version = b[at] as number;
    const length = b.readUInt16LE(at + 2);
    const sid = b.readUInt32LE(at + 4);
    if (this.#version === null && (version === 1 || version === 2)) this.#version = version;
    if (version !== this.#version) return `version ${version} instead of ${this.#version ?? '1 or 2'}`;
    const cmd = b[at + 1] as number;
    switch (cmd) {
      case PSH:
        this.#payload = length;
        this.#events.push(sid, length);
        return null;
      case UPD:
        if (version === 1) return 'a window update in version 1';
        if (length !== UPD_BYTES) return `a window update of ${length} bytes`;
        this.#updating = sid;
        return null;
      case SYN:
      case FIN:
      case NOP:
        if (length !== 0) return `command ${cmd} with ${length} bytes`;
        if (cmd === SYN) this.#events.open(sid);
        else if (cmd === FIN) this.#events.end(sid);
        else if (sid !== 0) this.#events.word(sid);
        return null;
      default:
        return `command ${cmd}`;
    }
  }

  #update(b: Buffer, at: number): null {
    const sid = this.#updating as number;
    this.#updating = null;
    this.#events.update(sid, b.readUInt32LE(at), b.readUInt32LE(at + 4));
    return null;
  }
}
