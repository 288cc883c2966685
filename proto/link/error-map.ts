import { Metadata, type ServiceError, status as Status, type StatusObject } from '@grpc/grpc-js';
import { AppError, ERROR_CODES, type ErrorCode } from '../vocab/errors.ts';
import type { Refusal } from '../vocab/node.ts';
import { safeText } from '../vocab/safe-text.ts';

// ErrorCode ⇄ gRPC status: the one table. Refusals travel in a trailing header, bounded, so that whoever sent a
// document gets its lines and columns back.

const TO_STATUS: Readonly<Record<ErrorCode, Status>> = {
  invalid: Status.INVALID_ARGUMENT,
  not_found: Status.NOT_FOUND,
  conflict: Status.ABORTED,
  unauthenticated: Status.UNAUTHENTICATED,
  forbidden: Status.PERMISSION_DENIED,
  precondition: Status.FAILED_PRECONDITION,
  too_large: Status.RESOURCE_EXHAUSTED,
  unavailable: Status.UNAVAILABLE,
  timeout: Status.DEADLINE_EXCEEDED,
  unsupported: Status.UNIMPLEMENTED,
  internal: Status.INTERNAL,
};

/** Statuses only gRPC itself makes. */
const FROM_OTHERS: Readonly<Partial<Record<Status, ErrorCode>>> = {
  [Status.ALREADY_EXISTS]: 'conflict',
  [Status.OUT_OF_RANGE]: 'invalid',
  [Status.CANCELLED]: 'unavailable',
};

const FROM_STATUS = new Map<Status, ErrorCode>(ERROR_CODES.map((c) => [TO_STATUS[c], c]));

const RETRY_KEY = 'aicdn-retry-after-ms';
const REFUSALS_KEY = 'aicdn-refusals-bin';
/** Headers are small: HTTP/2 peers allow 8-16 KiB for all of them, and binary ones grow by a third. */
const MOST_REFUSAL_BYTES = 4096;
const LONGEST_DETAILS = 1024;

/** What goes over the wire for a fault. The text of one that is not an AppError stays here, for the log. */
export function toStatus(error: unknown): Pick<StatusObject, 'code' | 'details' | 'metadata'> {
  const metadata = new Metadata();
  if (!(error instanceof AppError) || error.code === 'internal') {
    return { code: Status.INTERNAL, details: "internal fault; the master's log has its text", metadata };
  }
  if (error.retryAfterMs !== null) metadata.set(RETRY_KEY, String(Math.ceil(error.retryAfterMs)));
  if (error.refusals.length > 0) metadata.set(REFUSALS_KEY, packRefusals(error.refusals));
  return {
    code: TO_STATUS[error.code],
    details: safeText(error.message, { max: LONGEST_DETAILS, newline: 'keep' }),
    metadata,
  };
}

/** As many of the first refusals as fit; at least the place of the first one. */
function packRefusals(refusals: readonly Refusal[]): Buffer {
  let kept = refusals.slice(0, 32);
  for (;;) {
    const bytes = Buffer.from(JSON.stringify(kept));
    if (bytes.length <= MOST_REFUSAL_BYTES) return bytes;
    const first = kept[0];
    if (kept.length > 1 || !first) kept = kept.slice(0, Math.floor(kept.length / 2));
    else kept = [shortened(first)];
  }
}

function shortened(r: Refusal): Refusal {
  return {
    code: r.code.slice(0, 64),
    message: r.message.slice(0, 256),
    ...(r.line ? { line: r.line } : {}),
    ...(r.column ? { column: r.column } : {}),
    ...(r.path ? { path: r.path.slice(0, 128) } : {}),
    ...(r.hint ? { hint: r.hint.slice(0, 128) } : {}),
  };
}

function unpackRefusals(metadata: Metadata | undefined): readonly Refusal[] {
  const packed = metadata?.get(REFUSALS_KEY)[0];
  if (!Buffer.isBuffer(packed) || packed.length > MOST_REFUSAL_BYTES) return [];
  try {
    const list: unknown = JSON.parse(packed.toString('utf8'));
    return Array.isArray(list) ? list.flatMap(readRefusal) : [];
  } catch {
    return [];
  }
}

function readRefusal(value: unknown): Refusal[] {
  if (typeof value !== 'object' || value === null) return [];
  const v = value as Partial<Record<keyof Refusal, unknown>>;
  if (typeof v.code !== 'string' || typeof v.message !== 'string') return [];
  return [
    {
      code: v.code,
      message: v.message,
      ...(Number.isSafeInteger(v.line) ? { line: v.line as number } : {}),
      ...(Number.isSafeInteger(v.column) ? { column: v.column as number } : {}),
      ...(typeof v.path === 'string' ? { path: v.path } : {}),
      ...(typeof v.hint === 'string' ? { hint: v.hint } : {}),
    },
  ];
}

function unpackRetry(metadata: Metadata | undefined): number | null {
  const text = metadata?.get(RETRY_KEY)[0];
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number';
}

/** What a caller gets for a failed call, with the refusals that came along. */
export function fromServiceError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!isServiceError(error)) return new AppError('internal', String(error), { cause: error });
  const code = FROM_STATUS.get(error.code) ?? FROM_OTHERS[error.code] ?? 'internal';
  const retryAfterMs = unpackRetry(error.metadata);
  return new AppError(code, error.details || error.message, {
    cause: error,
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    refusals: unpackRefusals(error.metadata),
  });
}
