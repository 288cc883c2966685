import { AppError } from '../../../proto/vocab/errors.ts';

/** Before each message: whether it is compressed, and its length, big-endian. [gRPC over HTTP/2, "Length-Prefixed-Message"] */
export const PREFIX_BYTES = 5;

/**
 * gRPC's messages out of the bytes of a stream, however those were cut. Between two messages it holds nothing: a node
 * is silent for seconds then, and what it held would have moved to the old part of the heap by the next one.
 */
export class MessageReader {
  private readonly mostBytes: number;
  /** As much of a prefix as has come. */
  private prefix: Buffer | null = null;
  private prefixAt = 0;
  /** As much of a message as has come. */
  private message: Buffer | null = null;
  private messageAt = 0;

  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  /**
   * @param each hears the messages that are whole with this chunk; parts of its memory where they lie in it whole
   * @throws AppError `too_large`, `unsupported` (compressed); nothing that follows can be read
   */
  feed(chunk: Buffer, each: (message: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.message === null) {
        const left = chunk.length - at;
        if (this.prefix === null && left >= PREFIX_BYTES) {
          const length = this.lengthIn(chunk, at);
          at += PREFIX_BYTES;
          if (left - PREFIX_BYTES >= length) {
            each(chunk.subarray(at, at + length));
            at += length;
            continue;
          }
          this.begin(length);
        } else {
          at += this.fillPrefix(chunk, at);
        }
      }
      at += this.fillMessage(chunk, at, each);
    }
  }

  private fillPrefix(chunk: Buffer, at: number): number {
    this.prefix ??= Buffer.alloc(PREFIX_BYTES);
    const n = chunk.copy(this.prefix, this.prefixAt, at);
    this.prefixAt += n;
    if (this.prefixAt === PREFIX_BYTES) {
      const length = this.lengthIn(this.prefix, 0);
      this.prefix = null;
      this.prefixAt = 0;
      this.begin(length);
    }
    return n;
  }

  private begin(length: number): void {
    this.message = Buffer.allocUnsafe(length);
    this.messageAt = 0;
  }

  private fillMessage(chunk: Buffer, at: number, each: (message: Buffer) => void): number {
    const { message } = this;
    if (message === null) return 0;
    const n = chunk.copy(message, this.messageAt, at);
    this.messageAt += n;
    if (this.messageAt === message.length) {
      this.message = null;
      each(message);
    }
    return n;
  }

  private lengthIn(bytes: Buffer, at: number): number {
    if (bytes[at] !== 0) throw new AppError('unsupported', 'compressed messages are not taken');
    const length = bytes.readUInt32BE(at + 1);
    if (length > this.mostBytes) {
      throw new AppError('too_large', `a message of ${length} bytes; ${this.mostBytes} is the most`);
    }
    return length;
  }
}
