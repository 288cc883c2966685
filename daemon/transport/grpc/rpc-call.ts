import { constants, type ServerHttp2Stream } from 'node:http2';
import type { StatusObject } from '@grpc/grpc-js';
import { toStatus } from '../../../proto/link/error-map.ts';
import { MessageReader, PREFIX_BYTES } from './message-reader.ts';

/** A message, or what makes one where it is sent from. */
export interface Outgoing {
  readonly byteLength: number;
  copy(to: Uint8Array, at: number): number;
}

/** What a call's peer does. */
export interface CallEvents {
  message(message: Buffer): void;
  /** It has said all it will say. */
  ended(): void;
  /** It reads again. */
  drain(): void;
  /** The call is over, whoever ended it; at least once, and nothing is heard after it. */
  gone(reason: string): void;
}

type Status = Pick<StatusObject, 'code' | 'details'> & Partial<Pick<StatusObject, 'metadata'>>;

const { HTTP2_HEADER_STATUS: STATUS, HTTP2_HEADER_CONTENT_TYPE: CONTENT_TYPE } = constants;
const HEADERS = { [STATUS]: 200, [CONTENT_TYPE]: 'application/grpc+proto' } as const;
const OK: Status = { code: 0, details: '' };

/**
 * The server's side of one call, straight on an HTTP/2 stream. Of ten thousand nodes, each message passes here: grpc-js'
 * server does the same at half as much CPU again, and keeps each message until the next one. [gRPC over HTTP/2]
 */
export class RpcCall {
  private readonly stream: ServerHttp2Stream;
  private readonly reader: MessageReader;
  private readonly each = (message: Buffer): void => {
    if (!this.over) this.events?.message(message);
  };
  private events: CallEvents | null = null;
  /** Our side has said its last word. */
  private over = false;
  private trailers: Record<string, string | string[]> = {};

  constructor(stream: ServerHttp2Stream, mostBytes: number) {
    this.stream = stream;
    this.reader = new MessageReader(mostBytes);
    stream.on('data', (chunk: Buffer) => this.read(chunk));
    stream.on('end', () => this.events?.ended());
    stream.on('drain', () => this.events?.drain());
    stream.on('wantTrailers', () => {
      if (!this.broken) stream.sendTrailers(this.trailers);
    });
    stream.on('error', (error) => this.gone(error.message));
    stream.on('close', () => this.gone('the connection is gone'));
  }

  /** Before this turn of the loop is over: nothing that comes is kept. */
  listen(events: CallEvents): void {
    this.events = events;
  }

  /** @returns whether it went out at once; if not, `drain` says when */
  write(message: Outgoing): boolean {
    const { stream } = this;
    if (this.over || this.broken) return true;
    if (!stream.headersSent) stream.respond(HEADERS, { waitForTrailers: true });
    const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.byteLength);
    bytes[0] = 0;
    bytes.writeUInt32BE(message.byteLength, 1);
    message.copy(bytes, PREFIX_BYTES);
    return stream.write(bytes);
  }

  end(): void {
    this.close(OK);
  }

  /** The end of it, as a status. */
  fail(error: unknown): void {
    this.close(toStatus(error));
  }

  private close(status: Status): void {
    if (this.over) return;
    this.over = true;
    const { stream } = this;
    if (this.broken) return;
    const trailers = trailersOf(status);
    // The peer ends its half then. Not ended from here: Node 26 aborts on trailers of a stream that is closed meanwhile. Who
    // does not is cut off with the idle connection.
    if (stream.headersSent) {
      this.trailers = trailers;
      stream.end();
    } else {
      stream.respond({ ...HEADERS, ...trailers }, { endStream: true });
    }
  }

  /** Nothing goes out on it any more, though nobody may have been told yet. */
  private get broken(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  private read(chunk: Buffer): void {
    if (this.over) return;
    try {
      this.reader.feed(chunk, this.each);
    } catch (error) {
      this.fail(error);
      this.gone(error instanceof Error ? error.message : String(error));
    }
  }

  private gone(reason: string): void {
    this.over = true;
    const { events } = this;
    this.events = null;
    events?.gone(reason);
  }
}

/** Its text may hold anything but half a character. */
function trailersOf({ code, details, metadata }: Status): Record<string, string | string[]> {
  const more = (metadata?.toHttp2Headers() ?? {}) as Record<string, string[]>;
  return {
    ...more,
    'grpc-status': `${code}`,
    ...(details === '' ? {} : { 'grpc-message': encodeURI(details.toWellFormed()) }),
  };
}
