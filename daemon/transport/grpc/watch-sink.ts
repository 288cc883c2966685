import type { ServerWritableStream } from '@grpc/grpc-js';
import { type WatchRequest, WatchResponse } from '../../../proto/gen/aicdn/v1/console.ts';
import { encodeWatch } from '../../../proto/link/codec-watch.ts';
import { toStatus } from '../../../proto/link/error-map.ts';
import { buffer } from '../../../proto/link/wire.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { WatchEvent } from '../../../proto/vocab/watch.ts';
import type { WatchSink } from '../../service/api.ts';

export type WatchCall = ServerWritableStream<WatchRequest, WatchResponse | Buffer>;

/** No part is larger: below every peer's message limit, with room for the envelope. */
const MOST_PART_BYTES = 200 * 1024;
/** Bytes that may wait for a slow reader before it is called full. */
const MOST_WAITING_BYTES = 16 * 1024;

/** A watcher's stream as the hub sees it: takes what it is given, says when it is full, never waits. */
export class GrpcWatchSink implements WatchSink {
  private readonly call: WatchCall;
  private readonly drained: () => void;
  private waiting = 0;
  private full = false;
  private over = false;

  constructor(call: WatchCall, drained: () => void) {
    this.call = call;
    this.drained = drained;
  }

  send(event: WatchEvent): boolean {
    if (this.over) return true;
    for (const message of pack(event)) this.write(message);
    if (this.waiting > MOST_WAITING_BYTES) this.full = true;
    return !this.full;
  }

  end(reason: string): void {
    this.fail(new AppError('unavailable', reason));
  }

  /** Such as when the login it runs on is over. */
  fail(error: AppError): void {
    if (this.over) return;
    this.over = true;
    this.call.emit('error', Object.assign(new Error(error.message), toStatus(error)));
  }

  /** The peer is gone: nothing is written any more. */
  close(): void {
    this.over = true;
  }

  private write(message: Buffer): void {
    this.waiting += message.length;
    this.call.write(message, () => {
      this.waiting -= message.length;
      if (this.waiting > 0 || !this.full || this.over) return;
      this.full = false;
      this.drained();
    });
  }
}

/** What many are sent is packed once. */
const packed = new WeakMap<WatchEvent, readonly Buffer[]>();

/** One message, or several where a part or a tick's figures would be too large for one. */
export function pack(event: WatchEvent): readonly Buffer[] {
  const known = packed.get(event);
  if (known) return known;
  const messages = packAnew(event);
  packed.set(event, messages);
  return messages;
}

function packAnew(event: WatchEvent): readonly Buffer[] {
  const message = buffer(WatchResponse.encode(encodeWatch(event)).finish());
  if (message.length <= MOST_PART_BYTES) return [message];
  if (event.kind === 'part' && event.entities.length > 1) {
    const half = Math.ceil(event.entities.length / 2);
    return [
      ...pack({ ...event, entities: event.entities.slice(0, half) }),
      ...pack({ ...event, entities: event.entities.slice(half) }),
    ];
  }
  if (event.kind === 'vitals' && event.nodes.length > 1) {
    const half = Math.ceil(event.nodes.length / 2);
    return [
      ...pack({ ...event, nodes: event.nodes.slice(0, half) }),
      ...pack({ ...event, nodes: event.nodes.slice(half), regions: [] }),
    ];
  }
  return [message];
}
