import type { UntypedHandleCall } from '@grpc/grpc-js';
import * as w from '../../../proto/link/wire.ts';
import type { Action, Caller } from '../../../proto/vocab/can.ts';
import type { Mutation } from '../../service/api.ts';

export const LONGEST_REASON = 1024;

/** Makes a call of a handler: who asks is known and allowed to, what it throws becomes a status. */
export type Unary = <Q, R>(
  action: Action,
  method: string,
  handle: (request: Q, caller: Caller) => Promise<R> | R,
) => UntypedHandleCall;

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
