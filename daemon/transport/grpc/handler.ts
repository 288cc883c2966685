import type { UntypedHandleCall } from '@grpc/grpc-js';
import * as w from '../../../proto/link/wire.ts';
import { type Action, type Caller, may } from '../../../proto/vocab/can.ts';
import type { AuditService, Mutation } from '../../service/api.ts';
import { authorise } from '../../service/write.ts';

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
const LONGEST_REQUEST_ID = 128;

export function orNull(value: string): string | null {
  return value === '' ? null : value;
}

export function mutation(
  q: { requestId: string; reason: string; ifRevision: bigint },
  caller: Caller,
): Mutation {
  return {
    caller,
    requestId: w.required(q.requestId, 'request_id', LONGEST_REQUEST_ID),
    reason: w.text(q.reason, 'reason', LONGEST_REASON),
    ifRevision: q.ifRevision === 0n ? null : w.int(q.ifRevision, 'if_revision'),
  };
}

/** A change that the caller may not make is on the record before the refusal. @throws AppError `forbidden` */
export async function admitted(
  audit: Pick<AuditService, 'denied'>,
  caller: Caller,
  action: Action,
  request: { readonly requestId?: unknown },
): Promise<void> {
  if (may(caller, action)) return;
  const { requestId } = request;
  if (typeof requestId === 'string') {
    const what = { action, subject: '', requestId: requestId.slice(0, LONGEST_REQUEST_ID) };
    await audit.denied(caller, what);
  }
  authorise(caller, action);
}
