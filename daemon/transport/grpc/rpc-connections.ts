import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { RpcCall } from './rpc-call.ts';

export interface RpcSettings {
  /** Of one message of the peer's. */
  readonly mostBytes: number;
  /** Calls of one connection at once. */
  readonly mostCalls: number;
  /** A connection that was silent for this long is asked whether it is still there, */
  readonly pingAfterMs: number;
  /** and closed when it has not answered after so long. */
  readonly answerMs: number;
}

export const RPC: Omit<RpcSettings, 'mostBytes'> = {
  mostCalls: 8,
  pingAfterMs: 60_000,
  answerMs: 30_000,
};

interface Heard {
  readonly session: ServerHttp2Session;
  readonly socket: Socket;
  bytes: number;
  at: number;
  asked: boolean;
}

/** Of a silence, a part: so much later than it should be may a connection be found dead. */
const LOOKS = 4;

/** HTTP/2 on connections whose peer is known, and gRPC's calls on it. */
export class RpcConnections {
  private readonly settings: RpcSettings;
  private readonly heard = new Set<Heard>();
  private timer: NodeJS.Timeout | null = null;

  constructor(settings: RpcSettings) {
    this.settings = settings;
  }

  get size(): number {
    return this.heard.size;
  }

  /** @param called hears each call's path before anything of it is read */
  serve(socket: Socket, called: (path: string, call: RpcCall) => void): void {
    const { mostCalls, mostBytes } = this.settings;
    const session = performServerHandshake(socket, { settings: { maxConcurrentStreams: mostCalls } });
    const heard: Heard = { session, socket, bytes: 0, at: performance.now(), asked: false };
    this.heard.add(heard);
    session.on('error', () => {}); // 'close' follows
    session.on('close', () => {
      this.heard.delete(heard);
      if (this.heard.size === 0) this.stopLooking();
    });
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      if (!isGrpc(headers)) {
        stream.on('error', () => {}); // it was reset: nobody waits for the answer
        stream.resume();
        stream.respond({ ':status': 415 }, { endStream: true });
        return;
      }
      called(headers[':path'] ?? '', new RpcCall(stream, mostBytes));
    });
    this.timer ??= setInterval(() => this.look(performance.now()), this.settings.pingAfterMs / LOOKS).unref();
  }

  /** No new calls; a connection closes once its calls are over. */
  drain(): void {
    for (const { session } of this.heard) session.close();
  }

  /** By what has come in, whatever it was: nothing is counted for that with each message. */
  private look(now: number): void {
    const { pingAfterMs, answerMs } = this.settings;
    for (const heard of this.heard) {
      const { socket, session } = heard;
      const { bytesRead } = socket;
      if (bytesRead !== heard.bytes) {
        heard.bytes = bytesRead;
        heard.at = now;
        heard.asked = false;
      } else if (heard.asked) {
        if (now - heard.at > pingAfterMs + answerMs) socket.destroy();
      } else if (now - heard.at >= pingAfterMs) {
        heard.asked = true;
        if (!session.destroyed) session.ping(() => {});
      }
    }
  }

  private stopLooking(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  const type = headers['content-type'];
  return headers[':method'] === 'POST' && (type?.startsWith('application/grpc') ?? false);
}
