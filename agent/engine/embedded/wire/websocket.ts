import http from 'node:http';
import type net from 'node:net';
import { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { resetSocket } from './reset-socket.ts';

/** Where gost listens for it. */
export const WEBSOCKET_PATH = '/ws';

const SUBPROTOCOL = 'sec-websocket-protocol';
const MESSAGE_BYTES = 64 * 1024;
/** Of a peer's message; ours are never that long. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const HANDSHAKE_MS = 15_000;
const BUFFER_BYTES = 64 * 1024;
const TTL_MS = 15_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Normal, going away, none given, and no Close frame at all: how gost ends a stream. */
const ENDS: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006]);

export interface WebSocketSettings {
  readonly path?: string;
  /** A ping every so often; a peer that says nothing for two of them is dropped. */
  readonly ttlMs?: number;
  readonly handshakeMs?: number;
  /** A subprotocol to offer, or to agree to when it is offered; a peer that does not know it goes without. */
  readonly subprotocol?: string;
  /** Of a stream's reader and its writer, each. Default: 64 KB. */
  readonly bufferBytes?: number | undefined;
}

export interface WebSocketTimers {
  /** Calls `run` until the returned function is called. */
  readonly every: (ms: number, run: () => void) => () => void;
}

/** `raw` is the TCP socket under `socket`, or the same: only that one can be reset. */
interface Wire {
  readonly ws: WebSocket;
  readonly socket: net.Socket;
  readonly raw: net.Socket;
  /** Both know the subprotocol. */
  readonly agreed: boolean;
}

/**
 * The bytes of binary messages. A WebSocket has no half-close: `end` says Close, and a Close, or the connection's end
 * without one, ends both directions. What needs to tell an end from a cut puts a layer of its own on top. A chunk
 * belongs to the stream once written.
 */
export class WebSocketStream extends Duplex {
  readonly #wire: Wire;
  readonly #stopTicking: () => void;
  #waiting: ((e?: Error) => void) | null = null;
  #fault: Error | null = null;
  #unanswered = 0;

  constructor(wire: Wire, settings: WebSocketSettings, timers: WebSocketTimers) {
    super({ allowHalfOpen: false, highWaterMark: settings.bufferBytes ?? BUFFER_BYTES });
    this.#wire = wire;
    const { ws, socket } = wire;
    this.#stopTicking = timers.every(settings.ttlMs ?? TTL_MS, () => this.#tick());
    ws.on('message', (data, binary) => this.#message(data, binary));
    ws.on('pong', () => {
      this.#unanswered = 0;
    });
    ws.on('error', (e) => this.destroy(e));
    ws.on('close', (code) => this.#closed(code));
    socket.on('error', (e) => {
      this.#fault = e;
    });
    socket.on('drain', () => this.#drained());
  }

  /** The other side knows the subprotocol too. */
  get agreed(): boolean {
    return this.#wire.agreed;
  }

  /** As of a socket: at once, and never to be taken for an end. */
  resetAndDestroy(): void {
    this.destroy();
  }

  override _read(): void {
    const { ws } = this.#wire;
    if (!ws.isPaused) return;
    this.#unanswered = 0;
    ws.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (e?: Error) => void): void {
    this.#send([{ chunk }], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (e?: Error) => void): void {
    this.#send(chunks, done);
  }

  override _final(done: () => void): void {
    this.#wire.ws.close(1000);
    done();
  }

  override _destroy(e: Error | null, done: (e: Error | null) => void): void {
    this.#stopTicking();
    const { ws, socket, raw } = this.#wire;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (ws.readyState !== WebSocket.CLOSED) resetSocket(socket, raw);
    waiting?.(e ?? new Error('destroyed before it was sent'));
    done(e);
  }

  #message(data: RawData, binary: boolean): void {
    this.#unanswered = 0;
    if (!binary || !Buffer.isBuffer(data)) this.destroy(new Error('a text message in a stream of bytes'));
    else if (data.length > 0 && !this.push(data)) this.#wire.ws.pause();
  }

  #closed(code: number): void {
    this.#stopTicking();
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#fault !== null) this.destroy(this.#fault);
    else if (!ENDS.has(code)) this.destroy(new Error(`the WebSocket was closed with ${code}`));
    else if (waiting !== null)
      this.destroy(new Error('the WebSocket was closed while there was more to send'));
    else if (!this.destroyed) this.push(null);
    waiting?.(new Error('closed before it was sent'));
  }

  /** Every chunk is with the socket at once; what the socket cannot take keeps the writer waiting for its drain. */
  #send(chunks: readonly { chunk: Buffer }[], done: (e?: Error) => void): void {
    const { ws, socket } = this.#wire;
    if (ws.readyState !== WebSocket.OPEN) {
      done(new Error('the WebSocket is closed'));
      return;
    }
    socket.cork();
    for (const { chunk } of chunks)
      for (let at = 0; at < chunk.length; at += MESSAGE_BYTES)
        ws.send(chunk.length <= MESSAGE_BYTES ? chunk : chunk.subarray(at, at + MESSAGE_BYTES), {
          binary: true,
          compress: false,
        });
    socket.uncork();
    if (socket.writableNeedDrain) this.#waiting = done;
    else done();
  }

