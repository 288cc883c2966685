import type {
  ListenerBlast as WireListener,
  NodeBlast as WireNode,
  PreviewPublishResponse as WireRadius,
  RouteBlast as WireRoute,
} from '../gen/aicdn/v1/console.ts';
import {
  type BlastRadius,
  type BlastWarning,
  CHECKS,
  LISTENER_CHANGES,
  type ListenerBlast,
  type NodeBlast,
  type RouteBlast,
  WARNINGS,
} from '../vocab/blast.ts';
import { NODE_TYPES } from '../vocab/node.ts';
import { MOST_NODES } from './codec-console.ts';
import { decodePlan, encodePlan } from './codec-rollouts.ts';
import * as w from './wire.ts';

// What a publication would do, wire ⇄ vocab. Decoders throw AppError `invalid`; what only a newer master says is passed over.

const MOST_LISTENERS = 256;
const MOST_REGIONS = 4096;
const MOST_TOLD = 256;
const MOST_FIELDS = 64;
const CHANGES = ['update', 'first', 'unchanged', 'unfit'] as const;
const OF = ['hop', 'forwarder', 'service'] as const;
const ROUTE_CHANGES = ['added', 'removed', 'changed'] as const;
const VERDICTS = ['pass', 'warn', 'fail', 'unknown'] as const;

export function encodeRadius(b: BlastRadius): WireRadius {
  return {
    toLabel: b.toLabel,
    nodes: b.nodes.map(encodeNode),
    regions: b.regions.map((r) => ({ ...r })),
    streams: b.streams,
    streamsCut: w.whole(b.streamsCut, 'streams_cut'),
    listenersClosed: b.listenersClosed,
    listeners: b.listeners.map(encodeListener),
    routes: b.routes.map(encodeRoute),
    routesUnknown: b.routesUnknown,
    more: b.more,
    checks: b.checks.map((c) => ({
      ...{ check: c.check, verdict: c.verdict, passed: c.passed, of: c.of, bad: c.bad },
      about: c.about.map((a) => w.head(a, w.LONGEST.word)),
      nodes: [...c.nodes],
      why: w.head(c.why, w.LONGEST.line),
    })),
    warnings: b.warnings.map((x) => ({
      ...{ code: x.code, nodes: x.nodes, names: [...x.names], text: w.head(x.text, w.LONGEST.line) },
    })),
    plan: encodePlan(b.plan),
  };
}

function encodeNode(n: NodeBlast): WireNode {
  return {
    name: n.name,
    region: n.region,
    nodeType: n.nodeType,
    streams: n.streams,
    from: n.from ?? '',
    change: n.change,
    why: w.head(n.why, w.LONGEST.line),
    closes: n.closes.map((c) => ({
      service: c.service,
      addr: c.addr,
      streams: w.wholeOut(c.streams, 'closes.streams'),
    })),
    opens: n.opens.map(({ service, addr }) => ({ service, addr })),
  };
}

function encodeListener(l: ListenerBlast): WireListener {
  return { ...l, streams: w.wholeOut(l.streams, 'listeners.streams') };
}

function encodeRoute(r: RouteBlast): WireRoute {
  const short = (s: string) => w.head(s, w.LONGEST.word);
  return {
    ...{ of: r.of, name: short(r.name), node: short(r.node ?? ''), addr: short(r.addr), change: r.change },
    fields: r.fields
      .slice(0, MOST_FIELDS)
      .map((f) => ({ key: short(f.key), from: short(f.from), to: short(f.to) })),
    services: r.services.slice(0, MOST_TOLD).map(short),
    takers: w.wholeOut(r.takers, 'routes.takers'),
    nodes: r.nodes,
    streams: w.wholeOut(r.streams, 'routes.streams'),
  };
}

export function decodeRadius(b: WireRadius): BlastRadius {
  return {
    toLabel: w.versionLabel(b.toLabel, 'to_label'),
    nodes: w.bounded(b.nodes, MOST_NODES, 'nodes').map(decodeNode),
    regions: w.bounded(b.regions, MOST_REGIONS, 'regions').map((r) => ({
      region: w.text(r.region, 'regions.region', w.LONGEST.word),
      nodes: r.nodes,
      streams: r.streams,
    })),
    streams: b.streams,
    streamsCut: b.streamsCut,
    listenersClosed: b.listenersClosed,
    listeners: w.bounded(b.listeners, MOST_TOLD, 'listeners').map(decodeListener),
    routes: w.bounded(b.routes, MOST_TOLD, 'routes').map(decodeRoute),
    routesUnknown: b.routesUnknown,
    more: b.more,
    checks: decodeChecks(b),
    warnings: w.bounded(b.warnings, MOST_TOLD, 'warnings').map(decodeWarning),
    plan: decodePlan(w.present(b.plan, 'plan')),
  };
}

