import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { percent, RANGE_QUERY, Range, rangeJson, rangeOf, wantsRange } from './figure-range.ts';
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
  range: Range.optional().describe('where a range was asked'),
}).meta({ id: 'NodeMetrics' });

const Aggregate = z
  .object({
    region: z.string().nullable(),
    node_type: NodeTypeWord.nullable(),
    service: z.string().nullable(),
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
    range: Range.optional().describe('where a range was asked'),
  })
  .meta({ id: 'Aggregate' });

export function addMetrics(app: FastifyInstance, { services, clock, book }: RouteNeeds): void {
  const { nodes, figures } = services;

  route(app, {
    method: 'GET',
    url: '/metrics/nodes/:id',
    may: 'metrics.read',
    noun: 'metrics',
    summary:
      'Figures of one node: now, of each of its services, of the last hour by the minute, and of a range',
    params: ById,
    query: z.strictObject(RANGE_QUERY),
    replies: { 200: { description: 'the figures', body: NodeMetrics } },
    handle: ({ params, query }) => {
      const d = nodes.detail(params.id);
      const range =
        wantsRange(query) || query.service !== undefined
          ? { range: rangeJson(figures.range(d.node.name, rangeOf(query)), query.buckets) }
          : {};
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
          ...range,
        },
      };
    },
  });

  route(app, {
    method: 'GET',
    url: '/metrics/aggregate',
    may: 'metrics.read',
    noun: 'metrics',
    summary: 'Figures of a region, a type, a service or all of it, from merged samples: now, and of a range',
    query: z.strictObject({ region: RegionWord.optional(), type: NodeTypeWord.optional(), ...RANGE_QUERY }),
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
      const nodeType = query.type ?? 'edge';
      const place = { region: query.region ?? null, nodeType };
      const measured = here.filter((n) => n.nodeType === nodeType);
      const online = here.filter((n) => book.vitalsOf(n).status === 'ready');
      const now =
        query.service === undefined
          ? mergedJson(nodes.merged(measured.map((n) => n.name)))
          : latelyJson(figures.lately(place, query.service));
      const range = wantsRange(query)
        ? { range: rangeJson(figures.rangeOf(place, rangeOf(query)), query.buckets) }
        : {};
      return {
        body: {
          region: query.region ?? null,
          node_type: query.type ?? null,
          service: query.service ?? null,
          nodes_total: here.length,
          nodes_online: online.length,
          nodes_measured: measured.length,
          ...now,
          at: iso(clock.now()),
          ...range,
        },
      };
    },
  });
}

function mergedJson(m: ReturnType<RouteNeeds['services']['nodes']['merged']>) {
  return { streams: m.streams, rps: m.rps, ttft_p95_ms: m.ttft95Ms, p99_ms: m.p99Ms, err_pct: m.errPct };
}

/** Of one service: what is counted of it together, not node by node. */
function latelyJson(p: ReturnType<RouteNeeds['services']['figures']['lately']>) {
  return {
    streams: p?.streams ?? 0,
    rps: p?.rps ?? null,
    ttft_p95_ms: p?.ttft95Ms ?? null,
    p99_ms: p?.connect99Ms ?? null,
    err_pct: p && percent(p.errors, p.requests, p.errors),
  };
}
