import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Millis } from '../vocab/ids.ts';
import * as w from './wire.ts';

const SHORT_BITS = 28;
const SHORT = 2 ** SHORT_BITS;
const END_GROUP = 4;
const NOTHING = Buffer.alloc(0);

/**
 * Reads what comes a thousand times a second: counts without BigInt, texts that are those of the last time without making
 * them, and message after message with the same reader. What is rare goes the generated code's way.
 */
export class FastReader {
  private bytes: Buffer = NOTHING;
  at = 0;
  /** Nothing is read beyond it. */
  length = 0;

  /** The next message. */
  read(bytes: Buffer, start = 0, end: number = bytes.length): this {
    this.bytes = bytes;
    this.at = start;
    this.length = end;
    return this;
  }

  /** Whether more of the message follows that ends there. @throws RangeError when its last field goes beyond */
  more(end: number): boolean {
    if (this.at > end) throw new RangeError('premature EOF');
    return this.at < end;
  }

  /** Field and wire type together, as protobuf writes them. @throws RangeError for what is none */
  tag(): number {
    const tag = this.uint32();
    if (tag < 8 || (tag & 7) === END_GROUP) throw new RangeError(`no field: ${tag}`);
    return tag;
  }

  uint32(): number {
    const { at } = this;
    const only = this.bytes[at];
    if (only === undefined || only >= 128 || at >= this.length) return this.slowly((wire) => wire.uint32());
    this.at = at + 1;
    return only;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  float(): number {
    const { at } = this;
    this.skipBytes(4);
    return this.bytes.readFloatLE(at);
  }

  double(): number {
    const { at } = this;
    this.skipBytes(8);
    return this.bytes.readDoubleLE(at);
  }

  /** uint64 that is exact as a number. @throws AppError `invalid` */
  count(field: string): number {
    const { bytes, length } = this;
    let { at } = this;
    let low = 0;
    let high = 0;
    // Whole numbers of 31 bits are much cheaper than others: four bytes, and three that are above.
    for (let shift = 0; shift < 2 * SHORT_BITS - 7 && at < length; shift += 7) {
      const b = bytes[at++] as number;
      if (shift < SHORT_BITS) low |= (b & 127) << shift;
      else high |= (b & 127) << (shift - SHORT_BITS);
      if (b < 128) {
        this.at = at;
        return high === 0 ? low : low + high * SHORT;
      }
    }
    return w.int(BigInt(this.slowly((wire) => wire.uint64())), field);
  }

  /** The end of an embedded message or text that begins here. @throws RangeError when it is cut */
  end(): number {
    const length = this.uint32();
    const end = this.at + length;
    if (end > this.length) throw new RangeError('premature EOF');
    return end;
  }

  /** How many numbers are packed from here to there. */
  numbers(end: number): number {
    let n = 0;
    for (let i = this.at; i < end; i++) if ((this.bytes[i] as number) < 128) n += 1;
    return n;
  }

  /** @param known what may well be the same: then nothing is made anew */
  text(known: string | undefined): string {
    const start = this.at;
    const end = this.end();
    if (known !== undefined && this.isText(this.at, end, known)) {
      this.at = end;
      return known;
    }
    this.at = start;
    return this.slowly((wire) => wire.string());
  }

  /** Whether these bytes are one by one the characters of `text`, all of which are below 128. */
  private isText(start: number, end: number, text: string): boolean {
    if (end - start !== text.length) return false;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c !== this.bytes[start + i] || c >= 128) return false;
    }
    return true;
  }

  /** google.protobuf.Timestamp. */
  millis(field: string): Millis {
    const end = this.end();
    let seconds = 0;
    let nanos = 0;
    while (this.more(end)) {
      const tag = this.tag();
      if (tag === 8) seconds = this.count(field);
      else if (tag === 16) nanos = this.int32();
      else this.skip(tag);
    }
    return w.millisOf(seconds, nanos, field);
  }

  skip(tag: number): void {
    this.slowly((wire) => wire.skip(tag & 7, tag >>> 3));
  }

  skipTo(end: number): void {
    this.at = end;
  }

  slice(start: number, end: number): Uint8Array {
    return this.bytes.subarray(start, end);
  }

  private skipBytes(n: number): void {
    if (this.at + n > this.length) throw new RangeError('premature EOF');
    this.at += n;
  }

  private slowly<T>(read: (wire: BinaryReader) => T): T {
    const wire = new BinaryReader(this.bytes.subarray(0, this.length));
    wire.pos = this.at;
    const value = read(wire);
    this.at = wire.pos;
    return value;
  }
}
