import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { BlastRadius, blastJson } from './blast-shape.ts';
import { Aim, aimOf, Body, ByVersion, bytesOf } from './config-request.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { Refusal, Target, targetOf } from './shapes.ts';
import { PaceIn, paceOf } from './strategy-shape.ts';

/** What comes before a publication. Nothing here changes anything. */
export function addConfigReviews(app: FastifyInstance, { services }: RouteNeeds): void {
  const { configs } = services;

  route(app, {
    method: 'POST',
    url: '/configs/validate',
    may: 'config.create',
    noun: 'configs',
    summary: 'What is wrong with a document, and for which nodes; nothing is kept',
    body: z.strictObject({ ...Body, target: Target.optional() }),
    replies: {
      200: {
        description: 'ok: nothing is wrong',
        body: z.object({
          ok: z.boolean(),
          problems: z.array(Refusal),
          nodes: z.array(z.object({ node: z.string(), problems: z.array(Refusal) })),
        }),
      },
    },
    handle: async ({ caller, body }) => {
      const target = body.target ? targetOf(body.target) : null;
      const r = await configs.validate(caller, { body: bytesOf(body), target });
      return {
        body: { ok: r.problems.length === 0 && r.nodes.length === 0, problems: r.problems, nodes: r.nodes },
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/configs/:version/diff/:to',
    may: 'watch',
    noun: 'configs',
    summary: 'From one version to another, unified; secrets and passwords read *',
    params: ByVersion.extend({ to: z.string().min(1).max(64) }),
    query: z.strictObject({ node: z.string().min(1).max(63).optional().describe('both as rendered for it') }),
    replies: {
      200: {
        description: 'the differences',
        body: z.object({ unified: z.string(), added: z.int(), removed: z.int() }),
      },
    },
    handle: async ({ caller, params, query }) => ({
      body: await configs.diff(caller, { from: params.version, to: params.to, node: query.node ?? null }),
    }),
  });

  route(app, {
    method: 'POST',
    url: '/configs/:version/preview',
    may: 'watch',
    noun: 'configs',
    summary:
      'What publishing it would do: nodes, regions, streams, listeners, routes, what was checked, and in which steps',
    params: ByVersion,
    body: z.preprocess((v) => v ?? {}, Aim.omit({ reason: true }).extend(PaceIn)),
    problems: ['conflict', 'unsupported'],
    replies: { 200: { description: 'nothing was published', body: BlastRadius } },
    handle: async ({ caller, params, body }) => ({
      body: blastJson(
        await configs.previewPublish(caller, {
          label: params.version,
          target: aimOf(configs, params.version, body.target),
          ...paceOf(body),
        }),
      ),
    }),
  });

  route(app, {
    method: 'POST',
    url: '/configs/:version/rollback/preview',
    may: 'watch',
    noun: 'configs',
    summary: 'What a rollback would bring back, and to whom',
    params: ByVersion,
    body: z.preprocess((v) => v ?? {}, Aim.omit({ reason: true })),
    problems: ['conflict'],
    replies: {
      200: {
        description: 'nothing was rolled back',
        body: z.object({
          to_version: z.string(),
          new_version: z.string(),
          nodes: z.array(z.string()),
          streams: z.int(),
        }),
      },
    },
    handle: async ({ params, body }) => {
      const target = body.target ? targetOf(body.target) : {};
      const p = await configs.previewRollback({ label: params.version, target });
      return {
        body: { to_version: p.toLabel, new_version: p.newLabel, nodes: p.nodes, streams: p.streams },
      };
    },
  });
}
