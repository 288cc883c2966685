import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ACTIONS, type Action, type Caller, may } from '../../../proto/vocab/can.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Revision } from '../../../proto/vocab/ids.ts';
import type { Mutation } from '../../service/api.ts';
import { OPTIONAL_BODY } from './document.ts';
import { HttpRefusal, PROBLEMS, Problem, type ProblemCode } from './problem.ts';

/** Who may call it: an action of the table, one of several (the body says which), whoever is known, or anybody. */
export type Guard = Action | readonly Action[] | 'known' | 'anybody';

/** Of a list: plain JSON, or with `?watch` a stream of events. */
export interface Reply {
  readonly description: string;
  readonly body?: z.ZodType;
  readonly stream?: boolean;
}

export const STREAM_EVENTS = ['begin', 'resumed', 'put', 'deleted', 'synced', 'figures', 'end'] as const;

export interface Answer {
  readonly status?: number;
  /** JSON. */
  readonly body?: unknown;
  /** JSON that is made already. */
  readonly made?: string | Buffer;
  readonly revision?: Revision;
  /** An entity tag of its own, where a revision does not say all. */
  readonly etag?: string;
  readonly location?: string;
  /** Takes the socket over. */
  readonly stream?: (request: FastifyRequest, reply: FastifyReply) => void;
}

export interface Asked<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  /** Around a mutation; `reason` is the body's or the usual one, X-Reason goes before. */
  mutation(reason?: string): Mutation;
}

type None = undefined;

export interface Spec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /api/v1. */
  readonly url: string;
  readonly may: Guard;
  readonly noun: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** `entity`: of one that stands, so If-Match is looked at; `new`: what it makes was not there before. */
  readonly mutates?: 'entity' | 'new';
  /** Answers carry an ETag, and If-None-Match is looked at. */
  readonly tagged?: boolean;
  readonly replies: Readonly<Record<number, Reply>>;
  /** Beside those that follow from the rest. */
  readonly problems?: readonly ProblemCode[];
  readonly handle: (asked: Asked<z.output<P>, z.output<Q>, z.output<B>>) => Answer | Promise<Answer>;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
    /** The token it came with. */
    bearer: string;
  }
  interface FastifyContextConfig {
    guard?: Guard;
    /** A refusal of it is kept in the audit log. */
    changes?: boolean;
    /** No store is read and nothing is made: answered also while too much is asked. */
    always?: boolean;
  }
}

/** A body that may be left out: none, or an empty one. */
const NOTHING = z.preprocess((v) => v ?? undefined, z.strictObject({}).optional());

const MutationHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/)
    .optional()
    .describe(
      'the same key with the same request gets the first answer again; with another one it is a conflict',
    ),
  'x-reason': z.string().max(500).optional().describe('why; goes before a reason in the body'),
});
const EntityHeaders = MutationHeaders.extend({
  'if-match': z
    .string()
    .max(64)
    .optional()
    .describe('the ETag of the state that was seen; 412 when there is another'),
});
/** Documented, and taken as they are: any text is a tag, and reads are many. */
export const TaggedHeaders = z.looseObject({
  'if-none-match': z.string().optional().describe('an ETag: 304 while it is still that'),
});

/** One event of a stream; `data` is JSON. */
const StreamEvent = z
  .object({
    event: z.enum(STREAM_EVENTS),
    id: z.string().optional().describe('a revision: send it as since to go on from there'),
    data: z.string(),
  })
  .meta({ id: 'StreamEvent' });

/** Adds one route, with its checks, its documentation and its answer's headers. */
export function route<
  P extends z.ZodType = z.ZodType<None>,
  Q extends z.ZodType = z.ZodType<None>,
  B extends z.ZodType = z.ZodType<None>,
>(app: FastifyInstance, spec: Spec<P, Q, B>): void {
  const { mutates } = spec;
  const takesBody = spec.method !== 'GET' && spec.method !== 'DELETE';
  const headers = mutates
    ? mutates === 'entity'
      ? EntityHeaders
      : MutationHeaders
    : spec.tagged
      ? TaggedHeaders
      : undefined;
  app.route({
    method: spec.method,
    url: spec.url,
    config: { guard: spec.may, changes: mutates !== undefined },
    schema: {
      summary: spec.summary,
      tags: [spec.noun],
      operationId: operationId(spec.method, spec.url),
      ...(spec.params ? { params: spec.params } : {}),
      // Nobody sends what nobody reads: a word that is not known is refused.
      querystring: spec.query ?? z.strictObject({}),
      ...(takesBody ? { body: spec.body ?? NOTHING } : {}),
      ...(headers ? { headers } : {}),
      security: spec.may === 'anybody' ? [] : [{ bearer: [] }],
      ...(takesBody && (spec.body?.safeParse(undefined).success ?? true) ? { [OPTIONAL_BODY]: true } : {}),
      ...{ 'x-may': typeof spec.may === 'string' ? [spec.may] : spec.may },
      response: responses(spec, takesBody),
    },
    handler: async (request, reply) => {
      const answer = await spec.handle({
        params: request.params as z.output<P>,
        query: request.query as z.output<Q>,
        body: (request.body ?? undefined) as z.output<B>,
        caller: request.caller ?? NOBODY,
        request,
        mutation: (reason = '') => mutationOf(request, reason, mutates === 'entity'),
      });
      return send(request, reply, answer, spec.tagged === true);
    },
  });
}

