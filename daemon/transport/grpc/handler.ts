import type { UntypedHandleCall } from '@grpc/grpc-js';
import * as w from '../../../proto/link/wire.ts';
import type { Action, Caller } from '../../../proto/vocab/can.ts';
import type { Mutation } from '../../service/api.ts';

/**
 * Makes a handler of one rpc: who asks is found out and authorised before it runs. `own`: whoever is known, for what
 * everybody may do to their own, or where the service says who may what is asked.
 */
export type Unary = <Q, R>(
  action: Action | 'own',
  method: string,
  handle: (request: Q, caller: Caller) => Promise<R> | R,
) => UntypedHandleCall;

/** Of a call that needs no credentials. */
export interface Asks {
  /** `unix`, or the address. */
  readonly remote: string;
  /** The token it shows. */
  readonly bearer: string | null;
  /** @throws AppError `unauthenticated` */
  caller(): Caller;
  /** `null`: nobody is known yet. @throws AppError `unauthenticated` for a token that is not good */
  callerOrNull(): Caller | null;
}

/** Makes a handler of one rpc that is there for those who are not logged in yet. */
export type Open = <Q, R>(
  method: string,
  handle: (request: Q, asks: Asks) => Promise<R> | R,
) => UntypedHandleCall;

export const LONGEST_REASON = 1024;

export function orNull(value: string): string | null {
  return value === '' ? null : value;
}

export function mutation(
  q: { requestId: string; reason: string; ifRevision: bigint },
  caller: Caller,
): Mutation {
  return {
    caller,
    requestId: w.required(q.requestId, 'request_id', 128),
    reason: w.text(q.reason, 'reason', LONGEST_REASON),
    ifRevision: q.ifRevision === 0n ? null : w.int(q.ifRevision, 'if_revision'),
  };
}
