import { z } from 'zod';
import {
  CHECKS,
  LISTENER_CHANGES,
  type BlastRadius as VocabBlast,
  WARNINGS,
} from '../../../proto/vocab/blast.ts';
import { NodeTypeWord } from './shapes.ts';
import { planJson, RolloutPlan } from './strategy-shape.ts';

const ListenerBlast = z
  .object({
    change: z
      .enum(LISTENER_CHANGES)
      .describe('closes: its streams finish where they are; changes: the address stays, another type'),
    service: z.string(),
    addr: z.string(),
    type: z.string(),
    nodes: z.int().describe('on how many'),
    streams: z.int().nullable().describe('live on one that closes; null: not known, or it does not close'),
  })
  .meta({ id: 'ListenerBlast' });

const RouteBlast = z
  .object({
    of: z.enum(['hop', 'forwarder', 'service']),
    name: z.string().describe('of the hop or the service'),
    node: z.string().nullable().describe('of it; null: all of it'),
    addr: z.string(),
    change: z.enum(['added', 'removed', 'changed']),
    fields: z.array(
      z.object({ key: z.string(), from: z.string().describe('passwords read *'), to: z.string() }),
    ),
    services: z.array(z.string()).describe('whose new connections it is about'),
    takers: z.int().nullable().describe('nodes beside it that take new connections afterwards'),
    nodes: z.int().describe('on how many'),
    streams: z.int().nullable().describe('live on the core of that name; null: there is none, or not known'),
  })
  .meta({ id: 'RouteBlast' });

const BlastCheck = z
  .object({
    check: z.enum(CHECKS),
    verdict: z
      .enum(['pass', 'warn', 'fail', 'unknown'])
      .describe('unknown: nobody can say before it is tried'),
    passed: z.int(),
    of: z.int().describe('nodes this was asked of'),
    bad: z.int().describe('those the verdict is about'),
    about: z.array(z.string()).describe('variables, addresses, engines that were looked at'),
    nodes: z.array(z.string()).describe('the first of those the verdict is about'),
    why: z.string(),
  })
  .meta({ id: 'BlastCheck' });

const BlastWarning = z
  .object({
    code: z.enum(WARNINGS),
    nodes: z.int().describe('how many; 0: it is about no single one'),
    names: z.array(z.string()).describe('the first of them'),
    text: z.string(),
  })
  .meta({ id: 'BlastWarning' });

export const BlastRadius = z
  .object({
    to_version: z.string(),
    nodes: z.array(
      z.object({
        name: z.string(),
        region: z.string(),
        node_type: NodeTypeWord,
        streams: z.int(),
        from: z.string().nullable(),
        change: z.enum(['update', 'first', 'unchanged', 'unfit']),
        why: z.string(),
        closes: z.array(z.object({ service: z.string(), addr: z.string(), streams: z.int().nullable() })),
        opens: z.array(z.object({ service: z.string(), addr: z.string() })),
      }),
    ),
    regions: z.array(z.object({ region: z.string(), nodes: z.int(), streams: z.int() })),
    streams: z.int(),
    streams_cut: z.int().describe('of them, those that would end before they are over'),
    listeners_closed: z.int(),
    listeners: z.array(ListenerBlast).describe('what closes first'),
    routes: z.array(RouteBlast).describe('where new connections go otherwise; those of most nodes first'),
    routes_unknown: z.int().describe('nodes that run what is no version here any more'),
    more: z.int().describe('listeners and routes beyond those that are told'),
    checks: z.array(BlastCheck).describe('what was looked at'),
    warnings: z.array(BlastWarning).describe('what stops nothing and should be known'),
    plan: RolloutPlan.describe('in which steps'),
  })
  .meta({ id: 'BlastRadius' });

export function blastJson(b: VocabBlast): z.output<typeof BlastRadius> {
  return {
    to_version: b.toLabel,
    nodes: b.nodes.map((n) => ({
      name: n.name,
      region: n.region,
      node_type: n.nodeType,
      streams: n.streams,
      from: n.from,
      change: n.change,
      why: n.why,
      closes: n.closes.map((c) => ({ ...c })),
      opens: n.opens.map(({ service, addr }) => ({ service, addr })),
    })),
    regions: b.regions.map((r) => ({ ...r })),
    streams: b.streams,
    streams_cut: b.streamsCut,
    listeners_closed: b.listenersClosed,
    listeners: b.listeners.map((l) => ({ ...l })),
    routes: b.routes.map((r) => ({
      ...r,
      fields: r.fields.map((f) => ({ ...f })),
      services: [...r.services],
    })),
    routes_unknown: b.routesUnknown,
    more: b.more,
    checks: b.checks.map((c) => ({ ...c, about: [...c.about], nodes: [...c.nodes] })),
    warnings: b.warnings.map((x) => ({ ...x, names: [...x.names] })),
    plan: planJson(b.plan),
  };
}
