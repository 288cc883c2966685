import { z } from 'zod';
import { AppError, ERROR_CODES, type ErrorCode } from '../../../proto/vocab/errors.ts';
import { safeText } from '../../../proto/vocab/safe-text.ts';
import { StaleRevision } from '../../service/write.ts';
import { Refusal } from './shapes.ts';

/** What only HTTP can be wrong about. */
const HTTP_CODES = [
  'stale', // If-Match names another state of the entity than there is
  'gone', // the changes since that revision are not kept any more
  'throttled',
  'method_not_allowed',
  'not_acceptable',
  'unsupported_media_type',
] as const;
export type ProblemCode = ErrorCode | (typeof HTTP_CODES)[number];
export const PROBLEM_CODES: readonly ProblemCode[] = [...ERROR_CODES, ...HTTP_CODES];

/** code -> status and title: the one table. */
export const PROBLEMS: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  invalid: [400, 'The request makes no sense as it stands'],
  unauthenticated: [401, 'Who asks is not known'],
  forbidden: [403, 'Not allowed'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  not_acceptable: [406, 'No such representation'],
  conflict: [409, 'In conflict with what there is'],
  precondition: [409, 'Not now'],
  gone: [410, 'Not kept any more'],
  stale: [412, 'It has changed meanwhile'],
  too_large: [413, 'Too large'],
  unsupported_media_type: [415, 'Media type not supported'],
  unsupported: [422, 'Not carried here'],
  throttled: [429, 'Too many requests'],
  internal: [500, 'Internal fault'],
  unavailable: [503, 'Try again later'],
  timeout: [504, 'It took too long'],
};

/** RFC 9457. `code` is the word to decide by; `title` and `detail` are for people. */
export const Problem = z
  .object({
    type: z.string().describe('urn:ai-cdn:problem:<code>'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().describe('the path that was asked'),
    code: z.enum(PROBLEM_CODES as [ProblemCode, ...ProblemCode[]]),
    request_id: z.string().describe("as in X-Request-Id and in the master's log"),
    refusals: z.array(Refusal).optional().describe('places in what was sent'),
  })
  .meta({ id: 'Problem' });
type Problem = z.output<typeof Problem>;

/** A refusal of the transport's own, before or beside a service. */
export class HttpRefusal extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly refusals: readonly z.output<typeof Refusal>[];

  constructor(
    code: ProblemCode,
    detail: string,
    more: { headers?: Record<string, string>; refusals?: readonly z.output<typeof Refusal>[] } = {},
  ) {
    super(detail);
    this.code = code;
    this.headers = more.headers ?? {};
    this.refusals = more.refusals ?? [];
  }
}

const LONGEST_DETAIL = 1024;
const LONGEST_INSTANCE = 256;
const MOST_REFUSALS = 64;
const CHALLENGE = { 'www-authenticate': 'Bearer realm="ai-cdn"' };
const AGAIN_S = 1;

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Problem;
}

/** The text of a fault that nobody foresaw stays in the log. */
export function toProblem(error: unknown, at: { url: string; requestId: string }): ProblemAnswer {
  const { code, detail, headers, refusals } = read(error);
  const [status, title] = PROBLEMS[code];
  return {
    status,
    headers: { ...(code === 'unauthenticated' ? CHALLENGE : {}), ...headers },
    body: {
      type: `urn:ai-cdn:problem:${code}`,
      title,
      status,
      detail: safeText(detail, { max: LONGEST_DETAIL, newline: 'keep' }),
      instance: safeText(at.url.split('?', 1)[0] ?? '', { max: LONGEST_INSTANCE }),
      code,
      request_id: at.requestId,
      ...(refusals.length > 0 ? { refusals: refusals.slice(0, MOST_REFUSALS) } : {}),
    },
  };
}

interface Read {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly refusals: readonly z.output<typeof Refusal>[];
}

/** What fastify itself refuses, in our words: its own say how it is built. */
const FASTIFY: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['too_large', 'the body is too large: 256 KiB at most'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'send the body as application/json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid', 'the body is not as long as Content-Length says'],
  FST_ERR_BAD_URL: ['invalid', 'the path is not properly encoded'],
  FST_ERR_ASYNC_CONSTRAINT: ['invalid', 'the request cannot be routed'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'no such name: too long'],
};

function read(error: unknown): Read {
  if (error instanceof HttpRefusal) {
    const { code, message, headers, refusals } = error;
    return { code, detail: message, headers, refusals };
  }
  if (error instanceof StaleRevision)
    return { code: 'stale', detail: error.message, headers: {}, refusals: [] };
  if (error instanceof AppError && error.code !== 'internal') return ofService(error);
  const known = FASTIFY[codeOf(error)];
  if (known) return { code: known[0], detail: known[1], headers: {}, refusals: [] };
  return {
    code: 'internal',
    detail: "internal fault; the master's log has its text under this request id",
    headers: {},
    refusals: [],
  };
}

function ofService(error: AppError): Read {
  const { code, message, refusals } = error;
  const waitMs =
    'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : null;
  if (waitMs !== null) return { code: 'throttled', detail: message, headers: retryAfter(waitMs), refusals };
  const headers = code === 'unavailable' ? retryAfter(AGAIN_S * 1000) : {};
  return { code, detail: message, headers, refusals };
}

export function retryAfter(ms: number): Record<string, string> {
  return { 'retry-after': `${Math.max(1, Math.ceil(ms / 1000))}` };
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
