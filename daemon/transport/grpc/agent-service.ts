import type { AddressInfo } from 'node:net';
import {
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import {
  AgentServiceService,
  type ConnectRequest,
  type ConnectResponse,
  EnrollRequest,
  EnrollResponse,
} from '../../../proto/gen/aicdn/v1/agent.ts';
import { ConsoleServiceService } from '../../../proto/gen/aicdn/v1/console.ts';
import { decodeEnrol } from '../../../proto/link/codec-up.ts';
import { MOST_MESSAGE_BYTES } from '../../../proto/link/dial.ts';
import { toStatus } from '../../../proto/link/error-map.ts';
import { OfferPacker } from '../../../proto/link/packed-offer.ts';
import { buffer, stamp } from '../../../proto/link/wire.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import type { AgentEvents, EnrolmentService, Services } from '../../service/api.ts';
import type { Clock, Log, Random } from '../../service/ports.ts';
import { AgentSession, type Pace } from './agent-session.ts';
import type { AgentSessions } from './agent-sessions.ts';
import { answerOnce } from './answer-once.ts';
import { type AskingCall, CONSOLE_SERVICE, ConsoleCalls } from './console-calls.ts';
import { FanOut } from './fan-out.ts';
import { Intake } from './intake.ts';
import { type Connection, FleetListener, type ListenerSettings, type NodeConnection } from './listener.ts';
import type { RpcCall } from './rpc-call.ts';
import { RPC, RpcConnections } from './rpc-connections.ts';

export interface AgentTransportSettings {
  readonly listener: ListenerSettings;
  readonly storeId: string;
  /** Offered to every agent; stretched for large fleets. */
  readonly heartbeatMs: number;
  readonly reportMs: number;
  readonly rollbackMs?: number;
  readonly helloMs?: number;
}

export interface AgentTransportNeeds {
  readonly sessions: AgentSessions;
  readonly services: { readonly agents: AgentEvents; readonly enrolment: EnrolmentService };
  /** For operators who log in from elsewhere; without it there are only agents here. */
  readonly operators?: Omit<Services, 'agents'>;
  /** How many nodes there are, here or not; asked often. Absent: those who are here. */
  readonly fleet?: () => number;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

const CONSOLE_PATHS: ReadonlySet<string> = new Set(Object.values(ConsoleServiceService).map((m) => m.path));
/** Heartbeats a second the master takes. */
const MOST_HEARTBEATS = 500;

/**
 * The fleet's side of the master, on one TLS port. Who shows a node's certificate is served by `RpcConnections`: that is
 * what the master does all day. Everybody else is by grpc-js: who enrols, and operators who show a token.
 */
export class AgentTransport {
  readonly listener: FleetListener;
  private readonly grpc: Server;
  private readonly nodes: RpcConnections;
  private readonly settings: AgentTransportSettings;
  private readonly needs: AgentTransportNeeds;
  private readonly console: ConsoleCalls | null;
  private readonly fanOut = new FanOut({ monotonic: () => performance.now(), later: setImmediate });
  private readonly packer = new OfferPacker();
  private readonly intake = new Intake({
    later: (ms, work) => {
      const timer = setTimeout(work, ms);
      return () => clearTimeout(timer);
    },
  });

  constructor(settings: AgentTransportSettings, needs: AgentTransportNeeds) {
    this.settings = settings;
    this.needs = needs;
    this.grpc = new Server({
      'grpc.max_receive_message_length': MOST_MESSAGE_BYTES,
      'grpc.max_send_message_length': -1, // lists that operators ask for; what agents are sent is bounded where it is made
      'grpc.keepalive_time_ms': RPC.pingAfterMs,
      'grpc.keepalive_timeout_ms': RPC.answerMs,
      'grpc.max_concurrent_streams': RPC.mostCalls,
    });
    this.grpc.addService(AgentServiceService, {
      enroll: ((call, reply) => void this.enroll(call, reply)) satisfies Enroll as UntypedHandleCall,
      connect: ((call: StrangersCall) => this.refuseSession(call)) as UntypedHandleCall,
    });
    this.nodes = new RpcConnections({ ...RPC, mostBytes: MOST_MESSAGE_BYTES });
    this.console = needs.operators ? this.consoleOf(needs.operators) : null;
    this.listener = new FleetListener(settings.listener, {
      grpc: this.grpc,
      node: (socket, connection) =>
        this.nodes.serve(socket, (path, call) => this.called(path, call, connection)),
      log: needs.log,
      clock: needs.clock,
    });
  }

  start(): Promise<AddressInfo> {
    return this.listener.start();
  }

  stopAccepting(): void {
    this.listener.stopAccepting();
  }

  /** Tells the agents to come back later, then closes everything. */
  async stop(): Promise<void> {
    this.listener.stopAccepting();
    this.console?.endWatches('the master is stopping');
    this.needs.sessions.dismissAll('the master is stopping', 1000);
    this.nodes.drain();
    await this.listener.drain(1000);
    this.grpc.forceShutdown();
  }

  /** Stretched together: reports cost more than heartbeats do. */
  private pace(): Pace {
    const { heartbeatMs, reportMs } = this.settings;
    const nodes = Math.max(this.needs.sessions.size, this.needs.fleet?.() ?? 0);
    const least = Math.ceil((nodes * 1000) / MOST_HEARTBEATS);
    return { heartbeatMs: Math.max(heartbeatMs, least), reportMs: Math.max(reportMs, least) };
  }

  private consoleOf(services: Omit<Services, 'agents'>): ConsoleCalls {
    const calls = new ConsoleCalls({
      services,
      log: this.needs.log,
      door: {
        // As people write it, not as a socket for both families does.
        remoteOf: (call) => this.operator(call).remote.replace(/^::ffff:(?=\d+\.)/, ''),
        peerOf: () => null,
        known: (call) => this.operator(call).known(),
        busy: (call) => this.listener.connection(call.getPeer())?.busy() ?? (() => {}),
      },
    });
    this.grpc.addService(CONSOLE_SERVICE, calls.implementation());
    return calls;
  }

  /** @throws AppError: a node is no operator, whatever token it shows */
  private operator(call: AskingCall): Connection {
    const connection = this.listener.connection(call.getPeer());
    if (!connection) throw new AppError('unavailable', 'the connection is gone');
    const who = connection.identity;
    if (who.kind === 'node') throw notForNodes(who.name);
    if (who.shown) throw new AppError('unauthenticated', who.reason);
    return connection;
  }

  /** Of one whose certificate is a node's. */
  private called(path: string, call: RpcCall, connection: NodeConnection): void {
    if (path === AgentServiceService.connect.path) this.connect(call, connection);
    else if (path === AgentServiceService.enroll.path) {
      // It has a certificate, and wants another by a token.
      answerOnce(call, async (request) =>
        EnrollResponse.encode(await this.enrolled(connection, readEnroll(request))).finish(),
      );
    } else if (CONSOLE_PATHS.has(path)) call.fail(notForNodes(connection.identity.name));
    else call.fail(new AppError('unsupported', `there is no ${path} here`));
  }

  private async enroll(
    call: ServerUnaryCall<EnrollRequest, EnrollResponse>,
    reply: sendUnaryData<EnrollResponse>,
  ): Promise<void> {
    try {
      reply(null, await this.enrolled(this.listener.connection(call.getPeer()), call.request));
    } catch (error) {
      reply(toStatus(error));
    }
  }

  /** @throws AppError */
  private async enrolled(
    connection: Connection | undefined,
    request: EnrollRequest,
  ): Promise<EnrollResponse> {
    const done = connection?.busy();
    try {
      if (!connection) throw new AppError('unavailable', 'the connection is gone');
      const args = decodeEnrol(request);
      const who = connection.identity;
      if (who.kind === 'node' && who.name !== args.name) {
        throw new AppError('forbidden', `the certificate is of ${who.name}, the request names ${args.name}`);
      }
      const { node, issued, renewAfter } = await this.needs.services.enrolment.enrol({
        ...args,
        remote: connection.remote,
      });
      this.needs.log.info('enrolled', { node, address: connection.remote });
      return { certificateChainDer: issued.chainDer.map(buffer), node, renewAfter: stamp(renewAfter) };
    } catch (error) {
      this.blame(connection, error, 'enrolment', { name: request.name.slice(0, 64) });
      throw error;
    } finally {
      done?.();
    }
  }

  private connect(call: RpcCall, connection: Connection): void {
    try {
      const { name, renewOnly } = this.admitted(connection);
      const done = connection.busy();
      const { sessions, services, log, clock, random } = this.needs;
      const { fanOut, packer, intake } = this;
      new AgentSession(
        {
          storeId: this.settings.storeId,
          rollbackMs: this.settings.rollbackMs ?? 120_000,
          helloMs: this.settings.helloMs ?? 10_000,
          reportMs: this.settings.reportMs,
        },
        {
          name,
          renewOnly,
          remote: connection.remote,
          call,
          events: services.agents,
          enrolment: services.enrolment,
          log,
          clock,
          random,
          fanOut,
          packer,
          intake,
          pace: () => this.pace(),
          live: (session) => sessions.enter(session),
          over: (session) => {
            sessions.leave(session);
            done();
          },
        },
      );
    } catch (error) {
      this.blame(connection, error, 'session');
      call.fail(error);
    }
  }

  /** Told why in words: TLS would say nothing. */
  private refuseSession(call: StrangersCall): void {
    const connection = this.listener.connection(call.getPeer());
    try {
      this.admitted(connection);
      throw new AppError('internal', 'a node among those who are none');
    } catch (error) {
      this.blame(connection, error, 'session');
      call.on('error', () => {});
      call.emit('error', Object.assign(new Error('refused'), toStatus(error)));
    }
  }

  /** @throws AppError `unauthenticated`: what is wrong with the certificate, in words */
  private admitted(connection: Connection | undefined) {
    if (!connection) throw new AppError('unavailable', 'the connection is gone');
    const who = connection.identity;
    if (who.kind === 'nobody') throw new AppError('unauthenticated', who.reason);
    const verdict = this.needs.services.enrolment.admit(who.name, who.serial);
    switch (verdict) {
      case 'ok':
        return who;
      case 'unknown':
        throw new AppError('unauthenticated', `no node ${who.name} is known here; join it with a token`);
      case 'revoked':
        throw new AppError('unauthenticated', `the certificate of ${who.name} is revoked`);
      case 'replaced':
        throw new AppError('unauthenticated', `the certificate of ${who.name} was replaced by a newer one`);
    }
  }

  /** Refusals are counted with the address; faults of our own are errors with their text. */
  private blame(
    connection: Connection | undefined,
    error: unknown,
    at: 'enrolment' | 'session',
    fields: Record<string, unknown> = {},
  ): void {
    const who = connection?.identity;
    const all = { ...fields, ...(who?.kind === 'node' ? { node: who.name } : {}) };
    if (error instanceof AppError && error.code !== 'internal') {
      this.listener.refused(at, connection?.remote ?? 'unknown', error.message, all);
    } else {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.needs.log.error(`${at} failed`, { ...all, error: text });
    }
  }
}

type Enroll = (
  call: ServerUnaryCall<EnrollRequest, EnrollResponse>,
  reply: sendUnaryData<EnrollResponse>,
) => void;

type StrangersCall = ServerDuplexStream<ConnectRequest, ConnectResponse>;

/** @throws AppError */
function readEnroll(bytes: Buffer): EnrollRequest {
  try {
    return EnrollRequest.decode(bytes);
  } catch (error) {
    throw new AppError('invalid', `these bytes are no message: ${String(error)}`);
  }
}

function notForNodes(name: NodeName): AppError {
  return new AppError('forbidden', `this is node ${name}: a node's certificate is no way to the console`);
}
