import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { FleetVitals, Node, NodeVitals } from '../../proto/vocab/node.ts';
import type { NodeDetail } from '../../proto/vocab/node-detail.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { NodesService as Api } from './api.ts';
import type { Clock, MetricsRings, Store } from './ports.ts';
import type { Sessions } from './sessions.ts';
import type { Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly sessions: Sessions;
  readonly rings: MetricsRings;
  readonly clock: Clock;
  readonly store: Pick<Store, 'degraded'>;
}

const MINUTE_MS = 60_000;
const MOST_LOG = 200;
const MOST_COMMANDS = 10;
const MOST_EVENTS = 30;

const UNKNOWN_FIGURES = {
  streams: null,
  rps: null,
  ttft95Ms: null,
  p99Ms: null,
  errPct: null,
  abortedPct: null,
  gap99Ms: null,
  cpuPct: null,
  memPct: null,
  p99Minutes: [],
} as const;

export class NodesService implements Api {
  private readonly needs: Needs;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  list(): ReturnType<Api['list']> {
    const view = this.needs.writer.view();
    const now = this.needs.clock.now();
    const nodes = view.list('node');
    return { nodes, vitals: nodes.map((n) => this.vitals(n, now)), revision: view.revision };
  }

  detail(name: string): NodeDetail {
    const { writer, rings, clock } = this.needs;
    const view = writer.view();
    const node = view.get('node', name);
    if (!node) throw new AppError('not_found', `there is no node ${safeText(name, { max: 63 })}`);
    const now = clock.now();
    return {
      node,
      vitals: this.vitals(node, now),
      series: rings.series(node.name, now),
      services: rings.services(node.name, now),
      log: rings.log(node.name, MOST_LOG),
      lastMinuteAt: now - (now % MINUTE_MS),
      commands: view
        .list('command')
        .filter((c) => c.results[node.name] !== undefined)
        .slice(-MOST_COMMANDS)
        .reverse(),
      events: view
        .list('event')
        .filter((e) => e.subject === node.name)
        .slice(-MOST_EVENTS)
        .reverse(),
    };
  }

  vitals(node: Node, now: Millis): NodeVitals {
    const { sessions, rings, writer } = this.needs;
    return {
      ...(rings.figures(node.name, now) ?? UNKNOWN_FIGURES),
      name: node.name,
      status: sessions.status(node, now, writer.view().count('node')),
      lastSeen: sessions.presence(node.name).lastSeen,
    };
  }

  /** Edges only: a stream is counted once, where it comes in. */
  fleet(now: Millis): FleetVitals {
    const { writer, rings, store } = this.needs;
    const edges: NodeName[] = [];
    for (const n of writer.view().list('node')) if (n.nodeType === 'edge') edges.push(n.name);
    return { ...rings.merged(edges, now), degraded: store.degraded() };
  }
}
