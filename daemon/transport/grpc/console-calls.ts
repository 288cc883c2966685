import type {
  handleUnaryCall,
  Metadata,
  ServiceDefinition,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ConsoleServiceService, WatchResponse } from '../../../proto/gen/aicdn/v1/console.ts';
import { toStatus } from '../../../proto/link/error-map.ts';
import * as w from '../../../proto/link/wire.ts';
import type { Action, Caller } from '../../../proto/vocab/can.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Services } from '../../service/api.ts';
import type { Log } from '../../service/ports.ts';
import { authorise } from '../../service/write.ts';
import { type BackupCall, sendBackup } from './backup-stream.ts';
import { centreHandlers } from './centre-handlers.ts';
import { fleetHandlers } from './fleet-handlers.ts';
import { type FollowCall, followLogs } from './follow-logs.ts';
import { type Asks, admitted, type Open, type Unary } from './handler.ts';
import { remembering, whole } from './lost-keys.ts';
import { orderHandlers } from './order-handlers.ts';
import { peopleHandlers } from './people-handlers.ts';
import { rolloutHandlers } from './rollout-handlers.ts';
import { GrpcWatchSink, type WatchCall } from './watch-sink.ts';

/** What is needed of any call to know who makes it. */
export interface AskingCall {
  getPeer(): string;
  readonly metadata: Metadata;
}

/** The way in that calls come by. */
export interface Door {
  /** `unix`, or the address. @throws AppError when who comes by here may not even log in */
  remoteOf(call: AskingCall): string;
  /** Who is known without a token. */
  peerOf(call: AskingCall): Caller | null;
  /** A token was good: its connection is of somebody known. */
  known(call: AskingCall): void;
  /** The call keeps its connection; the returned function says that it is over. */
  busy(call: AskingCall): () => void;
}

export interface ConsoleCallsNeeds {
  readonly services: Omit<Services, 'agents'>;
  readonly log: Log;
  readonly door: Door;
}

/** How often it is looked whether those who watch still may. */
const LOOK_AGAIN_MS = 1000;

const serialize = (v: WatchResponse | Buffer): Buffer =>
  Buffer.isBuffer(v) ? v : Buffer.from(WatchResponse.encode(v).finish());

/** A watch's messages are encoded once for all. */
const METHODS: ServiceDefinition = {
  ...ConsoleServiceService,
  watch: { ...ConsoleServiceService.watch, responseSerialize: serialize },
};

/** The service as it is registered. */
export const CONSOLE_SERVICE: ServiceDefinition = Object.fromEntries(
  Object.entries(METHODS).map(([name, method]) => [
    name,
    { ...method, requestDeserialize: remembering(method.requestDeserialize) },
  ]),
);

interface Kept {
  readonly call: AskingCall;
  readonly action: Action;
  readonly fail: (error: AppError) => void;
}

/** The console's rpcs, whatever they come over. */
export class ConsoleCalls {
  private readonly needs: ConsoleCallsNeeds;
  private readonly sinks = new Set<GrpcWatchSink>();
  private readonly streams = new Set<Kept>();
  private timer: NodeJS.Timeout | null = null;

  constructor(needs: ConsoleCallsNeeds) {
    this.needs = needs;
  }

  implementation(): UntypedServiceImplementation {
    const s = this.needs.services;
    const u: Unary = (action, method, handle) => this.unary(action, method, handle);
    const open: Open = (method, handle) => this.open(method, handle);
    return {
      watch: ((call: WatchCall) => this.watch(call)) as UntypedHandleCall,
      followLogs: ((call: FollowCall) => this.follow(call)) as UntypedHandleCall,
      createBackup: ((call: BackupCall) => this.backup(call)) as UntypedHandleCall,
      ...centreHandlers(s, u),
      ...fleetHandlers(u, s),
      ...orderHandlers(u, s),
      ...peopleHandlers(u, open, s),
      ...rolloutHandlers(u, s),
    };
  }

  /** The watches end, in words. */
  endWatches(reason: string): void {
    for (const sink of this.sinks) sink.end(reason);
  }

  /**
   * A stream runs as long as its caller may: looked at again each second, so that one whose token expired, whose
   * session was ended or whose key was revoked is told `unauthenticated`.
   * @returns says that it is over
   */
  keep(call: AskingCall, action: Action, fail: (error: AppError) => void): () => void {
    const kept: Kept = { call, action, fail };
    this.streams.add(kept);
    this.timer ??= setInterval(() => this.lookAgain(), LOOK_AGAIN_MS);
    return () => {
      this.streams.delete(kept);
      if (this.streams.size > 0 || this.timer === null) return;
      clearInterval(this.timer);
      this.timer = null;
    };
  }

