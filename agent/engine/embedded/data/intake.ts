import type net from 'node:net';
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from 'node:stream';
import tls from 'node:tls';
import { ProxyReader } from '../wire/proxy-protocol.ts';
import { WebSocketAcceptor, type WebSocketStream } from '../wire/websocket.ts';
import type { Door, DoorSessions } from './door-sessions.ts';
import { every } from './every.ts';
import { Leg, SEALED, SUBPROTOCOL } from './leg.ts';
import type { DataService } from './messages.ts';
import type { SteadyLog } from './steady-log.ts';
import { type ReadyMaterial, refusePeer } from './tls-peer.ts';
import { socketWire, type Ways, waysOf, webSocketWire } from './wires.ts';

const HANDSHAKE_MS = 10_000;
/** A look at a port ends its handshake early; that is not worth a line. */
const QUIET = new Set(['ECONNRESET', 'EPIPE']);

export interface IntakeNeeds {
  readonly log: SteadyLog;
  readonly now: () => number;
  readonly sessions: DoorSessions;
  /** False: refused, and reset already, or closed meanwhile. */
  readonly admits: (raw: net.Socket, from: string) => boolean | Promise<boolean>;
  readonly accept: (leg: Leg) => void;
}

/**
 * What lies between a connection and its streams, as one version of a service wants it: PROXY header, TLS, WebSocket,
 * smux. Never listens itself: it gets its connections from the port, so that a new one can take over at once.
 */
export class Intake {
  /** Who is let in. */
  readonly door: string;
  readonly #config: DataService;
  readonly #needs: IntakeNeeds;
  readonly #secure: tls.Server | null;
  readonly #websockets: WebSocketAcceptor | null;
  readonly #proxied = new WeakMap<net.Socket, Ways>();

  constructor(config: DataService, ready: ReadyMaterial | null, needs: IntakeNeeds) {
    const { handler, over, tls: secure, proxyIn } = config;
    this.door = JSON.stringify([handler, secure?.peers, ready?.material.ca, proxyIn]);
    this.#config = config;
    this.#needs = needs;
    this.#secure = ready === null ? null : this.#secureServer(ready);
    this.#websockets = over.path === null ? null : this.#acceptor(over.path);
  }

  /** `raw` is paused: nothing of it has been read. */
  take(raw: net.Socket): void {
    if (this.#config.proxyIn) this.#readProxy(raw);
    else this.#begin(raw);
  }

  #begin(raw: net.Socket): void {
    const from = this.#proxied.get(raw)?.from.address ?? raw.remoteAddress ?? '';
    const admitted = this.#needs.admits(raw, from);
    if (admitted === true) this.#go(raw);
    else if (admitted !== false) void admitted.then((yes) => yes && this.#goAtLast(raw));
  }

  #go(raw: net.Socket): void {
    if (this.#secure !== null) {
      this.#shakeHands(this.#secure, raw);
      return;
    }
    // Until now the kernel has kept what came.
    raw.read(0);
    this.#stream(raw, raw, false);
  }

  /** One that was read behind its PROXY header may have ended while it waited, and would not say so a second time. */
  #goAtLast(raw: net.Socket): void {
    if (raw.readableEnded) raw.destroy();
    else {
      // TLS takes what lies in the buffer, and is not told of an end behind it.
      if (this.#secure !== null) raw.once('end', () => raw.destroy());
      this.#go(raw);
    }
  }

  #shakeHands(secure: tls.Server, raw: net.Socket): void {
    raw.on('error', () => undefined);
    // Reset already: it has no address left to know it by.
    if (raw.remotePort === undefined) {
      raw.destroy();
      return;
    }
    // A client that ends in mid-handshake is gone; half-open begins when the handshake is done.
    raw.allowHalfOpen = false;
    withBuffers(this.#config.over.bufferBytes, () => secure.emit('connection', raw));
  }

