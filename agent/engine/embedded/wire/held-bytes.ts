const BLOCK_BYTES = 16 * 1024;
const SMALL_BYTES = 4 * 1024;
const NONE = Buffer.alloc(0);

/**
 * Bytes waiting for a reader, oldest first. A small piece is copied into a block of our own: else each would keep the
 * whole chunk it was cut from in memory.
 */
export class HeldBytes {
  #pieces: Buffer[] = [];
  #first = 0;
  #block: Buffer = NONE;
  /** What of `#block` is taken, and from where on it is not yet in `#pieces`. */
  #used = 0;
  #from = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(piece: Buffer): void {
    this.#size += piece.length;
    if (piece.length > SMALL_BYTES) {
      this.#seal();
      this.#pieces.push(piece.length * 2 < piece.buffer.byteLength ? copyOf(piece) : piece);
      return;
    }
    if (this.#block.length - this.#used < piece.length) {
      this.#seal();
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#used = 0;
      this.#from = 0;
    }
    piece.copy(this.#block, this.#used);
    this.#used += piece.length;
  }

  /** What lies together at the front. */
  shift(): Buffer | null {
    if (this.#first === this.#pieces.length) this.#seal();
    const piece = this.#pieces[this.#first];
    if (piece === undefined) return null;
    this.#first += 1;
    if (this.#first === this.#pieces.length) {
      this.#pieces = [];
      this.#first = 0;
    }
    this.#size -= piece.length;
    return piece;
  }

  #seal(): void {
    if (this.#used === this.#from) return;
    this.#pieces.push(this.#block.subarray(this.#from, this.#used));
    this.#from = this.#used;
  }
}

/** Out of no pool: a pool would be kept as the chunk was. */
function copyOf(piece: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(piece.length);
  piece.copy(copy);
  return copy;
}
