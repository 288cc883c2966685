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
import { centreHandlers } from './centre-handlers.ts';
import { fleetHandlers } from './fleet-handlers.ts';
import { type FollowCall, followLogs } from './follow-logs.ts';
import type { Unary } from './handler.ts';
import { orderHandlers } from './order-handlers.ts';
import { GrpcWatchSink, type WatchCall } from './watch-sink.ts';

/** What a handler needs of any call to know who makes it. */
export interface AskingCall {
  getPeer(): string;
  readonly metadata: Metadata;
}

export interface ConsoleCallsNeeds {
  readonly services: Omit<Services, 'agents'>;
  readonly log: Log;
  /** @throws AppError `unauthenticated`; `unavailable` when the connection is gone */
  callerOf(call: AskingCall): Caller;
}

const serialize = (v: WatchResponse | Buffer): Buffer =>
  Buffer.isBuffer(v) ? v : Buffer.from(WatchResponse.encode(v).finish());

/** The service as it is registered: a watch's messages are encoded once for all. */
export const CONSOLE_SERVICE: ServiceDefinition = {
  ...ConsoleServiceService,
  watch: { ...ConsoleServiceService.watch, responseSerialize: serialize },
};

/** The console's rpcs, whatever they come over. */
export class ConsoleCalls {
  private readonly needs: ConsoleCallsNeeds;
  private readonly sinks = new Set<GrpcWatchSink>();

  constructor(needs: ConsoleCallsNeeds) {
    this.needs = needs;
  }

  implementation(): UntypedServiceImplementation {
    const s = this.needs.services;
    const u: Unary = (action, method, handle) => this.unary(action, method, handle);
    return {
      watch: ((call: WatchCall) => this.watch(call)) as UntypedHandleCall,
      followLogs: ((call: FollowCall) => this.follow(call)) as UntypedHandleCall,
      ...centreHandlers(s, u),
      ...fleetHandlers(u, s),
      ...orderHandlers(u, s),
    };
  }

  /** The watches end, in words. */
  endWatches(reason: string): void {
    for (const sink of this.sinks) sink.end(reason);
  }

  private caller(call: AskingCall, action: Action | null): Caller {
    const caller = this.needs.callerOf(call);
    if (action !== null) authorise(caller, action);
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
    action: Action | null,
    method: string,
    handle: (request: Q, caller: Caller) => Promise<R> | R,
  ): UntypedHandleCall {
    const handler: handleUnaryCall<Q, R> = (call, reply) => {
      // A throw before the first await must not pass the reply by.
      const run = async (): Promise<R> => handle(call.request, this.caller(call, action));
      run().then(
        (value) => reply(null, value),
        (error: unknown) => reply(this.fault(error, method)),
      );
    };
    return handler as UntypedHandleCall;
  }

  private follow(call: FollowCall): void {
    try {
      followLogs(call, this.caller(call, 'command.logs'), this.needs.services.commands);
    } catch (error) {
      const status = this.fault(error, 'followLogs');
      call.emit('error', Object.assign(new Error(status.details), status));
    }
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
