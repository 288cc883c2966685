import net from 'node:net';
import tls from 'node:tls';
import { Leg, SEALED } from './leg.ts';
import type { Endpoint } from './messages.ts';
import type { Service } from './service.ts';
import type { SteadyLog } from './steady-log.ts';
import { type ReadyMaterial, refusePeer } from './tls-peer.ts';
import { socketWire } from './wires.ts';

const HANDSHAKE_MS = 10_000;
/** A look at a port ends its handshake early; that is not worth a line. */
const QUIET = new Set(['ECONNRESET', 'EPIPE']);

export function listenerKey(listen: Endpoint): string {
  return `${listen.host}|${listen.port}`;
}

/** A port. What happens on it is swapped under it: it stays open over changes of route, certificate and type. */
export class Listener {
  readonly key: string;
  readonly #server: net.Server;
  readonly #log: SteadyLog;
  readonly #now: () => number;
  #service: Service | null = null;
  #secure: tls.Server | null = null;
  /** Connections that came between bind and commit. */
  #early: net.Socket[] = [];

  private constructor(key: string, server: net.Server, needs: { log: SteadyLog; now: () => number }) {
    this.key = key;
    this.#server = server;
    this.#log = needs.log;
    this.#now = needs.now;
    server.on('connection', (raw) => this.#connection(raw));
  }

  /** The port bound, or why not. */
  static bind(
    listen: Endpoint,
    needs: { log: SteadyLog; now: () => number; exclusive?: boolean },
  ): Promise<Listener | string> {
    return new Promise((resolve) => {
      const server = net.createServer({
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: 30_000,
      });
      server.once('error', (e: NodeJS.ErrnoException) => resolve(explain(listen, e)));
      const options = {
        port: listen.port,
        backlog: 4096,
        // In a worker: bound by itself, not through the primary.
        exclusive: needs.exclusive ?? false,
        ...(listen.host === '' ? {} : { host: listen.host }),
      };
      server.listen(options, () => {
        server.removeAllListeners('error');
        const listener = new Listener(listenerKey(listen), server, needs);
        server.on('error', (e) => needs.log.say('error', `port ${listen.port}`, e.message));
        resolve(listener);
      });
    });
  }

  get accepting(): boolean {
    return this.#server.listening && this.#service !== null;
  }

  get service(): Service | null {
    return this.#service;
  }

  /** The port the system chose when 0 was asked for. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on connections belong to `service`; handshakes under way finish with the old certificate. */
  serve(service: Service, ready: ReadyMaterial | null): void {
    this.#service = service;
    this.#secure = ready === null ? null : this.#secureServer(service, ready);
    const early = this.#early;
    this.#early = [];
    for (const raw of early) this.#connection(raw);
  }

  /** Established connections go on. */
  close(): void {
    this.#server.close();
    for (const raw of this.#early) raw.resetAndDestroy();
    this.#early = [];
  }

  #connection(raw: net.Socket): void {
    if (this.#service === null) {
      raw.on('error', () => undefined);
      this.#early.push(raw);
    } else if (this.#secure === null) this.#service.accept(new Leg(socketWire({ socket: raw, raw })));
    else this.#shakeHands(this.#secure, raw);
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
    secure.emit('connection', raw);
  }

  /** Never listens itself: it gets its connections from the port, so that a new one can take over at once. */
  #secureServer(service: Service, ready: ReadyMaterial): tls.Server {
    const peers = service.config.tls?.peers ?? 'any';
    const relay = service.config.handler === 'relay';
    const { cert, key, ca } = ready.material;
    const server = tls.createServer({
      minVersion: 'TLSv1.2',
      allowHalfOpen: true,
      handshakeTimeout: HANDSHAKE_MS,
      requestCert: peers !== 'any',
      rejectUnauthorized: false,
      ...(relay ? { ALPNProtocols: [SEALED] } : {}),
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
      const why = refusePeer({ socket, ready, peers, role: 'client', host: null, now: this.#now() });
      if (why !== null) {
        this.#say(service, `refused ${raw.remoteAddress}: ${why}`);
        socket.destroy();
        return;
      }
      service.accept(new Leg(socketWire({ socket, raw, sealed: socket.alpnProtocol === SEALED })));
    });
    server.on('tlsClientError', (e: NodeJS.ErrnoException, socket) => {
      if (!QUIET.has(e.code ?? ''))
        this.#say(service, `TLS with ${socket.remoteAddress ?? 'a client'}: ${e.message}`);
      socket.destroy();
    });
    return server;
  }

  #say(service: Service, text: string): void {
    this.#log.say('warn', `service ${service.config.name}`, text);
  }
}

function endpoints(s: net.Socket): string {
  return `${s.remoteAddress}|${s.remotePort}|${s.localAddress}`;
}

function explain(listen: Endpoint, e: NodeJS.ErrnoException): string {
  const port = `port ${listen.port}`;
  const on = listen.host === '' ? '' : ` on ${listen.host}`;
  switch (e.code) {
    case 'EADDRINUSE':
      return `${port}${on} is in use by another program`;
    case 'EACCES':
      return `${port}${on} is not allowed to this user`;
    case 'EADDRNOTAVAIL':
      return `${listen.host} is not an address of this host`;
    default:
      return `cannot listen on ${port}${on}: ${e.message}`;
  }
}
