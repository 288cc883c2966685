import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ROLES } from '../../../proto/vocab/can.ts';
import { decodeCursor, encodeCursor, PageQuery } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, Revision, Stamp, Word } from './shapes.ts';

const Entry = z
  .object({
    seq: z.int(),
    at: Stamp,
    actor: z.string(),
    role: z.enum(ROLES).nullable(),
    source: z.string(),
    action: z.string(),
    subject: z.string(),
    outcome: z.string().describe('ok, or the code of the refusal'),
    revision: Revision.nullable(),
    request_id: z.string(),
    reason: z.string(),
    prev: z.string(),
    hash: z.string(),
  })
  .meta({ id: 'AuditRecord' });

export function addAudit(app: FastifyInstance, { services }: RouteNeeds): void {
  const { audit } = services;

  route(app, {
    method: 'GET',
    url: '/audit',
    may: 'audit.read',
    noun: 'audit',
    summary: 'Who did what, newest first',
    query: z.strictObject({ ...PageQuery, actor: Word.optional(), action: Word.optional() }),
    replies: {
      200: {
        description: 'a page',
        body: z.object({ records: z.array(Entry), next: z.string().nullable() }),
      },
    },
    handle: async ({ caller, query }) => {
      const { records, next } = await audit.list(caller, {
        limit: query.limit,
        before: query.cursor === undefined ? null : seqOf(query.cursor),
        ...(query.actor === undefined ? {} : { actor: query.actor }),
        ...(query.action === undefined ? {} : { action: query.action }),
      });
      return {
        body: {
          records: records.map((r) => ({
            seq: r.seq,
            at: iso(r.at),
            actor: r.actor,
            role: r.role,
            source: r.source,
            action: r.action,
            subject: r.subject,
            outcome: r.outcome,
            revision: r.revision,
            request_id: r.requestId,
            reason: r.reason,
            prev: r.prev,
            hash: r.hash,
          })),
          next: next === null ? null : encodeCursor(`${next}`),
        },
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/audit/verify',
    may: 'audit.read',
    noun: 'audit',
    summary: 'Reads the whole chain: whether a record was changed, taken out or put elsewhere',
    replies: {
      200: {
        description: 'ok, or the first thing that is wrong',
        body: z.object({
          ok: z.boolean(),
          records: z.int(),
          head: z.string(),
          fault: z.string().nullable(),
        }),
      },
    },
    handle: async ({ caller }) => ({ body: await audit.verify(caller) }),
  });
}

function seqOf(cursor: string): number {
  const seq = decodeCursor(cursor);
  if (!/^\d{1,15}$/.test(seq)) throw new HttpRefusal('invalid', 'the cursor is not one of this list');
  return Number(seq);
}
