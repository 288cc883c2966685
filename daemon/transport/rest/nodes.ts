import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { CommandType } from '../../../proto/vocab/command.ts';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { NODE_STATUSES, type NodeVitals, type Node as VocabNode } from '../../../proto/vocab/node.ts';
import { CommandTask, commandJson } from './command-shape.ts';
import { Node, NodeChanged, NodeItem, nodeItem, nodeJson, nodeLive } from './node-shape.ts';
import { PageQuery, PageShape } from './page.ts';
import { type Asked, route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import {
  Flag,
  LabelPair,
  labelsHold,
  NodeTypeWord,
  Reason,
  ReasonBody,
  RegionWord,
  Revision,
  repeated,
  TagsIn,
  TagValue,
  whole,
} from './shapes.ts';

export const ById = z.strictObject({ id: z.string().min(1).max(63).describe("the node's name") });

const ListQuery = z.strictObject({
  ...PageQuery,
  region: repeated(RegionWord),
  type: NodeTypeWord.optional(),
  status: repeated(z.enum(NODE_STATUSES)),
  config_sync: z.enum(['in_sync', 'out_of_sync', 'applying', 'failed', 'drifted', 'unknown']).optional(),
  eligibility: z.enum(['eligible', 'ineligible']).optional(),
  identity: z.enum(['pending', 'accepted', 'revoked']).optional(),
  label: repeated(LabelPair),
  watch: Flag,
  since: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }).optional(),
  store_id: z.string().min(1).max(64).optional(),
});
type ListQuery = z.output<typeof ListQuery>;

const Eligibility = z.enum(['eligible', 'ineligible']);
const TagsPatch = z.record(z.string().min(1).max(63), TagValue.nullable());

/** Verbs on one node, each a command of its own. */
const VERBS = [
  'restart',
  'reload',
  'start',
  'stop',
  'drain',
  'undrain',
] as const satisfies readonly CommandType[];

const VerbBody = ReasonBody.extend({
  timeout_ms: z.int().min(1).max(86_400_000).optional(),
  deadline_ms: z
    .int()
    .min(0)
    .max(86_400_000)
    .optional()
    .describe('drain, stop, restart: streams that are left after this are cut'),
  service: z.string().min(1).max(63).optional().describe('drain, undrain: this service only'),
  hard: z.boolean().optional().describe('restart: the whole engine at once; its streams are cut'),
});

