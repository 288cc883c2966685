import type { Duplex } from 'node:stream';
import { HEADER_BYTES, type SmuxVersion, writeHeader } from './smux-frame.ts';

const SLAB_BYTES = 64 * 1024;
/** Up to here copying next to the header is cheaper than a buffer more in the writev. */
const COPY_BYTES = 4 * 1024;

/**
 * Puts frames on the carrier: headers and small payloads side by side in a slab, large payloads as they are, all of a
 * tick in one writev. Nothing is ever kept for a later tick.
 */
export class FrameWriter {
  readonly #carrier: Duplex;
  #slab = Buffer.alloc(0);
  #from = 0;
  #used = 0;
  #scheduled = false;
  #blocked = false;

  constructor(carrier: Duplex, onDrain: () => void) {
    this.#carrier = carrier;
    carrier.on('drain', () => {
      this.#blocked = false;
      onDrain();
    });
  }

  /** The carrier has enough for now. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Bytes that are not with the kernel yet. */
  get backlog(): number {
    return this.#carrier.writableLength + this.#used - this.#from;
  }

  header(f: { version: SmuxVersion; cmd: number; length: number; sid: number }): void {
    this.#room(HEADER_BYTES);
    writeHeader(this.#slab, this.#used, f);
    this.#used += HEADER_BYTES;
  }

  words(first: number, second: number): void {
    this.#room(8);
    this.#slab.writeUInt32LE(first, this.#used);
    this.#slab.writeUInt32LE(second, this.#used + 4);
    this.#used += 8;
  }

  payload(piece: Buffer): void {
    if (piece.length > COPY_BYTES) {
      this.#spill();
      this.#write(piece);
      return;
    }
    this.#room(piece.length);
    piece.copy(this.#slab, this.#used);
    this.#used += piece.length;
  }

  /** All that was written goes out, then the carrier's end. */
  end(): void {
    this.#spill();
    this.#carrier.end();
  }

  #room(bytes: number): void {
    this.#schedule();
    if (this.#slab.length - this.#used >= bytes) return;
    this.#spill();
    this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#from = 0;
    this.#used = 0;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#carrier.cork();
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#spill();
      this.#carrier.uncork();
    });
  }

  #spill(): void {
    if (this.#used === this.#from) return;
    const bytes = this.#slab.subarray(this.#from, this.#used);
    this.#from = this.#used;
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    const carrier = this.#carrier;
    if (carrier.destroyed || carrier.writableEnded) return;
    if (!carrier.write(bytes)) this.#blocked = true;
  }
}
