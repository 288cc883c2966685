import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { TokenView } from '../../../proto/vocab/token.ts';
import { inOrder, newestFirst, PageQuery, PageShape, pageOf } from './page.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, isoOrNull, NodeTypeWord, Reason, RegionWord, Revision, Stamp, Word } from './shapes.ts';

const Token = z
  .object({
    id: z.string(),
    node_type: NodeTypeWord,
    region: z.string(),
    name: z.string().nullable(),
    replace: z.boolean(),
    created_by: z.string(),
    created_at: Stamp,
    expires_at: Stamp,
    used_at: Stamp.nullable(),
    used_by: z.string().nullable(),
    revoked_at: Stamp.nullable(),
    mod_revision: Revision,
  })
  .meta({ id: 'Token' });

function tokenJson(t: TokenView): z.output<typeof Token> {
  return {
    id: t.id,
    node_type: t.nodeType,
    region: t.region,
    name: t.name,
    replace: t.replace,
    created_by: t.createdBy,
    created_at: iso(t.createdAt),
    expires_at: iso(t.expiresAt),
    used_at: isoOrNull(t.usedAt),
    used_by: t.usedBy,
    revoked_at: isoOrNull(t.revokedAt),
    mod_revision: t.modRevision,
  };
}

const TokenIn = z
  .strictObject({
    node_type: NodeTypeWord,
    region: RegionWord,
    name: z.string().min(1).max(63).optional().describe('for a node of this name only'),
    replace: z.boolean().default(false).describe('the new host takes the place of the node of this name'),
    ttl_ms: z
      .int()
      .min(1000)
      .max(7 * 86_400_000)
      .optional()
      .describe('30 minutes where it is not given'),
    reason: Reason.optional(),
  })
  .meta({ id: 'TokenIn' });

export function addTokens(app: FastifyInstance, { services }: RouteNeeds): void {
  const { enrolment, nodes } = services;

  route(app, {
    method: 'GET',
    url: '/tokens',
    may: 'token.list',
    noun: 'tokens',
    summary: 'Join tokens, newest first; never their secrets',
    query: z.strictObject({ ...PageQuery }),
    replies: { 200: { description: 'a page', body: z.object({ tokens: z.array(Token), ...PageShape }) } },
    handle: ({ caller, query }) => {
      const { revision } = nodes.facts();
      const key = (t: TokenView): string => newestFirst(t.createdAt, t.id);
      const page = pageOf(inOrder(enrolment.listTokens(caller), key), query, key);
      return { body: { tokens: page.items.map(tokenJson), next: page.next, revision } };
    },
  });

  route(app, {
    method: 'POST',
    url: '/tokens',
    may: 'token.create',
    noun: 'tokens',
    summary: 'A join token; its secret is shown here and never again',
    body: TokenIn,
    mutates: 'new',
    problems: ['not_found'],
    replies: {
      201: {
        description: 'made',
        body: z.object({
          token: z.string(),
          expires_at: Stamp,
          join_command: z.string().describe('to be run on the new host'),
          revision: Revision,
        }),
      },
    },
    handle: async (asked) => {
      const { body } = asked;
      const r = await enrolment.createToken(asked.mutation(body.reason), {
        nodeType: body.node_type,
        region: body.region,
        name: body.name ?? null,
        ttlMs: body.ttl_ms ?? null,
        replace: body.replace,
      });
      return {
        status: 201,
        body: {
          token: r.token,
          expires_at: iso(r.expiresAt),
          join_command: r.joinCommand,
          revision: r.revision,
        },
      };
    },
  });

  route(app, {
    method: 'DELETE',
    url: '/tokens/:id',
    may: 'token.revoke',
    noun: 'tokens',
    summary: 'Nobody joins with it any more',
    params: z.strictObject({ id: Word }),
    mutates: 'entity',
    replies: { 200: { description: 'revoked', body: z.object({ revision: Revision, token: Token }) } },
    handle: async (asked) => {
      const r = await enrolment.revokeToken(asked.mutation(), asked.params.id);
      return { body: { revision: r.revision, token: tokenJson(r.token) }, revision: r.token.modRevision };
    },
  });
}
