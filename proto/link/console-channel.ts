import { type CallOptions, type ClientUnaryCall, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { ConsoleServiceClient } from '../gen/aicdn/v1/console.ts';
import { AppError } from '../vocab/errors.ts';
import type { Session } from '../vocab/people.ts';
import { decodeSession } from './codec-people.ts';
import { dialConsole, dialConsoleAt } from './dial.ts';
import { fromServiceError } from './error-map.ts';
import type { TokenKeeper } from './people-api.ts';
import { fetchPinnedCa } from './tls.ts';

/** Where a master is: on this host by its socket, or anywhere by TLS with a CA that is pinned. */
export type ConsolePlace =
  | {
      /** Path of the master's local socket. */
      readonly socket: string;
      /** For a socket that does not tell who is there; `null` or absent: the kernel says. */
      readonly tokens?: TokenKeeper | null;
    }
  | {
      /** `host:port` of the agents' port. */
      readonly addr: string;
      /** sha256 hex of the fleet CA's DER, as join tokens have it. */
      readonly caPin: string;
      readonly tokens: TokenKeeper;
    };

export type UnaryMethod<Q, R> = (
  this: ConsoleServiceClient,
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: R) => void,
) => ClientUnaryCall;

/** A way to one master: dials, shows the token, and gets the next one when it is no longer good. */
export class ConsoleChannel {
  private readonly place: ConsolePlace;
  private readonly deadlineMs: number;
  private ca: Promise<string> | null = null;
  private main: Promise<ConsoleServiceClient> | null = null;
  private refreshing: Promise<void> | null = null;
  private closed = false;

  constructor(place: ConsolePlace, deadlineMs: number) {
    this.place = place;
    this.deadlineMs = deadlineMs;
  }

  /** Nothing is dialled before the first call. Each `dial` is a connection of its own: close it. */
  async dial(): Promise<ConsoleServiceClient> {
    const { place } = this;
    if ('socket' in place) return dialConsole(place.socket);
    const { addr, caPin } = place;
    // Looked at before anything is sent: whoever shows another CA gets no token. Kept, for the pin does not change.
    this.ca ??= fetchPinnedCa({ address: addr, pin: caPin, deadlineMs: this.deadlineMs });
    try {
      return dialConsoleAt(addr, await this.ca);
    } catch (error) {
      this.ca = null;
      throw error;
    }
  }

  /** Shows the token. One that is no longer good is refreshed, and the call made again: it was refused unheard. */
  async call<Q, R, V>(
    method: UnaryMethod<Q, R>,
    request: Q,
    deadlineMs: number,
    read: (r: R) => V,
  ): Promise<V> {
    const used = this.tokens?.get()?.accessToken ?? null;
    try {
      return await this.once(method, request, deadlineMs, read, used);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unauthenticated' || used === null) throw error;
      await this.renew(used, error);
      return this.once(method, request, deadlineMs, read, this.tokens?.get()?.accessToken ?? null);
    }
  }

  /** One call with this token, or none; refused is refused. */
  async once<Q, R, V>(
    method: UnaryMethod<Q, R>,
    request: Q,
    deadlineMs: number,
    read: (r: R) => V,
    token: string | null,
  ): Promise<V> {
    if (this.closed) throw new AppError('unavailable', 'this client was closed');
    this.main ??= this.dial();
    const client = await this.main.catch((error: unknown) => {
      this.main = null;
      throw error;
    });
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + deadlineMs;
      method.call(client, request, showing(token), { deadline }, (error, reply) => {
        if (error) return reject(this.plainly(fromServiceError(error)));
        try {
          resolve(read(reply));
        } catch (fault) {
          reject(fault);
        }
      });
    });
  }

  /**
   * The next tokens, once for all who ask at the same time, and not at all when somebody got them already.
   * @throws AppError `unauthenticated`: log in again
   */
  renew(used: string, why: AppError): Promise<void> {
    const { tokens } = this;
    if (!tokens) return Promise.reject(why);
    this.refreshing ??= tokens
      .exclusively(async () => {
        const now = tokens.get();
        if (now !== null && now.accessToken !== used) return;
        if (now === null || now.refreshToken === null) throw why;
        const { refreshToken } = now;
        try {
          this.take(await this.session((c) => c.refresh, { refreshToken }));
        } catch (error) {
          if (error instanceof AppError && error.code === 'unauthenticated') tokens.set(null);
          throw error;
        }
      })
      .finally(() => {
        this.refreshing = null;
      });
    return this.refreshing;
  }

  /** A call that answers with a session, made without a token. */
  async session<Q, R extends { readonly session?: Parameters<typeof decodeSession>[0]['session'] }>(
    pick: (client: ConsoleServiceClient) => UnaryMethod<Q, R>,
    request: Q,
  ): Promise<Session> {
    const method = function (this: ConsoleServiceClient, ...args: Parameters<UnaryMethod<Q, R>>) {
      return pick(this).apply(this, args);
    };
    return this.once(method, request, this.deadlineMs, decodeSession, null);
  }

  take(session: Session): void {
    const { accessToken, refreshToken } = session;
    this.tokens?.set({ accessToken, refreshToken }, session);
  }

  get tokens(): TokenKeeper | null {
    return this.place.tokens ?? null;
  }

  /** gRPC's own words for "nobody there" say it in its terms; these say where. */
  plainly(error: AppError): AppError {
    const where = 'socket' in this.place ? this.place.socket : this.place.addr;
    if (error.code !== 'unavailable' || !error.message.startsWith('No connection established')) return error;
    const why = /connect (E[A-Z]+)/.exec(error.message)?.[1] ?? '';
    return new AppError('unavailable', `no master answers at ${where}${REASONS[why] ?? ''}`, {
      cause: error,
    });
  }

  close(): void {
    this.closed = true;
    this.main?.then(
      (client) => client.close(),
      () => {},
    );
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: ': not permitted; join the group of the socket',
  ENOENT: ': there is no such socket',
  ECONNREFUSED: ': nobody listens there',
};

/** What a call shows. */
export function showing(token: string | null): Metadata {
  const metadata = new Metadata();
  if (token !== null) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}
