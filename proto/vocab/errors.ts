import type { Refusal } from './node.ts';

/** Few codes; each transport maps them by one table. Unknown faults are `internal`, their text stays in the log. */
export const ERROR_CODES = [
  'invalid', // the request makes no sense as it stands
  'not_found',
  'conflict', // exists with other content, or `if_revision` is not the entity's
  'unauthenticated',
  'forbidden',
  'precondition', // makes sense, not now; the message says what would make it possible
  'too_large',
  'unavailable', // try again later
  'timeout',
  'unsupported', // this engine or this build does not carry it
  'internal',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export class AppError extends Error {
  readonly code: ErrorCode;
  /** Places inside what was sent, for `invalid`. */
  readonly refusals: readonly Refusal[];
  /** With `unavailable`: not before this is it worth another try. `null`: not said. */
  readonly retryAfterMs: number | null;

  constructor(
    code: ErrorCode,
    message: string,
    more: { cause?: unknown; refusals?: readonly Refusal[]; retryAfterMs?: number } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'AppError';
    this.code = code;
    this.refusals = more.refusals ?? [];
    this.retryAfterMs = more.retryAfterMs ?? null;
  }
}

/** `line 63, column 106: hops[0].nodes[2].dialer.tls.secure: must be true or false (write secure: true)` */
export function formatRefusal(r: Refusal): string {
  const at = r.line ? `line ${r.line}, column ${r.column ?? 1}: ` : '';
  return `${at}${r.path ? `${r.path}: ` : ''}${r.message}${r.hint ? ` (${r.hint})` : ''}`;
}
