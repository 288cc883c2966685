import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RegionVariables } from '../../../proto/vocab/variables.ts';
import { inOrder, PageQuery, PageShape, pageOf } from './page.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, Reason, RegionWord, Revision, Stamp } from './shapes.ts';

const Region = z
  .object({
    region: z.string(),
    variables: z.record(z.string(), z.string()),
    updated_by: z.string(),
    updated_at: Stamp,
    mod_revision: Revision,
  })
  .meta({ id: 'Region' });

function regionJson(r: RegionVariables): z.output<typeof Region> {
  return {
    region: r.region,
    variables: { ...r.variables },
    updated_by: r.updatedBy,
    updated_at: iso(r.updatedAt),
    mod_revision: r.modRevision,
  };
}

export function addRegions(app: FastifyInstance, { services }: RouteNeeds): void {
  const { variables, nodes } = services;

  route(app, {
    method: 'GET',
    url: '/regions',
    may: 'watch',
    noun: 'regions',
    summary: "Regions with variables, and what a document's region.NAME stands for there",
    query: z.strictObject({ ...PageQuery }),
    tagged: true,
    replies: { 200: { description: 'a page', body: z.object({ regions: z.array(Region), ...PageShape }) } },
    handle: ({ query }) => {
      const { revision } = nodes.facts();
      const name = (r: RegionVariables): string => r.region;
      const page = pageOf(inOrder(variables.listRegions(), name), query, name);
      return { body: { regions: page.items.map(regionJson), next: page.next, revision }, revision };
    },
  });

  route(app, {
    method: 'PATCH',
    url: '/regions/:region/variables',
    may: 'config.publish',
    noun: 'regions',
    summary: 'Some of them; null takes one away. Nodes whose document changes by it get the new one',
    params: z.strictObject({ region: RegionWord }),
    body: z.strictObject({
      variables: z.record(z.string().min(1).max(63), z.string().max(253).nullable()),
      reason: Reason.optional(),
    }),
    mutates: 'entity',
    replies: {
      200: {
        description: 'as they are now, and the nodes that follow',
        body: z.object({ revision: Revision, region: Region, nodes: z.array(z.string()) }),
      },
    },
    handle: async (asked) => {
      const { variables: some, reason } = asked.body;
      const r = await variables.setRegion(asked.mutation(reason), {
        region: asked.params.region,
        variables: some,
      });
      return {
        body: { revision: r.revision, region: regionJson(r.region), nodes: r.nodes },
        revision: r.region.modRevision,
      };
    },
  });
}
