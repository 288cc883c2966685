import type { Server as NetServer, Socket } from 'node:net';
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type * as g from '../../../proto/gen/aicdn/v1/console.ts';
import { ConsoleServiceService, WatchResponse } from '../../../proto/gen/aicdn/v1/console.ts';
import * as c from '../../../proto/link/codec-console.ts';
import { encodeNodeDetail } from '../../../proto/link/codec-watch.ts';
import { MOST_MESSAGE_BYTES } from '../../../proto/link/dial.ts';
import { toStatus } from '../../../proto/link/error-map.ts';
import * as w from '../../../proto/link/wire.ts';
import type { Action, Caller } from '../../../proto/vocab/can.ts';
import { COMMAND_TYPES } from '../../../proto/vocab/command.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { CommandId, Fingerprint, SilenceId } from '../../../proto/vocab/ids.ts';
import { NODE_TYPES } from '../../../proto/vocab/node.ts';
import type { Services } from '../../service/api.ts';
import type { Log } from '../../service/ports.ts';
import { authorise } from '../../service/write.ts';
import { centreHandlers } from './centre-handlers.ts';
import { type ConnectionInjector, drainConnections } from './drain.ts';
import { listenLocal } from './local-socket.ts';
import { LONGEST_REASON, mutation, orNull } from './mutation.ts';
import { actorOf, type ReadPeer, readPasswd } from './peercred.ts';
import { GrpcWatchSink, type WatchCall } from './watch-sink.ts';

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
  private readonly sinks = new Set<GrpcWatchSink>();
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
    const serialize = (v: WatchResponse | Buffer): Buffer =>
      Buffer.isBuffer(v) ? v : Buffer.from(WatchResponse.encode(v).finish());
    this.grpc.addService(
      { ...ConsoleServiceService, watch: { ...ConsoleServiceService.watch, responseSerialize: serialize } },
      this.handlers(),
    );
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
    for (const sink of this.sinks) sink.end('the master is stopping');
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

  /** The socket's mode lets in whom it should; the credentials say which of them it is. */
  private identify(socket: Socket): Caller {
    const credentials = this.needs.readPeer(socket);
    const actor = credentials ? actorOf(credentials.uid, readPasswd()) : 'local';
    return { actor, role: 'admin', source: 'unix' };
  }

  private caller(peer: string, action: Action): Caller {
    const caller = this.callers.get(peer);
    if (!caller) throw new AppError('unavailable', 'the connection is gone');
    authorise(caller, action);
    return caller;
  }

  private fault(error: unknown, method: string): ReturnType<typeof toStatus> {
    if (!(error instanceof AppError) || error.code === 'internal') {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.needs.log.error('call failed', { method, error: text });
    } else {
      this.needs.log.info('call refused', { method, code: error.code, error: error.message });
    }
    return toStatus(error);
  }

  private unary<Q, R>(
    action: Action,
    method: string,
    handle: (request: Q, caller: Caller) => Promise<R> | R,
  ): UntypedHandleCall {
    const handler: handleUnaryCall<Q, R> = (call, reply) => {
      // A throw before the first await must not pass the reply by.
      const run = async (): Promise<R> => handle(call.request, this.caller(call.getPeer(), action));
      run().then(
        (value) => reply(null, value),
        (error: unknown) => reply(this.fault(error, method)),
      );
    };
    return handler as UntypedHandleCall;
  }

  private watch(call: WatchCall): void {
    let subscription: ReturnType<Services['watch']['subscribe']> | null = null;
    const sink = new GrpcWatchSink(call, () => subscription?.drained());
    const over = (): void => {
      sink.close();
      this.sinks.delete(sink);
      subscription?.close();
      subscription = null;
    };
    call.on('cancelled', over);
    call.on('error', over);
    call.on('close', over);
    try {
      const caller = this.caller(call.getPeer(), 'watch');
      const { sinceRevision, storeId, client } = call.request;
      this.sinks.add(sink);
      subscription = this.needs.services.watch.subscribe(
        caller,
        {
          sinceRevision: storeId === '' ? null : w.int(sinceRevision, 'since_revision'),
          storeId: storeId === '' ? null : w.text(storeId, 'store_id', w.LONGEST.word),
          client: w.text(client, 'client', w.LONGEST.word),
        },
        sink,
      );
    } catch (error) {
      const status = this.fault(error, 'watch');
      over();
      call.emit('error', Object.assign(new Error(status.details), status));
    }
  }

  private handlers(): UntypedServiceImplementation {
    const s = this.needs.services;
    const u = this.unary.bind(this) as typeof this.unary;
    return {
      ...centreHandlers(s, u),
      watch: ((call: WatchCall) => this.watch(call)) as UntypedHandleCall,
      look: u('watch', 'look', (q: g.LookRequest): g.LookResponse => {
        s.watch.look(w.required(q.watchId, 'watch_id'), w.nodeNames(q.nodes, 512, 'nodes'));
        return {};
      }),
      getNodeDetail: u('watch', 'getNodeDetail', (q: g.GetNodeDetailRequest) =>
        encodeNodeDetail(s.nodes.detail(w.required(q.name, 'name'))),
      ),
      getConfigVersion: u('watch', 'getConfigVersion', async (q: g.GetConfigVersionRequest, caller) => {
        const { version, body } = await s.configs.get(caller, w.required(q.label, 'label'));
        return { version: c.encodeVersion(version), body: w.buffer(body) };
      }),
      listConfigVersions: u('watch', 'listConfigVersions', (_: g.ListConfigVersionsRequest) => ({
        versions: s.configs.list().map(c.encodeVersion),
      })),
      listNodes: u('watch', 'listNodes', (_: g.ListNodesRequest): g.ListNodesResponse => {
        const { nodes, vitals, revision } = s.nodes.list();
        return {
          nodes: nodes.map(c.encodeNode),
          vitals: vitals.map(c.encodeVitals),
          revision: w.big(revision, 'revision'),
        };
      }),
      listAlerts: u('watch', 'listAlerts', (_: g.ListAlertsRequest) => ({
        alerts: s.alerts.list().map(c.encodeAlert),
        silences: s.silences.list().map(c.encodeSilence),
      })),
      getCommand: u('watch', 'getCommand', (q: g.GetCommandRequest) => ({
        command: c.encodeTask(s.commands.get(w.required(q.id, 'id') as CommandId)),
      })),
      previewSilence: u('watch', 'previewSilence', (q: g.PreviewSilenceRequest): g.PreviewSilenceResponse => {
        const p = s.silences.preview(c.decodeMatchers(q.matchers));
        return {
          wouldSilence: p.wouldSilence.map(c.encodeAlert),
          wouldNotSilence: p.wouldNotSilence.map(c.encodeAlert),
          nodes: [...p.nodes],
          totalNodes: p.totalNodes,
          asksTwice: p.asksTwice,
        };
      }),
      previewRollback: u('watch', 'previewRollback', async (q: g.PreviewRollbackRequest) => {
        const p = await s.configs.previewRollback({
          label: w.required(q.label, 'label'),
          target: c.decodeTarget(q.target),
        });
        return { toLabel: p.toLabel, newLabel: p.newLabel, nodes: [...p.nodes], streams: p.streams };
      }),
      createConfigVersion: u(
        'config.create',
        'createConfigVersion',
        async (q: g.CreateConfigVersionRequest, caller) => {
          const r = await s.configs.create(mutation(q, caller), {
            label: orNull(w.text(q.label, 'label', w.LONGEST.word)),
            description: w.text(q.description, 'description', LONGEST_REASON),
            body: q.body,
            parent: orNull(w.text(q.parent, 'parent', w.LONGEST.word)),
          });
          return { revision: w.big(r.revision, 'revision'), version: c.encodeVersion(r.version) };
        },
      ),
      publishConfigVersion: u(
        'config.publish',
        'publishConfigVersion',
        async (q: g.PublishConfigVersionRequest, caller) => {
          const r = await s.configs.publish(mutation(q, caller), {
            label: w.required(q.label, 'label'),
            target: c.decodeTarget(q.target),
            dryRun: q.dryRun,
          });
          return {
            revision: w.big(r.revision, 'revision'),
            version: c.encodeVersion(r.version),
            nodes: [...r.nodes],
          };
        },
      ),
      rollbackConfig: u('config.rollback', 'rollbackConfig', async (q: g.RollbackConfigRequest, caller) => {
        const r = await s.configs.rollback(mutation(q, caller), {
          label: w.required(q.label, 'label'),
          target: c.decodeTarget(q.target),
          confirmNodes: q.confirmNodes === 0 ? null : q.confirmNodes,
        });
        return {
          revision: w.big(r.revision, 'revision'),
          version: c.encodeVersion(r.version),
          nodes: [...r.nodes],
        };
      }),
      runCommand: u('command.reload', 'runCommand', async (q: g.RunCommandRequest, caller) => {
        const r = await s.commands.run(mutation(q, caller), {
          type: w.oneOf(q.type, COMMAND_TYPES, 'type'),
          target: c.decodeTarget(q.target),
          timeoutMs: q.timeoutMs === 0 ? null : q.timeoutMs,
          expiresMs: q.expiresMs === 0 ? null : q.expiresMs,
          dryRun: q.dryRun,
        });
        return {
          revision: w.big(r.revision, 'revision'),
          command: c.encodeTask(r.command),
          nodes: [...r.nodes],
        };
      }),
      createSilence: u('silence.create', 'createSilence', async (q: g.CreateSilenceRequest, caller) => {
        const r = await s.silences.create(mutation(q, caller), {
          matchers: c.decodeMatchers(q.matchers),
          alert: orNull(
            w.text(q.alertFingerprint, 'alert_fingerprint', w.LONGEST.word),
          ) as Fingerprint | null,
          startsAt: w.millisOrNull(q.startsAt, 'starts_at'),
          endsAt: w.millis(q.endsAt, 'ends_at'),
          comment: w.text(q.comment, 'comment', LONGEST_REASON),
        });
        return { revision: w.big(r.revision, 'revision'), silence: c.encodeSilence(r.silence) };
      }),
      expireSilence: u('silence.expire', 'expireSilence', async (q: g.ExpireSilenceRequest, caller) => {
        const r = await s.silences.expire(mutation(q, caller), w.required(q.id, 'id') as SilenceId);
        return { revision: w.big(r.revision, 'revision'), silence: c.encodeSilence(r.silence) };
      }),
      createJoinToken: u('token.create', 'createJoinToken', async (q: g.CreateJoinTokenRequest, caller) => {
        const r = await s.enrolment.createToken(mutation(q, caller), {
          nodeType: w.oneOf(q.nodeType, NODE_TYPES, 'node_type'),
          region: w.required(q.region, 'region'),
          name: orNull(w.text(q.name, 'name', w.LONGEST.word)),
          ttlMs: q.ttlS === 0 ? null : q.ttlS * 1000,
        });
        return {
          revision: w.big(r.revision, 'revision'),
          token: r.token,
          expiresAt: w.stamp(r.expiresAt),
          joinCommand: r.joinCommand,
        };
      }),
    };
  }
}