const NOBODY: Caller = { actor: 'nobody', role: 'viewer', source: '', scopes: [] };

function send(request: FastifyRequest, reply: FastifyReply, answer: Answer, tagged: boolean): FastifyReply {
  if (answer.stream) {
    reply.hijack();
    answer.stream(request, reply);
    return reply;
  }
  const etag = answer.etag ?? (answer.revision === undefined ? null : `"${answer.revision}"`);
  if (etag !== null) {
    reply.header('etag', etag);
    if (tagged && noneMatches(request.headers['if-none-match'], etag)) return reply.code(304).send();
  }
  if (answer.location !== undefined) reply.header('location', answer.location);
  reply.code(answer.status ?? 200);
  if (answer.made !== undefined) return reply.type(JSON_TYPE).send(answer.made);
  return answer.body === undefined ? reply.send() : reply.type(JSON_TYPE).send(JSON.stringify(answer.body));
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Weak comparison [RFC 9110]. */
function noneMatches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const plain = (s: string): string => s.trim().replace(/^W\//, '');
  return header.trim() === '*' || header.split(',').some((t) => plain(t) === plain(etag));
}

function mutationOf(request: FastifyRequest, usual: string, entity: boolean): Mutation {
  const key = request.headers['idempotency-key'];
  const reason = request.headers['x-reason'];
  return {
    caller: request.caller ?? NOBODY,
    requestId: typeof key === 'string' ? key : randomUUID(),
    reason: typeof reason === 'string' && reason.trim() !== '' ? reason : usual,
    ifRevision: entity ? ifMatch(request.headers['if-match']) : null,
  };
}

/** `*` and none at all say nothing; what is no tag of ours is nobody's state. */
function ifMatch(header: string | undefined): Revision | null {
  if (header === undefined || header.trim() === '*') return null;
  const m = /^"(\d{1,15})"$/.exec(header.trim());
  if (!m) {
    throw new HttpRefusal(
      'stale',
      'If-Match holds no ETag of this entity: send the one that was read, with its quotes',
    );
  }
  return Number(m[1]);
}

/** Finds out who asks. Runs before the body is read. @throws AppError `unauthenticated` */
export function identify(
  request: FastifyRequest,
  authenticate: (bearer: string, remote: string) => Caller,
): void {
  const { guard } = request.routeOptions.config;
  if (guard === undefined || guard === 'anybody') return;
  const bearer = bearerOf(request.headers.authorization);
  request.caller = authenticate(bearer, request.ip);
  request.bearer = bearer;
}

/** The action that the caller may not do here; `null`: he may, or the service decides. */
export function deniedOf(request: FastifyRequest): Action | null {
  const { guard } = request.routeOptions.config;
  const { caller } = request;
  if (caller === null || guard === undefined || guard === 'anybody' || guard === 'known') return null;
  const actions = typeof guard === 'string' ? [guard] : guard;
  return actions.some((a) => may(caller, a)) ? null : (actions[0] ?? null);
}

export function bearerOf(header: string | undefined): string {
  if (header === undefined) {
    throw new AppError(
      'unauthenticated',
      'send Authorization: Bearer with a token of /api/v1/auth/login or an API key',
    );
  }
  const m = /^bearer +([\x21-\x7e]{1,4096})$/i.exec(header);
  if (!m?.[1])
    throw new AppError(
      'unauthenticated',
      'Authorization is not a bearer token: write Bearer, then the token',
    );
  return m[1];
}

/** What a caller may do, for whoami and the console's like. */
export function allowedTo(caller: Caller): readonly Action[] {
  return ACTIONS.filter((a) => may(caller, a));
}

function operationId(method: string, url: string): string {
  const words = url
    .replace(/:(\w+)/g, 'by-$1')
    .split(/[^A-Za-z0-9]+/)
    .filter((w) => w !== '');
  return [method.toLowerCase(), ...words.map((w) => (w[0] ?? '').toUpperCase() + w.slice(1))].join('');
}

function responses(
  spec: Pick<
    Spec<z.ZodType, z.ZodType, z.ZodType>,
    'replies' | 'problems' | 'mutates' | 'tagged' | 'may' | 'params'
  >,
  takesBody: boolean,
): Record<number, unknown> {
  const out: Record<number, unknown> = {};
  for (const [status, reply] of Object.entries(spec.replies)) {
    out[Number(status)] = reply.body
      ? {
          description: reply.description,
          content: {
            'application/json': { schema: reply.body },
            ...(reply.stream ? { 'text/event-stream': { schema: StreamEvent } } : {}),
          },
        }
      : z.undefined().describe(reply.description);
  }
  if (spec.tagged) out[304] = z.undefined().describe('it is still what If-None-Match names');
  const codes = new Set<ProblemCode>(['invalid', 'not_acceptable', 'throttled', 'internal', 'unavailable']);
  if (spec.may !== 'anybody') for (const c of ['unauthenticated', 'forbidden'] as const) codes.add(c);
  if (spec.params) codes.add('not_found');
  if (takesBody) for (const c of ['too_large', 'unsupported_media_type'] as const) codes.add(c);
  if (spec.mutates) for (const c of ['conflict', 'unsupported'] as const) codes.add(c);
  if (spec.mutates === 'entity') codes.add('stale');
  for (const c of spec.problems ?? []) codes.add(c);
  for (const c of codes) {
    const [status, description] = PROBLEMS[c];
    out[status] = { description, content: { 'application/problem+json': { schema: Problem } } };
  }
  return out;
}
