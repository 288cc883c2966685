import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { NodeLive, nodeLive } from './node-shape.ts';
import { ById } from './nodes.ts';
import { route } from './route.ts';
import type { RouteNeeds } from './routes.ts';
import { iso, NodeTypeWord, RegionWord, Stamp } from './shapes.ts';

const number = z.number().nullable();

const ServiceFigures = z.object({
  service: z.string(),
  streams: z.int(),
  requests: z.int(),
  errors: z.int(),
  aborted: z.object({ client: z.int(), origin: z.int(), tunnel: z.int() }),
  ttft_p50_ms: number,
  ttft_p95_ms: number,
  connect_p99_ms: number,
  gap_p99_ms: number,
});

const NodeMetrics = NodeLive.extend({
  services: z.array(ServiceFigures).describe('each over the last minute'),
  series: z
    .array(z.object({ name: z.string(), values: z.array(number) }))
    .describe('one value a minute, the oldest first; null is no data'),
  last_minute_at: Stamp,
}).meta({ id: 'NodeMetrics' });

const Aggregate = z
  .object({
    region: z.string().nullable(),
    node_type: NodeTypeWord.nullable(),
    nodes_total: z.int(),
    nodes_online: z.int(),
    nodes_measured: z
      .int()
      .describe('whose figures these are: edges, as a stream is counted where it comes in'),
    streams: z.int(),
    rps: number,
    ttft_p95_ms: number,
    p99_ms: number,
    err_pct: number,
    at: Stamp,
  })
  .meta({ id: 'Aggregate' });

export function addMetrics(app: FastifyInstance, { services, clock, book }: RouteNeeds): void {
  const { nodes } = services;

  route(app, {
    method: 'GET',
    url: '/metrics/nodes/:id',
    may: 'metrics.read',
    noun: 'metrics',
    summary: 'Figures of one node: now, of each of its services, and of the last hour by the minute',
    params: ById,
    replies: { 200: { description: 'the figures', body: NodeMetrics } },
    handle: ({ params }) => {
      const d = nodes.detail(params.id);
      return {
        body: {
          ...nodeLive(d.vitals),
          services: d.services.map((s) => ({
            service: s.service,
            streams: s.streams,
            requests: s.requests,
            errors: s.errors,
            aborted: { client: s.abortedClient, origin: s.abortedOrigin, tunnel: s.abortedTunnel },
            ttft_p50_ms: s.ttft50Ms,
            ttft_p95_ms: s.ttft95Ms,
            connect_p99_ms: s.connect99Ms,
            gap_p99_ms: s.gap99Ms,
          })),
          series: d.series.map((s) => ({
            name: s.name,
            values: s.values.map((v) => (Number.isNaN(v) ? null : v)),
          })),
          last_minute_at: iso(d.lastMinuteAt),
        },
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/metrics/aggregate',
    may: 'metrics.read',
    noun: 'metrics',
    summary: 'Figures of a region, a type or all of it, from merged samples',
    query: z.strictObject({ region: RegionWord.optional(), type: NodeTypeWord.optional() }),
    replies: { 200: { description: 'the figures', body: Aggregate } },
    handle: ({ query }) => {
      const here = nodes
        .facts()
        .nodes.filter(
          (n) =>
            (query.region === undefined || n.region === query.region) &&
            (query.type === undefined || n.nodeType === query.type),
        );
      // A core is counted by its own figures only when cores are asked for.
      const measured = here.filter((n) => n.nodeType === (query.type ?? 'edge'));
      const merged = nodes.merged(measured.map((n) => n.name));
      const online = here.filter((n) => book.vitalsOf(n).status === 'ready');
      return {
        body: {
          region: query.region ?? null,
          node_type: query.type ?? null,
          nodes_total: here.length,
          nodes_online: online.length,
          nodes_measured: measured.length,
          streams: merged.streams,
          rps: merged.rps,
          ttft_p95_ms: merged.ttft95Ms,
          p99_ms: merged.p99Ms,
          err_pct: merged.errPct,
          at: iso(clock.now()),
        },
      };
    },
  });
}