  #drained(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }

  #tick(): void {
    const { ws, socket } = this.#wire;
    if (ws.readyState !== WebSocket.OPEN) return;
    // Its answers are not read while our reader is slow. It drops us, though, for not answering pings that we do not
    // read either: a pong that nobody asked for keeps it content.
    if (ws.isPaused) {
      if (!socket.writableNeedDrain) ws.pong();
      return;
    }
    if (this.#unanswered >= 2) {
      this.destroy(new Error('the other side of the WebSocket answers no pings'));
      return;
    }
    this.#unanswered += 1;
    // Behind what the peer does not take it would only be one ping more that it does not see.
    if (!socket.writableNeedDrain) ws.ping();
  }
}

export type OpenedWebSocket =
  | { readonly ok: true; readonly stream: WebSocketStream }
  | { readonly ok: false; readonly why: string };

/** Asks for a WebSocket on a connection that stands; `host` is what the Host header says. The socket is ours now. */
export function openWebSocket(
  at: { readonly socket: net.Socket; readonly raw: net.Socket; readonly host: string },
  settings: WebSocketSettings,
  timers: WebSocketTimers,
): Promise<OpenedWebSocket> {
  const { socket, raw, host } = at;
  return new Promise((resolve) => {
    const handshakeMs = settings.handshakeMs ?? HANDSHAKE_MS;
    const deadline = setTimeout(() => fail(`no answer in ${handshakeMs} ms`), handshakeMs);
    const fail = (why: string): void => {
      clearTimeout(deadline);
      socket.destroy();
      resolve({ ok: false, why: `no WebSocket: ${why}` });
    };
    let ws: WebSocket;
    let agreed = false;
    const { subprotocol } = settings;
    try {
      ws = new WebSocket(`ws://${host}${settings.path ?? WEBSOCKET_PATH}`, {
        createConnection: () => socket,
        perMessageDeflate: false,
        maxPayload: MAX_MESSAGE_BYTES,
        ...(subprotocol === undefined ? {} : { headers: { [SUBPROTOCOL]: subprotocol } }),
      });
    } catch (e) {
      fail(e instanceof Error ? e.message : String(e));
      return;
    }
    const fault = (e: Error): void => fail(e.message);
    ws.on('error', fault);
    // Asked for by hand: `ws` would take a server that does not know the subprotocol for a fault.
    ws.once('upgrade', ({ headers }) => {
      agreed = subprotocol !== undefined && headers[SUBPROTOCOL] === subprotocol;
      if (agreed) delete headers[SUBPROTOCOL];
    });
    ws.once('open', () => {
      clearTimeout(deadline);
      ws.off('error', fault);
      resolve({ ok: true, stream: new WebSocketStream({ ws, socket, raw, agreed }, settings, timers) });
    });
  });
}

/** Makes WebSockets of connections that came in. It never listens itself; anything but the one path is refused. */
export class WebSocketAcceptor {
  readonly #http: http.Server;
  readonly #settings: WebSocketSettings;
  readonly #raws = new WeakMap<object, { raw: net.Socket; deadline: NodeJS.Timeout }>();

  constructor(
    settings: WebSocketSettings,
    needs: WebSocketTimers & { readonly onStream: (stream: WebSocketStream, raw: net.Socket) => void },
  ) {
    this.#settings = settings;
    const upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      path: settings.path ?? WEBSOCKET_PATH,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handleProtocols: (offered) =>
        settings.subprotocol !== undefined && offered.has(settings.subprotocol)
          ? settings.subprotocol
          : false,
    });
    this.#http = http.createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (_request, response) => {
      response.writeHead(404, { connection: 'close' }).end();
    });
    this.#http.on('upgrade', (request, socket, head) => {
      const known = this.#raws.get(socket);
      if (known === undefined) {
        socket.destroy();
        return;
      }
      upgrader.handleUpgrade(request, socket, head, (ws) => {
        clearTimeout(known.deadline);
        const { raw } = known;
        const wire = { ws, socket: socket as net.Socket, raw, agreed: ws.protocol !== '' };
        needs.onStream(new WebSocketStream(wire, settings, needs), raw);
      });
    });
  }

  /** The connection is ours now; it must ask for its WebSocket within the time-out. */
  accept(socket: net.Socket, raw: net.Socket): void {
    const deadline = setTimeout(() => socket.destroy(), this.#settings.handshakeMs ?? HANDSHAKE_MS);
    deadline.unref();
    socket.once('close', () => clearTimeout(deadline));
    this.#raws.set(socket, { raw, deadline });
    this.#http.emit('connection', socket);
  }
}