  /** The header may come in pieces, or glued to what follows. */
  #readProxy(raw: net.Socket): void {
    const reader = new ProxyReader();
    const drop = (): void => {
      stop();
      raw.destroy();
    };
    const late = setTimeout(drop, HANDSHAKE_MS);
    const stop = (): void => {
      clearTimeout(late);
      raw.off('data', data);
      raw.off('end', drop);
      raw.off('close', drop);
    };
    const data = (chunk: string | Buffer): void => {
      const read = reader.push(chunk as Buffer);
      if (read.kind === 'more') return;
      stop();
      if (read.kind === 'bad') {
        this.#say(`refused ${raw.remoteAddress}: ${read.why}`);
        raw.resetAndDestroy();
        return;
      }
      raw.pause();
      const { header, rest } = read;
      if (header.kind === 'proxied') this.#proxied.set(raw, { from: header.source, to: header.destination });
      if (rest.length > 0) raw.unshift(rest);
      this.#begin(raw);
    };
    raw.on('error', () => undefined);
    raw.on('data', data);
    raw.on('end', drop);
    raw.on('close', drop);
    raw.resume();
  }

  #secureServer(ready: ReadyMaterial): tls.Server {
    const peers = this.#config.tls?.peers ?? 'any';
    const { cert, key, ca } = ready.material;
    const server = tls.createServer({
      minVersion: 'TLSv1.2',
      allowHalfOpen: true,
      handshakeTimeout: HANDSHAKE_MS,
      requestCert: peers !== 'any',
      rejectUnauthorized: false,
      ...this.#alpn(),
      ...(cert === null ? {} : { cert }),
      ...(key === null ? {} : { key }),
      ...(ca === null ? {} : { ca }),
    });
    // TLS sockets do not tell which TCP socket they stand on, and only that one can be reset.
    const raws = new Map<string, net.Socket>();
    server.prependListener('connection', (raw: net.Socket) => {
      const at = endpoints(raw);
      raws.set(at, raw);
      raw.once('close', () => {
        // The address may be another connection's by now.
        if (raws.get(at) === raw) raws.delete(at);
      });
    });
    server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined);
      const raw = socket.remotePort === undefined ? undefined : raws.get(endpoints(socket));
      // Reset since its last word: two such look alike, and neither may be given the other's TCP socket.
      if (raw === undefined) {
        setImmediate(() => socket.destroy());
        return;
      }
      raw.allowHalfOpen = true;
      socket.allowHalfOpen = true;
      const now = this.#needs.now();
      const why = refusePeer({ socket, ready, peers, role: 'client', host: null, now });
      if (why !== null) {
        this.#say(`refused ${raw.remoteAddress}: ${why}`);
        socket.destroy();
        return;
      }
      this.#stream(socket, raw, socket.alpnProtocol === SEALED);
    });
    server.on('tlsClientError', (e: NodeJS.ErrnoException, socket) => {
      if (!QUIET.has(e.code ?? '')) this.#say(`TLS with ${socket.remoteAddress ?? 'a client'}: ${e.message}`);
      socket.destroy();
    });
    return server;
  }

  #alpn(): tls.TlsOptions {
    const { handler, over } = this.#config;
    // A WebSocket agrees on the seal by its own means, and is never HTTP/2.
    if (over.path !== null) return { ALPNProtocols: ['http/1.1'] };
    if (handler === 'tcp') return {};
    if (handler === 'relay') return { ALPNProtocols: [SEALED] };
    // Clients of a forward may be of any kind.
    const word = (offered: string[]): string | undefined =>
      [SEALED, 'http/1.1'].find((p) => offered.includes(p));
    return { ALPNCallback: ({ protocols }) => word(protocols) };
  }

  #acceptor(path: string): WebSocketAcceptor {
    const sealable = this.#config.handler !== 'tcp';
    const { bufferBytes } = this.#config.over;
    const settings = { path, bufferBytes, ...(sealable ? { subprotocol: SUBPROTOCOL } : {}) };
    const onStream = (stream: WebSocketStream, raw: net.Socket): void => {
      const ways = this.#waysOf(raw);
      if (this.#config.over.mux)
        this.#needs.sessions.add(stream, { ways, ours: stream.agreed, ...this.#entered() });
      else this.#needs.accept(new Leg(webSocketWire({ stream, ways, sealed: stream.agreed })));
    };
    return new WebSocketAcceptor(settings, { every, onStream });
  }

  #stream(socket: net.Socket, raw: net.Socket, sealed: boolean): void {
    const { over } = this.#config;
    const ways = this.#waysOf(raw);
    if (this.#websockets !== null) {
      this.#websockets.accept(socket, raw);
      socket.resume();
    } else if (over.mux) {
      this.#needs.sessions.add(socket, { ways, ours: sealed, ...this.#entered() });
      socket.resume();
    } else this.#needs.accept(new Leg(socketWire({ socket, raw, ways, sealed })));
  }

  #entered(): Door {
    return { door: this.door, accept: this.#needs.accept };
  }

  #waysOf(raw: net.Socket): Ways {
    return this.#proxied.get(raw) ?? waysOf(raw);
  }

  #say(text: string): void {
    this.#needs.log.say('warn', `service ${this.#config.name}`, text);
  }
}

/** `tls.Server` has no setting for it: its sockets have the default of the moment in which they are made. */
function withBuffers(bytes: number | undefined, make: () => void): void {
  const before = getDefaultHighWaterMark(false);
  if (bytes !== undefined) setDefaultHighWaterMark(false, bytes);
  try {
    make();
  } finally {
    setDefaultHighWaterMark(false, before);
  }
}

function endpoints(s: net.Socket): string {
  return `${s.remoteAddress}|${s.remotePort}|${s.localAddress}`;
}
