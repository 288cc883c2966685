import net from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import { DoorSessions } from './door-sessions.ts';
import { Intake } from './intake.ts';
import { keepAlive } from './keepalive.ts';
import type { Leg } from './leg.ts';
import type { Endpoint } from './messages.ts';
import type { Service } from './service.ts';
import type { SteadyLog } from './steady-log.ts';
import type { ReadyMaterial } from './tls-peer.ts';

export function listenerKey(listen: Endpoint): string {
  return `${listen.host}|${listen.port}`;
}

const RESUME_MS = 1_000;

export interface ListenerNeeds {
  readonly log: SteadyLog;
  readonly now: () => number;
  /** A connection came in, before anything is known of it. */
  readonly took?: () => void;
}

/** A port. What happens on it is swapped under it: it stays open over changes of route, certificate and type. */
export class Listener {
  readonly key: string;
  readonly #server: net.Server;
  readonly #needs: ListenerNeeds;
  readonly #options: net.ListenOptions;
  #at: 'open' | 'paused' | 'closed' = 'open';
  #resuming: NodeJS.Timeout | null = null;
  #fault = false;
  #service: Service | null = null;
  #intake: Intake | null = null;
  readonly #sessions = new DoorSessions();
  /** Connections that came between bind and commit. */
  #early: net.Socket[] = [];

  private constructor(key: string, server: net.Server, options: net.ListenOptions, needs: ListenerNeeds) {
    this.key = key;
    this.#server = server;
    // The port the system chose, where it chose.
    this.#options = { ...options, port: this.port };
    this.#needs = needs;
    server.on('connection', (raw) => {
      keepAlive(raw);
      this.#connection(raw);
      needs.took?.();
    });
    server.on('listening', () => {
      this.#fault = false;
      if (this.#at !== 'open') server.close();
    });
    server.on('error', (e) => {
      needs.log.say('error', `port ${options.port}`, e.message);
      if (this.#at !== 'open' || server.listening) return;
      this.#at = 'paused';
      this.#fault = true;
      this.#resuming = setTimeout(() => this.resume(), RESUME_MS);
      this.#resuming.unref();
    });
  }

  /** The port bound, or why not. */
  static bind(listen: Endpoint, needs: ListenerNeeds & { exclusive?: boolean }): Promise<Listener | string> {
    return new Promise((resolve) => {
      const server = net.createServer({
        allowHalfOpen: true,
        // An end that is read before anybody listens for it is lost: who waits is not read.
        pauseOnConnect: true,
        noDelay: true,
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
        resolve(new Listener(listenerKey(listen), server, options, needs));
      });
    });
  }

  /** It means to, though it may pause now. */
  get accepting(): boolean {
    return this.#at !== 'closed' && !this.#fault && this.#service !== null;
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
    const accept = (leg: Leg): void => service.accept(leg);
    this.#intake = new Intake(service.config, ready, {
      log: this.#needs.log,
      now: this.#needs.now,
      sessions: this.#sessions,
      admits: (raw, from) => service.admits(raw, from),
      accept,
    });
    const { maxStreams, bufferBytes } = service.config.over;
    this.#sessions.tune({ maxStreams, windowBytes: bufferBytes });
    this.#sessions.turn({ door: this.#intake.door, accept });
    // Looked at for each connection, though documented as an option of `createServer` only.
    Object.assign(this.#server, { highWaterMark: bufferBytes ?? getDefaultHighWaterMark(false) });
    const early = this.#early;
    this.#early = [];
    for (const raw of early) this.#connection(raw);
  }

  // open -> paused. What stands goes on; what comes is left to others that share the port, or refused.
  pause(): void {
    if (this.#at !== 'open') return;
    this.#at = 'paused';
    this.#server.close();
  }

  // paused -> open
  resume(): void {
    if (this.#resuming !== null) clearTimeout(this.#resuming);
    this.#resuming = null;
    if (this.#at !== 'paused') return;
    this.#at = 'open';
    this.#server.listen(this.#options);
  }

  /** Established connections go on; of sessions, the streams they have. */
  close(): void {
    this.#shut();
    this.#sessions.turn(null);
    for (const raw of this.#early) raw.resetAndDestroy();
    this.#early = [];
  }

  /** Takes no new connections; sessions are asked to leave, and take new streams until they have. */
  leave(): void {
    this.#shut();
    this.#sessions.leave();
  }

  /** Sessions too. */
  stop(): void {
    this.close();
    this.#sessions.stop();
  }

  // any -> closed
  #shut(): void {
    this.#at = 'closed';
    if (this.#resuming !== null) clearTimeout(this.#resuming);
    this.#server.close();
  }

  #connection(raw: net.Socket): void {
    if (this.#intake !== null) this.#intake.take(raw);
    else {
      raw.on('error', () => undefined);
      this.#early.push(raw);
    }
  }
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