export function addNodes(app: FastifyInstance, needs: RouteNeeds): void {
  const { services, watches, book } = needs;
  const { nodes, commands } = services;

  route(app, {
    method: 'GET',
    url: '/nodes',
    may: 'watch',
    noun: 'nodes',
    summary: 'The nodes, by name; or, with ?watch, what becomes of them',
    query: ListQuery,
    tagged: true,
    replies: {
      200: {
        description: 'a page, or a stream of put, deleted and figures',
        body: z.object({ nodes: z.array(NodeItem), ...PageShape }),
        stream: true,
      },
    },
    problems: ['gone'],
    handle: (asked) => {
      const { query, request } = asked;
      if (query.watch && request.method === 'GET') return watchNodes(asked);
      const at = request.url.indexOf('?');
      const list = book.list(at < 0 ? '' : request.url.slice(at), {
        limit: query.limit,
        cursor: query.cursor,
        holds: (n, v) => holds(query, n) && (query.status?.includes(v.status) ?? true),
      });
      return list;
    },
  });

  function watchNodes(asked: Asked<unknown, ListQuery, unknown>) {
    const { query } = asked;
    return watches.open(
      asked,
      { since: query.since ?? null, storeId: query.store_id },
      {
        kind: 'node',
        item: (n) => (holds(query, n) ? nodeItem(n, book.vitalsOf(n)) : null),
        figures: (names, { nodes: all }) => all.filter((v) => names.has(v.name)).map(nodeLive),
      },
    );
  }

  route(app, {
    method: 'GET',
    url: '/nodes/:id',
    may: 'watch',
    noun: 'nodes',
    summary: 'One node',
    params: ById,
    tagged: true,
    replies: { 200: { description: 'the node', body: Node } },
    handle: ({ params }) => book.one(params.id),
  });

  const changed = (r: { revision: number; node: VocabNode }, vitals: NodeVitals) => ({
    body: { revision: r.revision, node: nodeJson(r.node, vitals) },
    revision: r.node.modRevision,
  });
  const told = { 200: { description: 'as it is now', body: NodeChanged } };
  type Update = { labels?: Readonly<Record<string, string | null>>; eligibility?: 'eligible' | 'ineligible' };
  const update = async (
    asked: Asked<{ id: string }, unknown, { reason?: string | undefined }>,
    what: Update,
  ) => {
    const { id } = asked.params;
    const r = await nodes.update(asked.mutation(asked.body.reason), { name: id, ...what });
    return changed(r, nodes.get(id).vitals);
  };
  /** What stands there and is not named goes. */
  const instead = (id: string, labels: Readonly<Record<string, string>>): Record<string, string | null> => ({
    ...Object.fromEntries(Object.keys(nodes.get(id).node.labels).map((k) => [k, null])),
    ...labels,
  });

  route(app, {
    method: 'PUT',
    url: '/nodes/:id',
    may: 'node.update',
    noun: 'nodes',
    summary: 'Its labels (all of them) and whether other nodes are sent to it',
    params: ById,
    body: z.strictObject({
      labels: TagsIn.optional(),
      eligibility: Eligibility.optional(),
      reason: Reason.optional(),
    }),
    mutates: 'entity',
    replies: told,
    handle: (asked) => {
      const { labels, eligibility } = asked.body;
      return update(asked, {
        ...(labels ? { labels: instead(asked.params.id, labels) } : {}),
        ...(eligibility ? { eligibility } : {}),
      });
    },
  });

  route(app, {
    method: 'DELETE',
    url: '/nodes/:id',
    may: 'node.remove',
    noun: 'nodes',
    summary: 'Revokes its certificates and ends its session',
    params: ById,
    query: z.strictObject({ keep: Flag.describe('it stays in the list, as revoked') }),
    mutates: 'entity',
    replies: { 200: { description: 'done', body: z.object({ revision: Revision }) } },
    handle: async (asked) => {
      const { keep } = asked.query;
      return { body: await nodes.remove(asked.mutation(), { name: asked.params.id, keep }) };
    },
  });

  for (const [method, summary] of [
    ['PUT', 'Its labels: these and no others'],
    ['PATCH', 'Some of its labels; null takes one away'],
  ] as const) {
    route(app, {
      method,
      url: '/nodes/:id/tags',
      may: 'node.update',
      noun: 'nodes',
      summary,
      params: ById,
      body: z.strictObject({ tags: method === 'PUT' ? TagsIn : TagsPatch, reason: Reason.optional() }),
      mutates: 'entity',
      replies: told,
      handle: (asked) => {
        const { tags } = asked.body;
        const labels = method === 'PUT' ? instead(asked.params.id, tags as Record<string, string>) : tags;
        return update(asked, { labels });
      },
    });
  }

  route(app, {
    method: 'PUT',
    url: '/nodes/:id/eligibility',
    may: 'node.update',
    noun: 'nodes',
    summary: 'Whether other nodes are sent to it',
    params: ById,
    body: z.strictObject({ eligibility: Eligibility, reason: Reason.optional() }),
    mutates: 'entity',
    replies: told,
    handle: (asked) => update(asked, { eligibility: asked.body.eligibility }),
  });

  for (const verb of VERBS) {
    route(app, {
      method: 'POST',
      url: `/nodes/:id/${verb}`,
      may: `command.${verb}`,
      noun: 'nodes',
      summary: `A ${verb} of this node, as a command`,
      params: ById,
      body: z.preprocess((v) => v ?? {}, VerbBody),
      mutates: 'new',
      replies: {
        202: { description: 'on its way; GET /commands/{task_id} says how far', body: CommandTask },
      },
      handle: async (asked) => {
        const { body, params } = asked;
        nodes.get(params.id);
        const r = await commands.run(asked.mutation(body.reason ?? `${verb} by REST`), {
          type: verb,
          target: { nodes: [params.id as NodeName] },
          timeoutMs: body.timeout_ms ?? null,
          expiresMs: null,
          dryRun: false,
          maxParallel: null,
          options: {
            ...(body.deadline_ms === undefined ? {} : { deadlineMs: body.deadline_ms }),
            ...(body.service === undefined ? {} : { service: body.service }),
            ...(body.hard === undefined ? {} : { hard: body.hard }),
          },
        });
        return {
          status: 202,
          body: commandJson(r.command),
          revision: r.command.modRevision,
          location: `/api/v1/commands/${r.command.id}`,
        };
      },
    });
  }
}

function holds(q: ListQuery, n: VocabNode): boolean {
  return (
    (q.region?.includes(n.region) ?? true) &&
    (q.type === undefined || q.type === n.nodeType) &&
    (q.config_sync === undefined || q.config_sync === n.configSync) &&
    (q.eligibility === undefined || q.eligibility === n.eligibility) &&
    (q.identity === undefined || q.identity === n.identity) &&
    labelsHold(n.labels, q.label)
  );
}
