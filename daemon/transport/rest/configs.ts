import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { may } from '../../../proto/vocab/can.ts';
import type {
  Target as VocabTarget,
  ConfigVersion as VocabVersion,
} from '../../../proto/vocab/config-version.ts';
import {
  BlastRadius,
  blastJson,
  ConfigVersion,
  ConfigWithBody,
  configItem,
  Publication,
  publishedJson,
} from './config-shape.ts';
import { inOrder, newestFirst, PageQuery, PageShape, pageOf } from './page.ts';
import { HttpRefusal } from './problem.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { Flag, NodeTypeWord, Reason, Refusal, RegionWord, Target, targetOf, Word, whole } from './shapes.ts';

const Label = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
  .describe('letters, digits and . _ -, such as v1.0.1');
const ByVersion = z.strictObject({ version: z.string().min(1).max(64) });

const Body = {
  config_data: z.base64().optional().describe('the document, a YAML text, in base64'),
  config: z.string().optional().describe('the document as text, instead of config_data'),
};

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

const Aim = z.strictObject({
  target: Target.optional().describe('whom it is for; what the version was made for where none is given'),
  reason: Reason.optional(),
});
const aimed = z.preprocess((v) => v ?? {}, Aim);

export function addConfigs(app: FastifyInstance, { services, watches }: RouteNeeds): void {
  const { configs, nodes } = services;
  const found = (label: string): VocabVersion => {
    const version = configs.list().find((v) => v.label === label);
    if (version) return version;
    throw new HttpRefusal('not_found', 'there is no config version of this label');
  };
  const targetFor = (label: string, target: z.output<typeof Target> | undefined): VocabTarget =>
    target ? targetOf(target) : (found(label).target ?? {});

  route(app, {
    method: 'GET',
    url: '/configs',
    may: 'watch',
    noun: 'configs',
    summary: 'Config versions, newest first',
    query: z.strictObject({
      ...PageQuery,
      published: Flag.describe('only those that are published'),
      watch: Flag,
      since: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }).optional(),
      store_id: Word.optional(),
    }),
    tagged: true,
    problems: ['gone'],
    replies: {
      200: {
        description: 'a page, or a stream of put and deleted',
        body: z.object({ configs: z.array(ConfigVersion), ...PageShape }),
        stream: true,
      },
    },
    handle: (asked) => {
      const { query } = asked;
      const fits = (v: VocabVersion): boolean => !query.published || v.publications.length > 0;
      if (query.watch && asked.request.method === 'GET') {
        return watches.open(
          asked,
          { since: query.since ?? null, storeId: query.store_id },
          { kind: 'version', item: (v) => (fits(v) ? configItem(v) : null) },
        );
      }
      const { revision } = nodes.facts();
      const key = (v: VocabVersion): string => newestFirst(v.createdAt, v.label);
      const page = pageOf(inOrder(configs.list().filter(fits), key), query, key);
      return { body: { configs: page.items.map(configItem), next: page.next, revision }, revision };
    },
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
    summary: 'Whom publishing it would hit: nodes, regions, streams, listeners that close',
    params: ByVersion,
    body: z.preprocess((v) => v ?? {}, Aim.omit({ reason: true })),
    problems: ['conflict', 'unsupported'],
    replies: { 200: { description: 'nothing was published', body: BlastRadius } },
    handle: async ({ caller, params, body }) => ({
      body: blastJson(
        await configs.previewPublish(caller, {
          label: params.version,
          target: targetFor(params.version, body.target),
        }),
      ),
    }),
  });

  route(app, {
    method: 'POST',
    url: '/configs/:version/publish',
    may: 'config.publish',
    noun: 'configs',
    summary: 'It goes to the nodes of the target',
    params: ByVersion,
    body: aimed,
    query: z.strictObject({ dry_run: Flag }),
    mutates: 'entity',
    replies: { 200: { description: 'who gets it', body: Publication } },
    handle: async (asked) => {
      const { params, body, query } = asked;
      const r = await configs.publish(asked.mutation(body.reason ?? 'published by REST'), {
        label: params.version,
        target: targetFor(params.version, body.target),
        dryRun: query.dry_run,
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

function bytesOf(body: { config_data?: string | undefined; config?: string | undefined }): Uint8Array {
  if ((body.config_data === undefined) === (body.config === undefined)) {
    throw new HttpRefusal(
      'invalid',
      'body.config_data: send the document either there, in base64, or as text in config',
    );
  }
  return body.config_data === undefined
    ? Buffer.from(body.config ?? '', 'utf8')
    : Buffer.from(body.config_data, 'base64');
}
