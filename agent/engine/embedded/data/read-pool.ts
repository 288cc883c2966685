// Left to itself Node allocates 64 KiB for every read and cuts them to what came: for a token of 100 bytes that costs
// more than the token. Sockets that we dial read into a buffer of the process instead (`onread`), and what came is
// copied out of it before anybody else reads. A read that fills it belongs to bulk: such a socket gets buffers of its
// own, which are handed on as they are.

const READ_BYTES = 64 * 1024;

/** What all sockets of the process read into. */
export class ReadPool {
  readonly shared: Buffer = Buffer.allocUnsafeSlow(READ_BYTES);
}

type Take = (chunk: Buffer) => void;

/** One socket's way of reading. What comes before somebody takes it is lost: pause the socket until then. */
export class Reader {
  readonly #pool: ReadPool;
  #take: Take | null = null;
  #bulk = false;

  constructor(pool: ReadPool) {
    this.#pool = pool;
  }

  /** As `net.connect` wants it. */
  get onread(): { buffer: () => Buffer; callback: (bytes: number, buffer: Uint8Array) => boolean } {
    return {
      buffer: () => (this.#bulk ? Buffer.allocUnsafeSlow(READ_BYTES) : this.#pool.shared),
      callback: (bytes, buffer) => {
        this.#took(bytes, buffer as Buffer);
        return true;
      },
    };
  }

  /** Null: what comes is dropped. */
  to(take: Take | null): void {
    this.#take = take;
  }

  #took(bytes: number, buffer: Buffer): void {
    const own = buffer !== this.#pool.shared;
    this.#bulk = bytes === buffer.length || (own && bytes * 2 > buffer.length);
    if (own && this.#bulk) this.#take?.(bytes === buffer.length ? buffer : buffer.subarray(0, bytes));
    else if (this.#take !== null) this.#take(copyOf(buffer, bytes));
  }
}

function copyOf(buffer: Buffer, bytes: number): Buffer {
  const copy = Buffer.allocUnsafe(bytes);
  buffer.copy(copy, 0, 0, bytes);
  return copy;
}
