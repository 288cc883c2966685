import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { may } from '../../../proto/vocab/can.ts';
import type { Target as VocabTarget } from '../../../proto/vocab/config-version.ts';
import { Aim, aimOf, Body, ByVersion, bytesOf } from './config-request.ts';
import { ConfigVersion, ConfigWithBody, configItem, Publication, publishedJson } from './config-shape.ts';
import { newestFirst } from './page.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { Flag, NodeTypeWord, Reason, RegionWord, targetOf } from './shapes.ts';
import { PaceIn, paceOf } from './strategy-shape.ts';
import { watchedList } from './watched-list.ts';

const Label = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
  .describe('letters, digits and . _ -, such as v1.0.1');
const CreateBody = z
  .strictObject({
    version: Label.optional().describe('its label; the next vN where none is given'),
    description: z.string().max(500).default(''),
    ...Body,
    parent: Label.optional(),
    node_type: NodeTypeWord.optional(),
    regions: z.array(RegionWord).min(1).max(256).optional(),
    reason: Reason.optional(),
  })
  .meta({ id: 'ConfigIn' });

const PublishIn = z.preprocess((v) => v ?? {}, Aim.extend(PaceIn));

export function addConfigs(app: FastifyInstance, needs: RouteNeeds): void {
  const { configs } = needs.services;

  watchedList(app, needs, {
    url: '/configs',
    kind: 'version',
    summary: 'Config versions, newest first',
    shape: ConfigVersion,
    filter: { published: Flag.describe('only those that are published') },
    all: () => configs.list(),
    key: (v) => newestFirst(v.createdAt, v.label),
    fits: (v, { published }) => !published || v.publications.length > 0,
    json: configItem,
  });

  route(app, {
    method: 'POST',
    url: '/configs',
    may: 'config.create',
    noun: 'configs',
    summary: 'A new version; node_type and regions are whom publish is for where it is not told',
    body: CreateBody,
    mutates: 'new',
    problems: ['not_found'],
    replies: { 201: { description: 'made', body: ConfigVersion } },
    handle: async (asked) => {
      const { body } = asked;
      const target: VocabTarget = {
        ...(body.node_type ? { nodeType: body.node_type } : {}),
        ...(body.regions ? { regions: body.regions } : {}),
      };
      const { version } = await configs.create(asked.mutation(body.reason), {
        label: body.version ?? null,
        description: body.description,
        body: bytesOf(body),
        parent: body.parent ?? null,
        ...(Object.keys(target).length > 0 ? { target } : {}),
      });
      return {
        status: 201,
        body: configItem(version),
        revision: version.modRevision,
        location: `/api/v1/configs/${version.label}`,
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/configs/:version',
    may: 'watch',
    noun: 'configs',
    summary: 'One version with its document; passwords read * for those who may not write configs',
    params: ByVersion,
    tagged: true,
    replies: { 200: { description: 'the version', body: ConfigWithBody } },
    handle: async ({ params, caller }) => {
      const { version, body } = await configs.get(caller, params.version);
      const open = may(caller, 'config.create');
      return {
        body: { ...configItem(version), config: Buffer.from(body).toString('utf8'), redacted: !open },
        revision: version.modRevision,
      };
    },
  });

  route(app, {
    method: 'POST',
    url: '/configs/:version/publish',
    may: 'config.publish',
    noun: 'configs',
    summary: 'It goes to the nodes of the target, by a rollout',
    params: ByVersion,
    body: PublishIn,
    query: z.strictObject({ dry_run: Flag }),
    mutates: 'entity',
    replies: { 200: { description: 'who gets it', body: Publication } },
    handle: async (asked) => {
      const { params, body, query } = asked;
      const r = await configs.publish(asked.mutation(body.reason ?? 'published by REST'), {
        label: params.version,
        target: aimOf(configs, params.version, body.target),
        dryRun: query.dry_run,
        ...paceOf(body),
      });
      return { body: publishedJson(r), revision: r.version.modRevision };
    },
  });

  route(app, {
    method: 'POST',
    url: '/configs/:version/rollback',
    may: 'config.rollback',
    noun: 'configs',
    summary:
      'A new version with the content that ran there before, published to the same target or within it',
    params: ByVersion,
    body: z.preprocess(
      (v) => v ?? {},
      Aim.extend({
        confirm_nodes: z.int().min(1).optional().describe('refused unless it is for exactly so many nodes'),
      }),
    ),
    mutates: 'entity',
    replies: { 200: { description: 'the new version, and who gets it', body: Publication } },
    handle: async (asked) => {
      const { params, body } = asked;
      const r = await configs.rollback(asked.mutation(body.reason ?? 'rolled back by REST'), {
        label: params.version,
        target: body.target ? targetOf(body.target) : {},
        confirmNodes: body.confirm_nodes ?? null,
      });
      return {
        body: publishedJson(r),
        revision: r.version.modRevision,
        location: `/api/v1/configs/${r.version.label}`,
      };
    },
  });
}