  private lookAgain(): void {
    for (const { call, action, fail } of [...this.streams]) {
      try {
        this.caller(call, action);
      } catch (error) {
        fail(error instanceof AppError ? error : new AppError('internal', String(error), { cause: error }));
      }
    }
  }

  /** A token that is shown counts, whoever the peer is. */
  private asks(call: AskingCall): Asks {
    const { door, services } = this.needs;
    const remote = door.remoteOf(call);
    const bearer = bearerOf(call.metadata);
    const callerOrNull = (): Caller | null => {
      if (bearer === null) return door.peerOf(call);
      const caller = services.people.authenticate(bearer, remote);
      door.known(call);
      return caller;
    };
    const caller = (): Caller => {
      const found = callerOrNull();
      if (found === null)
        throw new AppError('unauthenticated', 'nobody is logged in here; log in, or show an API key');
      return found;
    };
    return { remote, bearer, caller, callerOrNull };
  }

  private caller(call: AskingCall, action: Action | 'own'): Caller {
    const caller = this.asks(call).caller();
    if (action !== 'own') authorise(caller, action);
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
    action: Action | 'own',
    method: string,
    handle: (request: Q, caller: Caller) => Promise<R> | R,
  ): UntypedHandleCall {
    return this.handler<Q, R>(method, async (request, call) => {
      const caller = this.caller(call, 'own');
      if (action !== 'own') await admitted(this.needs.services.audit, caller, action, request as object);
      return handle(request, caller);
    });
  }

  private open<Q, R>(method: string, handle: (request: Q, asks: Asks) => Promise<R> | R): UntypedHandleCall {
    return this.handler<Q, R>(method, (request, call) => handle(request, this.asks(call)));
  }

  private handler<Q, R>(
    method: string,
    handle: (request: Q, call: AskingCall) => Promise<R> | R,
  ): UntypedHandleCall {
    const handler: handleUnaryCall<Q, R> = (call, reply) => {
      const over = this.needs.door.busy(call);
      // A throw before the first await must not pass the reply by.
      const run = async (): Promise<R> => {
        whole(call.request as object);
        return handle(call.request, call);
      };
      run()
        .then(
          (value) => reply(null, value),
          (error: unknown) => reply(this.fault(error, method)),
        )
        .finally(over);
    };
    return handler as UntypedHandleCall;
  }

  private follow(call: FollowCall): void {
    const idle = this.needs.door.busy(call);
    let released = (): void => {};
    const over = (): void => {
      released();
      idle();
    };
    for (const event of ['cancelled', 'error', 'close']) call.on(event, over);
    const fail = (error: unknown): void => {
      const status = this.fault(error, 'followLogs');
      call.emit('error', Object.assign(new Error(status.details), status));
    };
    try {
      const end = followLogs(call, this.caller(call, 'command.logs'), this.needs.services.commands);
      released = this.keep(call, 'command.logs', (error) => end(error.message));
    } catch (error) {
      fail(error);
    }
  }

  private backup(call: BackupCall): void {
    const idle = this.needs.door.busy(call);
    // A throw before the first await must not pass the call by.
    const run = async (): Promise<void> => {
      const parts = this.needs.services.backup.create(this.caller(call, 'own'), call.request);
      await sendBackup(call, parts);
    };
    run()
      .catch((error: unknown) => {
        const status = this.fault(error, 'createBackup');
        call.emit('error', Object.assign(new Error(status.details), status));
      })
      .finally(idle);
  }

  private watch(call: WatchCall): void {
    let subscription: ReturnType<Services['watch']['subscribe']> | null = null;
    const sink = new GrpcWatchSink(call, () => subscription?.drained());
    const idle = this.needs.door.busy(call);
    const released = this.keep(call, 'watch', (error) => {
      sink.fail(error);
      over();
    });
    const over = (): void => {
      sink.close();
      released();
      idle();
      this.sinks.delete(sink);
      subscription?.close();
      subscription = null;
    };
    call.on('cancelled', over);
    call.on('error', over);
    call.on('close', over);
    try {
      const caller = this.caller(call, 'watch');
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
}

/** `authorization: Bearer …` */
function bearerOf(metadata: Metadata): string | null {
  const [value] = metadata.get('authorization');
  if (typeof value !== 'string') return null;
  return /^bearer +([^ ]+) *$/i.exec(value)?.[1] ?? '';
}
