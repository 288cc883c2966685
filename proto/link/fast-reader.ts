import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Millis } from '../vocab/ids.ts';
import * as w from './wire.ts';

const SHORT_BITS = 28;
const END_GROUP = 4;

/** Reads what comes a thousand times a second: counts without BigInt, and texts that are those of the last time without making them. */
export class FastReader {
  private readonly wire: BinaryReader;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.wire = new BinaryReader(bytes);
  }

  get at(): number {
    return this.wire.pos;
  }

  get length(): number {
    return this.wire.len;
  }

  /** Whether more of the message follows that ends there. @throws RangeError when its last field goes beyond */
  more(end: number): boolean {
    if (this.wire.pos > end) throw new RangeError('premature EOF');
    return this.wire.pos < end;
  }

  /** Field and wire type together, as protobuf writes them. @throws RangeError for what is none */
  tag(): number {
    const tag = this.uint32();
    if (tag < 8 || (tag & 7) === END_GROUP) throw new RangeError(`no field: ${tag}`);
    return tag;
  }

  uint32(): number {
    const only = this.bytes[this.wire.pos];
    if (only === undefined || only >= 128) return this.wire.uint32();
    this.wire.pos += 1;
    return only;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  float(): number {
    return this.wire.float();
  }

  double(): number {
    return this.wire.double();
  }

  /** uint64 that is exact as a number. @throws AppError `invalid` */
  count(field: string): number {
    const { bytes, wire } = this;
    let at = wire.pos;
    let value = 0;
    for (let shift = 0; shift < SHORT_BITS; shift += 7) {
      const b = bytes[at++];
      if (b === undefined) break;
      value |= (b & 127) << shift;
      if (b < 128) {
        wire.pos = at;
        return value;
      }
    }
    return w.int(BigInt(wire.uint64()), field);
  }

  /** The end of an embedded message or text that begins here. @throws RangeError when it is cut */
  end(): number {
    const length = this.uint32();
    const end = this.wire.pos + length;
    if (end > this.wire.len) throw new RangeError('premature EOF');
    return end;
  }

  /** @param known what may well be the same: then nothing is made anew */
  text(known: string | undefined): string {
    const start = this.wire.pos;
    const end = this.end();
    if (known !== undefined && this.isText(this.wire.pos, end, known)) {
      this.wire.pos = end;
      return known;
    }
    this.wire.pos = start;
    return this.wire.string();
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
    this.wire.skip(tag & 7, tag >>> 3);
  }

  skipTo(end: number): void {
    this.wire.pos = end;
  }

  slice(start: number, end: number): Uint8Array {
    return this.bytes.subarray(start, end);
  }
}
