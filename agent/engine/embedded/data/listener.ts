import net from 'node:net';
import { DoorSessions } from './door-sessions.ts';
import { Intake } from './intake.ts';
import type { Endpoint } from './messages.ts';
import type { Service } from './service.ts';
import type { SteadyLog } from './steady-log.ts';
import type { ReadyMaterial } from './tls-peer.ts';

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
  #intake: Intake | null = null;
  readonly #sessions = new DoorSessions((leg) => this.#service?.accept(leg));
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
        // An end that is read before anybody listens for it is lost: who waits is not read.
        pauseOnConnect: true,
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
    this.#intake = new Intake(service.config, ready, {
      log: this.#log,
      now: this.#now,
      sessions: this.#sessions,
      admits: (raw, from) => service.admits(raw, from),
      accept: (leg) => service.accept(leg),
    });
    this.#sessions.turn(this.#intake.door);
    const early = this.#early;
    this.#early = [];
    for (const raw of early) this.#connection(raw);
  }

  /** Established connections go on; of sessions, the streams they have. */
  close(): void {
    this.#server.close();
    this.#sessions.turn(null);
    for (const raw of this.#early) raw.resetAndDestroy();
    this.#early = [];
  }

  /** Takes no new connections; sessions go on until their first idle moment. */
  leave(): void {
    this.#server.close();
    this.#sessions.leave();
  }

  /** Sessions too. */
  stop(): void {
    this.close();
    this.#sessions.stop();
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
