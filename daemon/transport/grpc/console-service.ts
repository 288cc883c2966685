import type { Server as NetServer, Socket } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { MOST_MESSAGE_BYTES } from '../../../proto/link/dial.ts';
import type { Caller } from '../../../proto/vocab/can.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Services } from '../../service/api.ts';
import type { Log } from '../../service/ports.ts';
import { CONSOLE_SERVICE, ConsoleCalls } from './console-calls.ts';
import { type ConnectionInjector, drainConnections } from './drain.ts';
import { listenLocal } from './local-socket.ts';
import { actorOf, type ReadPeer, readPasswd } from './peercred.ts';

export interface ConsoleTransportSettings {
  readonly socket: string;
}

export interface ConsoleTransportNeeds {
  readonly services: Omit<Services, 'agents'>;
  readonly log: Log;
  readonly readPeer: ReadPeer;
}

/** The operators' side of the master: the console and aicdnctl, over a local socket. */
export class ConsoleTransport {
  private readonly settings: ConsoleTransportSettings;
  private readonly needs: ConsoleTransportNeeds;
  private readonly grpc: Server;
  private readonly callers = new Map<string, Caller>();
  private readonly sockets = new Set<Socket>();
  private readonly calls: ConsoleCalls;
  private net: NetServer | null = null;
  private injector: ConnectionInjector | null = null;
  private connections = 0;

  constructor(settings: ConsoleTransportSettings, needs: ConsoleTransportNeeds) {
    this.settings = settings;
    this.needs = needs;
    this.grpc = new Server({
      'grpc.max_receive_message_length': MOST_MESSAGE_BYTES,
      'grpc.max_send_message_length': -1,
    });
    this.calls = new ConsoleCalls({
      services: needs.services,
      log: needs.log,
      door: {
        remoteOf: () => 'unix',
        peerOf: (call) => this.caller(call.getPeer()),
        known: () => {},
        busy: () => () => {},
      },
    });
    this.grpc.addService(CONSOLE_SERVICE, this.calls.implementation());
  }

  async start(): Promise<void> {
    const injector = this.grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.injector = injector;
    this.net = await listenLocal(this.settings.socket, (socket) => {
      socket.on('error', () => {}); // 'close' follows
      this.sockets.add(socket);
      const peer = this.name(socket);
      this.callers.set(peer, this.identify(socket));
      injector.injectConnection(socket);
      socket.once('close', () => {
        this.sockets.delete(socket);
        this.callers.delete(peer);
      });
    });
  }

  stopAccepting(): void {
    this.net?.close();
  }

  /** Ends the watches in words, lets running calls finish for a second, then closes. */
  async stop(): Promise<void> {
    this.stopAccepting();
    this.calls.endWatches('the master is stopping');
    if (this.injector) await drainConnections(this.injector, this.sockets, 1000);
    this.grpc.forceShutdown();
  }

  /**
   * A unix peer has no address, and gRPC tells calls apart by the peer's address: so each connection gets one, `unix:7`.
   */
  private name(socket: Socket): string {
    this.connections += 1;
    const port = this.connections;
    Object.defineProperties(socket, { remoteAddress: { value: 'unix' }, remotePort: { value: port } });
    return `unix:${port}`;
  }

  /**
   * The socket's mode lets in root, the master's user and its group, who are admins; the credentials say which of them
   * it is. One that cannot be read is nobody who could be named in the audit log: it may look, and log in for more.
   */
  private identify(socket: Socket): Caller {
    const credentials = this.needs.readPeer(socket);
    if (credentials === null) return { actor: 'local', role: 'viewer', source: 'unix' };
    return { actor: actorOf(credentials.uid, readPasswd()), role: 'admin', source: 'unix' };
  }

  private caller(peer: string): Caller {
    const caller = this.callers.get(peer);
    if (!caller) throw new AppError('unavailable', 'the connection is gone');
    return caller;
  }
}
