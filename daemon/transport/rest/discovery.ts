import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { Node } from '../../../proto/vocab/node.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { NodeTypeWord, RegionWord } from './shapes.ts';

const Targets = z
  .array(z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) }))
  .describe('as http_sd_configs of Prometheus reads it: one scrape a node, each answered by this master')
  .meta({ id: 'ScrapeTargets' });

/**
 * Where a Prometheus finds the nodes. The master answers for all of them, at the address that it was asked at: what it
 * knows is at most a report old, and no node needs a port for it.
 */
export function addDiscovery(app: FastifyInstance, { services, tls }: RouteNeeds): void {
  route(app, {
    method: 'GET',
    url: '/prometheus/sd',
    may: 'metrics.read',
    noun: 'metrics',
    summary: 'Scrape targets for http_sd_configs of Prometheus, one a node',
    query: z.strictObject({ region: RegionWord.optional(), type: NodeTypeWord.optional() }),
    replies: { 200: { description: 'the targets', body: Targets } },
    handle: ({ query, request }) => ({
      body: services.nodes
        .facts()
        .nodes.filter(
          (n) =>
            n.identity === 'accepted' &&
            (query.region === undefined || n.region === query.region) &&
            (query.type === undefined || n.nodeType === query.type),
        )
        .map((n) => ({ targets: [addressOf(request.host)], labels: labelsOf(n, tls) })),
    }),
  });
}

/** @throws AppError `invalid` */
function addressOf(host: string): string {
  if (/^[A-Za-z0-9.:_[\]-]{1,260}$/.test(host)) return host;
  throw new AppError('invalid', 'Host: it must name this master, as targets are told by it');
}

function labelsOf(n: Node, tls: boolean): Record<string, string> {
  const own = Object.entries(n.labels).map(([k, v]) => [`__meta_ai_cdn_label_${k.replace(/\W/g, '_')}`, v]);
  return {
    ...Object.fromEntries(own),
    __scheme__: tls ? 'https' : 'http',
    __metrics_path__: `/metrics/nodes/${n.name}`,
    instance: n.name,
    node: n.name,
    region: n.region,
    type: n.nodeType,
  };
}
