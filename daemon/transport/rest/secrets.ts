import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { SECRET_KINDS, type SecretKind, type SecretView } from '../../../proto/vocab/secret.ts';
import { inOrder, PageQuery, PageShape, pageOf } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, isoOrNull, Reason, Revision, Stamp } from './shapes.ts';

const Secret = z
  .object({
    name: z.string(),
    kind: z.enum(SECRET_KINDS),
    version: z.int(),
    updated_by: z.string(),
    updated_at: Stamp,
    not_after: Stamp.nullable().describe('of a certificate'),
    names: z.array(z.string()).describe('of a certificate: whom it is for'),
    used_by: z.array(z.string()).describe('config versions in force that name it'),
    mod_revision: Revision,
  })
  .meta({ id: 'Secret' });

function secretJson(s: SecretView): z.output<typeof Secret> {
  return {
    name: s.name,
    kind: s.kind,
    version: s.version,
    updated_by: s.updatedBy,
    updated_at: iso(s.updatedAt),
    not_after: isoOrNull(s.notAfter),
    names: [...s.names],
    used_by: [...s.usedBy],
    mod_revision: s.modRevision,
  };
}

const ByName = z.strictObject({ name: z.string().min(1).max(63) });
const Pem = z
  .string()
  .min(1)
  .max(64 * 1024);

const PLACES = [
  { kind: 'secret', url: '/secrets', noun: 'secrets', one: 'secret' },
  { kind: 'certificate', url: '/certificates', noun: 'certificates', one: 'certificate' },
] as const satisfies readonly { kind: SecretKind; url: string; noun: string; one: string }[];

/** Two lists of the same service: values are written here and never read. */
export function addSecrets(app: FastifyInstance, { services }: RouteNeeds): void {
  const { secrets, nodes } = services;
  const told = (status: 200, s: SecretView) => ({ status, body: secretJson(s), revision: s.modRevision });

  for (const { kind, url, noun, one } of PLACES) {
    route(app, {
      method: 'GET',
      url,
      may: 'secret.list',
      noun,
      summary: `${noun}, by name; never their values`,
      query: z.strictObject({ ...PageQuery }),
      replies: {
        200: { description: 'a page', body: z.object({ [noun]: z.array(Secret), ...PageShape }) },
      },
      handle: ({ caller, query }) => {
        const { revision } = nodes.facts();
        const name = (s: SecretView): string => s.name;
        const mine = secrets.list(caller).filter((s) => s.kind === kind);
        const page = pageOf(inOrder(mine, name), query, name);
        return { body: { [noun]: page.items.map(secretJson), next: page.next, revision } };
      },
    });

    route(app, {
      method: 'GET',
      url: `${url}/:name`,
      may: 'secret.list',
      noun,
      summary: `What is known of one ${one}`,
      params: ByName,
      replies: { 200: { description: `the ${one}, without its value`, body: Secret } },
      handle: ({ caller, params }) => {
        const found = secrets.list(caller).find((s) => s.kind === kind && s.name === params.name);
        if (!found) throw new HttpRefusal('not_found', `there is no ${one} of this name`);
        return told(200, found);
      },
    });

    route(app, {
      method: 'DELETE',
      url: `${url}/:name`,
      may: 'secret.remove',
      noun,
      summary: 'Gone; refused while a version in force names it',
      params: ByName,
      mutates: 'entity',
      replies: { 200: { description: 'gone', body: z.object({ revision: Revision }) } },
      handle: async (asked) => ({ body: await secrets.remove(asked.mutation(), asked.params.name, kind) }),
    });
  }

  route(app, {
    method: 'PUT',
    url: '/secrets/:name',
    may: 'secret.write',
    noun: 'secrets',
    summary: 'A new value, or the first one',
    params: ByName,
    body: z.strictObject({
      value: z
        .string()
        .min(1)
        .max(64 * 1024),
      reason: Reason.optional(),
    }),
    mutates: 'entity',
    replies: { 200: { description: 'kept', body: Secret } },
    handle: async (asked) => {
      const { value, reason } = asked.body;
      const { secret } = await secrets.putSecret(asked.mutation(reason), { name: asked.params.name, value });
      return told(200, secret);
    },
  });

  route(app, {
    method: 'PUT',
    url: '/certificates/:name',
    may: 'secret.write',
    noun: 'certificates',
    summary: 'A certificate with its key, in PEM; nodes that use it swap it without closing a listener',
    params: ByName,
    body: z.strictObject({
      certificate_pem: Pem,
      key_pem: Pem,
      chain_pem: Pem.optional(),
      reason: Reason.optional(),
    }),
    mutates: 'entity',
    replies: { 200: { description: 'kept', body: Secret } },
    handle: async (asked) => {
      const { body } = asked;
      const { secret } = await secrets.putCertificate(asked.mutation(body.reason), {
        name: asked.params.name,
        certPem: body.certificate_pem,
        keyPem: body.key_pem,
        chainPem: body.chain_pem ?? null,
      });
      return told(200, secret);
    },
  });
}