function decodeNode(n: WireNode): NodeBlast {
  return {
    name: w.nodeName(n.name, 'nodes.name'),
    region: w.text(n.region, 'nodes.region', w.LONGEST.word),
    nodeType: w.oneOf(n.nodeType, NODE_TYPES, 'nodes.node_type'),
    streams: n.streams,
    from: w.versionLabelOrNull(n.from, 'nodes.from'),
    change: w.oneOf(n.change, CHANGES, 'nodes.change'),
    why: w.text(n.why, 'nodes.why', w.LONGEST.line),
    closes: w.bounded(n.closes, MOST_LISTENERS, 'nodes.closes').map((c) => ({
      service: w.text(c.service, 'closes.service', w.LONGEST.word),
      addr: w.text(c.addr, 'closes.addr', w.LONGEST.word),
      streams: w.figure(c.streams, 'closes.streams'),
    })),
    opens: w.bounded(n.opens, MOST_LISTENERS, 'nodes.opens').map((o) => ({
      service: w.text(o.service, 'opens.service', w.LONGEST.word),
      addr: w.text(o.addr, 'opens.addr', w.LONGEST.word),
    })),
  };
}

function decodeListener(l: WireListener): ListenerBlast {
  return {
    change: w.oneOf(l.change, LISTENER_CHANGES, 'listeners.change'),
    service: w.text(l.service, 'listeners.service', w.LONGEST.word),
    addr: w.text(l.addr, 'listeners.addr', w.LONGEST.word),
    type: w.text(l.type, 'listeners.type', w.LONGEST.word),
    nodes: l.nodes,
    streams: w.figure(l.streams, 'listeners.streams'),
  };
}

function decodeRoute(r: WireRoute): RouteBlast {
  const short = (s: string, field: string) => w.text(s, `routes.${field}`, w.LONGEST.word);
  return {
    of: w.oneOf(r.of, OF, 'routes.of'),
    name: short(r.name, 'name'),
    node: r.node === '' ? null : short(r.node, 'node'),
    addr: short(r.addr, 'addr'),
    change: w.oneOf(r.change, ROUTE_CHANGES, 'routes.change'),
    fields: w.bounded(r.fields, MOST_FIELDS, 'routes.fields').map((f) => ({
      key: short(f.key, 'fields.key'),
      from: short(f.from, 'fields.from'),
      to: short(f.to, 'fields.to'),
    })),
    services: w.bounded(r.services, MOST_TOLD, 'routes.services').map((s) => short(s, 'services')),
    takers: w.figure(r.takers, 'routes.takers'),
    nodes: r.nodes,
    streams: w.figure(r.streams, 'routes.streams'),
  };
}

function decodeChecks(b: WireRadius): BlastRadius['checks'] {
  return w.bounded(b.checks, MOST_TOLD, 'checks').flatMap((c) => {
    const check = CHECKS.find((k) => k === c.check);
    if (check === undefined) return [];
    return [
      {
        ...{ check, passed: c.passed, of: c.of, bad: c.bad },
        verdict: w.oneOf(c.verdict, VERDICTS, 'checks.verdict'),
        about: w.bounded(c.about, MOST_TOLD, 'checks.about').map((a) => w.text(a, 'checks.about')),
        nodes: w.nodeNames(c.nodes, MOST_TOLD, 'checks.nodes'),
        why: w.text(c.why, 'checks.why', w.LONGEST.line),
      },
    ];
  });
}

/** Its words say what it is, whatever its code. */
function decodeWarning(x: WireRadius['warnings'][number]): BlastWarning {
  return {
    code: WARNINGS.find((k) => k === x.code) ?? 'document',
    nodes: x.nodes,
    names: w.nodeNames(x.names, MOST_TOLD, 'warnings.names'),
    text: w.text(x.text, 'warnings.text', w.LONGEST.line),
  };
}
