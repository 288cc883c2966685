import { constants, X509Certificate } from 'node:crypto';
import {
  type AddressInfo,
  createServer as createNetServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { type Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Clock, Log } from '../../service/ports.ts';
import { ADMISSION, Admission, type AdmissionSettings, peerKey } from './admission.ts';
import { type ConnectionInjector, drainConnections } from './drain.ts';
import { identify, type PeerIdentity } from './peer.ts';

export interface ListenerSettings {
  readonly host: string;
  readonly port: number;
  /** Leaf, then the fleet's CA: a joiner pins what it is shown. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly caPem: string;
  /** Whose nodes are let in as well, while the fleet's CA is being replaced. */
  readonly otherCasPem?: readonly string[];
  readonly handshakeMs?: number;
  /** A connection without a call in flight is closed after this. */
  readonly idleMs?: number;
  readonly admission?: Partial<AdmissionSettings>;
}

/** A flood of refusals must not become a flood of log. */
const REFUSAL_WINDOW_MS = 10_000;
const MOST_REFUSALS_SAID = 100;

export type RefusedAt = 'queue' | 'tls' | 'enrolment' | 'session';

export interface ListenerNeeds {
  /** Takes over the connections of those who are no nodes. */
  readonly grpc: GrpcServer;
  /** And this, of those who are. */
  readonly node: (socket: TLSSocket, connection: NodeConnection) => void;
  readonly log: Log;
  readonly clock: Clock;
}

/** One TLS connection: who is there, and how many calls it has open. */
export interface Connection {
  readonly remote: string;
  readonly identity: PeerIdentity;
  /** It has shown a token that is good: it counts no longer against its address. */
  known(): void;
  /** A call began; the returned function says it is over. */
  busy(): () => void;
}

export type NodeConnection = Connection & { readonly identity: { readonly kind: 'node' } };

/**
 * The fleet's port: admission, TLS, and the peer's identity; then the connection is taken over. Everybody with TLS
 * 1.2 is let as far as a call, so that a refusal can be said in words: TLS 1.3 shows one as a bare close.
 */
export class FleetListener {
  /** How many, by the step they were refused at. */
  readonly refusals: Record<RefusedAt, number> = { queue: 0, tls: 0, enrolment: 0, session: 0 };
  private window = { since: Number.NEGATIVE_INFINITY, said: 0, unsaid: 0 };
  private readonly settings: ListenerSettings;
  private readonly needs: ListenerNeeds;
  private readonly net: NetServer;
  private readonly tls: TlsServer;
  private readonly injector: ConnectionInjector;
  private readonly admission: Admission;
  private readonly cas: readonly X509Certificate[];
  private readonly connections = new Map<string, Connection>();
  private readonly sockets = new Set<Socket>();

  constructor(settings: ListenerSettings, needs: ListenerNeeds) {
    this.settings = settings;
    this.needs = needs;
    this.cas = [settings.caPem, ...(settings.otherCasPem ?? [])].map((pem) => new X509Certificate(pem));
    this.injector = needs.grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.tls = createTlsServer({
      ...contextOf(settings),
      requestCert: true,
      rejectUnauthorized: false, // judged in `identify`, answered in words
      ALPNProtocols: ['h2'],
      handshakeTimeout: this.handshakeMs,
    });
    this.tls.on('secureConnection', (socket) => {
      const connection = this.identified(socket);
      if (connection && isNode(connection)) needs.node(socket, connection);
      else if (connection) this.injector.injectConnection(socket);
    });
    this.tls.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      // The TLS socket has lost its address by now; the one under it remembers.
      const under = (socket as TLSSocket & { _parent?: Socket })._parent;
      const address = socket.remoteAddress ?? under?.remoteAddress ?? 'unknown';
      socket.destroy();
      if (error.code === 'ECONNRESET') needs.log.debug('left during the handshake', { address });
      else this.refused('tls', address, error.message);
    });
    this.admission = new Admission(
      { ...ADMISSION, ...settings.admission },
      {
        admit: (socket) => this.awaitHello(socket),
        refused: (address, reason) => this.refused('queue', address, reason),
        monotonic: () => performance.now(),
      },
    );
    this.net = createNetServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      this.admission.arrive(socket);
    });
  }

  /** @throws AppError `precondition` when the address cannot be bound */
  async start(): Promise<AddressInfo> {
    const { host, port } = this.settings;
    await new Promise<void>((resolve, reject) => {
      this.net.once('error', (error) =>
        reject(
          new AppError('precondition', `cannot listen on ${host}:${port}: ${error.message}`, {
            cause: error,
          }),
        ),
      );
      this.net.listen({ host, port, backlog: 4096 }, resolve);
    });
    this.net.removeAllListeners('error');
    // EMFILE and the like: that connection is lost, the others go on.
    this.net.on('error', (error) => this.needs.log.error('accept failed', { error: error.message }));
    return this.net.address() as AddressInfo;
  }

  /** Of one who is no node, by gRPC's name of the peer, `address:port`, unique among the connections alive. */
  connection(peer: string): Connection | undefined {
    return this.connections.get(peer);
  }

  /** For refusals said in a call's answer too: logged and counted with the address. */
  refused(at: RefusedAt, address: string, reason: string, fields: Record<string, unknown> = {}): void {
    this.refusals[at] += 1;
    const now = performance.now();
    if (now - this.window.since > REFUSAL_WINDOW_MS) {
      if (this.window.unsaid > 0) this.needs.log.warn('more were refused', { count: this.window.unsaid });
      this.window = { since: now, said: 0, unsaid: 0 };
    }
    if (this.window.said < MOST_REFUSALS_SAID) {
      this.window.said += 1;
      this.needs.log.warn('refused', { at, address, reason, ...fields });
    } else {
      this.window.unsaid += 1;
    }
  }

  /** For handshakes from now on. */
  useCertificate(certificatePem: string, keyPem: string): void {
    this.tls.setSecureContext(contextOf({ ...this.settings, certificatePem, keyPem }));
  }

  /** No new connections; the ones alive stay. */
  stopAccepting(): void {
    this.net.close();
    this.admission.stop();
  }

  /** Lets what is being said be heard to its end, for `graceMs` at most; then no connection is left. */
  drain(graceMs: number): Promise<void> {
    return drainConnections(this.injector, this.sockets, graceMs);
  }

  private get handshakeMs(): number {
    return this.settings.handshakeMs ?? 10_000;
  }

  /**
   * TLS begins with its first bytes in hand: of a connection that says nothing it would make everything for nothing, and
   * the buffer it reads into is as large as what it is given first, or 64 KiB for as long as the connection stands.
   */
  private awaitHello(socket: Socket): void {
    const late = setTimeout(() => {
      this.refused('tls', socket.remoteAddress ?? 'unknown', 'said nothing');
      socket.destroy();
    }, this.handshakeMs);
    socket.once('close', () => clearTimeout(late));
    socket.once('readable', () => {
      clearTimeout(late);
      if (socket.readableLength > 0) this.tls.emit('connection', socket);
      else socket.destroy(); // it has ended
    });
  }

  private identified(socket: TLSSocket): Connection | null {
    const key = peerKey(socket);
    socket.on('error', () => {}); // a reset connection: 'close' follows
    if (socket.destroyed || !socket.remoteAddress) return null;
    if (socket.alpnProtocol !== 'h2') {
      this.refused('tls', socket.remoteAddress, 'not HTTP/2');
      socket.destroy();
      return null;
    }
    const identity = identify(socket.getPeerX509Certificate(), this.cas, this.needs.clock.now());
    const idleMs = this.settings.idleMs ?? 10_000;
    let calls = 0;
    let timer: NodeJS.Timeout | undefined;
    const idle = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), idleMs);
    };
    const connection: Connection = {
      remote: socket.remoteAddress,
      identity,
      known: () => this.admission.known(key),
      busy() {
        calls += 1;
        clearTimeout(timer);
        let over = false;
        return () => {
          if (over) return;
          over = true;
          calls -= 1;
          if (calls === 0 && !socket.destroyed) idle();
        };
      },
    };
    if (identity.kind === 'node') this.admission.known(key);
    else this.connections.set(key, connection);
    socket.once('close', () => {
      clearTimeout(timer);
      this.connections.delete(key);
    });
    idle();
    return connection;
  }
}

const isNode = (c: Connection): c is NodeConnection => c.identity.kind === 'node';

function contextOf(settings: Pick<ListenerSettings, 'certificatePem' | 'keyPem' | 'caPem' | 'otherCasPem'>) {
  return {
    cert: settings.certificatePem,
    key: settings.keyPem,
    ca: [settings.caPem, ...(settings.otherCasPem ?? [])].join('\n'),
    minVersion: 'TLSv1.2',
    // No resumption: expiry and revocation are looked at for every connection anew.
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const;
}
