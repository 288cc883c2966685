import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ACTIONS, ROLES } from '../../../proto/vocab/can.ts';
import type { ApiKeyView } from '../../../proto/vocab/people.ts';
import { inOrder, newestFirst, PageQuery, PageShape, pageOf } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, isoOrNull, Reason, Revision, Stamp, Word } from './shapes.ts';

const ApiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    scopes: z.array(z.enum(ACTIONS)).nullable(),
    created_by: z.string(),
    created_at: Stamp,
    expires_at: Stamp,
    last_used_at: Stamp.nullable().describe('to the hour'),
    revoked_at: Stamp.nullable(),
    mod_revision: Revision,
  })
  .meta({ id: 'ApiKey' });

function keyJson(k: ApiKeyView): z.output<typeof ApiKey> {
  return {
    id: k.id,
    name: k.name,
    role: k.role,
    scopes: k.scopes ? [...k.scopes] : null,
    created_by: k.createdBy,
    created_at: iso(k.createdAt),
    expires_at: iso(k.expiresAt),
    last_used_at: isoOrNull(k.lastUsedAt),
    revoked_at: isoOrNull(k.revokedAt),
    mod_revision: k.modRevision,
  };
}

const ApiKeyIn = z
  .strictObject({
    name: z.string().min(1).max(64),
    role: z.enum(ROLES),
    scopes: z
      .array(z.enum(ACTIONS))
      .min(1)
      .max(ACTIONS.length)
      .optional()
      .describe('nothing but these, whatever the role may'),
    ttl_ms: z
      .int()
      .min(1000)
      .max(366 * 86_400_000)
      .optional()
      .describe('90 days where it is not given'),
    reason: Reason.optional(),
  })
  .meta({ id: 'ApiKeyIn' });

const ById = z.strictObject({ id: Word });

export function addApiKeys(app: FastifyInstance, { services }: RouteNeeds): void {
  const { people, nodes } = services;

  route(app, {
    method: 'GET',
    url: '/api-keys',
    may: 'apikey.list',
    noun: 'api-keys',
    summary: 'API keys, newest first; never their secrets',
    query: z.strictObject({ ...PageQuery }),
    replies: { 200: { description: 'a page', body: z.object({ api_keys: z.array(ApiKey), ...PageShape }) } },
    handle: ({ caller, query }) => {
      const { revision } = nodes.facts();
      const key = (k: ApiKeyView): string => newestFirst(k.createdAt, k.id);
      const page = pageOf(inOrder(people.listApiKeys(caller), key), query, key);
      return { body: { api_keys: page.items.map(keyJson), next: page.next, revision } };
    },
  });

  route(app, {
    method: 'POST',
    url: '/api-keys',
    may: 'apikey.write',
    noun: 'api-keys',
    summary: 'A key for a machine; its secret is shown here and never again',
    body: ApiKeyIn,
    mutates: 'new',
    replies: {
      201: {
        description: 'made; secret is the bearer token',
        body: z.object({ api_key: ApiKey, secret: z.string() }),
      },
    },
    handle: async (asked) => {
      const { name, role, scopes, ttl_ms: ttlMs, reason } = asked.body;
      const r = await people.createApiKey(asked.mutation(reason), {
        name,
        role,
        scopes: scopes ?? null,
        ttlMs: ttlMs ?? null,
      });
      return {
        status: 201,
        body: { api_key: keyJson(r.key), secret: r.secret },
        revision: r.key.modRevision,
        location: `/api/v1/api-keys/${r.key.id}`,
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/api-keys/:id',
    may: 'apikey.list',
    noun: 'api-keys',
    summary: 'One key',
    params: ById,
    replies: { 200: { description: 'the key', body: ApiKey } },
    handle: ({ caller, params }) => {
      const key = people.listApiKeys(caller).find((k) => k.id === params.id);
      if (!key) throw new HttpRefusal('not_found', 'there is no API key of this id');
      return { body: keyJson(key), revision: key.modRevision };
    },
  });

  route(app, {
    method: 'DELETE',
    url: '/api-keys/:id',
    may: 'apikey.write',
    noun: 'api-keys',
    summary: 'Revokes it at once',
    params: ById,
    mutates: 'entity',
    replies: { 200: { description: 'revoked', body: z.object({ revision: Revision }) } },
    handle: async (asked) => ({ body: await people.revokeApiKey(asked.mutation(), asked.params.id) }),
  });
}
