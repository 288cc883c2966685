import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { isSuppressed } from '../../proto/vocab/alert.ts';
import {
  type Counted,
  countedFamilies,
  engineFamilies,
  type Family,
  hostFamilies,
  one,
} from '../../proto/vocab/exposition.ts';
import { NODE_STATUSES, NODE_TYPES, type NodeStatus } from '../../proto/vocab/node.ts';
import type { Services } from '../service/api.ts';
import { registerFamilies } from './families.ts';

export interface Exposition {
  /** What Prometheus reads; figures are read when it asks. */
  read(): Promise<{ readonly text: string; readonly type: string }>;
  /** The same of one node, without labels that tell it from others. @throws AppError `not_found` */
  node(name: string): Promise<{ readonly text: string; readonly type: string }>;
}

interface Needs {
  readonly services: Pick<Services, 'nodes' | 'alerts' | 'figures'>;
  /** Why the master is degraded, or `null`. */
  degraded(): string | null;
}

/**
 * Figures of the fleet and of this process, by the names of the vocabulary, and the merged buckets of each place. What
 * cannot be read is absent, never 0.
 */
export function createExposition({ services, degraded }: Needs): Exposition {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `ai_cdn_${name}`, help, labelNames: [...labelNames], registers: [register] });

  const total = gauge('nodes_total', 'Nodes that have joined.', ['region', 'type']);
  const online = gauge('nodes_online', 'Nodes that are ready.', ['region', 'type']);
  const status = gauge('nodes_status', 'Nodes by status.', ['status']);
  const connections = gauge('connections_active', 'Live streams, counted on the edges.', ['region']);
  const rate = gauge('requests_per_second', 'Requests a second over the last minute, edges.', ['region']);
  const p99 = gauge('connect_p99_seconds', 'Client accepted to tunnel up, p99 of the last minute, edges.', [
    'region',
  ]);
  const ttft = gauge('ttft_p95_seconds', 'Time to first token, p95 of the last minute, edges.', ['region']);
  const errors = gauge('errors_ratio', 'Failed requests of all, last minute, edges.', ['region']);
  const version = gauge('config_version', 'Nodes by the config version that they run.', ['version']);
  const firing = gauge(
    'alerts_firing',
    'Alerts firing; suppressed: silenced, or another alert says it already.',
    ['severity', 'state'],
  );
  const revision = gauge('store_revision', 'Commits of the store.');
  const ill = gauge('degraded', 'Whether the store refuses writes.');
  const all = [total, online, status, connections, rate, p99, ttft, errors, version, firing];

  function fill(): void {
    for (const g of all) g.reset();
    const { nodes, vitals, revision: now } = services.nodes.list();
    revision.set(now);
    ill.set(degraded() === null ? 0 : 1);
    const counts = new Map<NodeStatus, number>(NODE_STATUSES.map((s) => [s, 0]));
    const regions = new Set(nodes.map((n) => n.region));
    for (const region of regions) {
      for (const type of NODE_TYPES) {
        total.set({ region, type }, 0);
        online.set({ region, type }, 0);
      }
    }
    nodes.forEach((n, i) => {
      const is = vitals[i]?.status ?? 'unknown';
      const at = { region: n.region, type: n.nodeType };
      counts.set(is, (counts.get(is) ?? 0) + 1);
      total.inc(at);
      if (is === 'ready') online.inc(at);
      if (n.effective?.version) version.inc({ version: n.effective.version });
    });
    for (const [s, n] of counts) status.set({ status: s }, n);
    for (const region of regions) {
      const edges = nodes.filter((n) => n.nodeType === 'edge' && n.region === region).map((n) => n.name);
      const m = services.nodes.merged(edges);
      connections.set({ region }, m.streams);
      if (m.rps !== null) rate.set({ region }, m.rps);
      if (m.p99Ms !== null) p99.set({ region }, m.p99Ms / 1000);
      if (m.ttft95Ms !== null) ttft.set({ region }, m.ttft95Ms / 1000);
      if (m.errPct !== null) errors.set({ region }, m.errPct / 100);
    }
    // The words of Alertmanager's own `alertmanager_alerts`.
    for (const severity of ['critical', 'warning'] as const) {
      for (const state of ['active', 'suppressed'] as const) firing.set({ severity, state }, 0);
    }
    for (const a of services.alerts.list()) {
      if (a.state !== 'firing') continue;
      firing.inc({ severity: a.severity, state: isSuppressed(a) ? 'suppressed' : 'active' });
    }
  }

  return {
    async read() {
      fill();
      const counted = new Registry();
      registerFamilies(counted, countedFamilies(places(services.figures)));
      // prom-client ends each text with a line end of its own.
      return { text: `${await register.metrics()}\n${await counted.metrics()}`, type: register.contentType };
    },
    async node(name) {
      const one = new Registry();
      registerFamilies(one, nodeFamilies(services, name));
      return { text: await one.metrics(), type: one.contentType };
    },
  };
}

function places(figures: Services['figures']): Counted[] {
  return figures.totalsByPlace().map(({ region, nodeType, all, services }) => ({
    labels: { region, type: nodeType },
    all,
    services,
  }));
}

/** Who scrapes this knows which node it is of: labels of its own would stand in the way of those. */
function nodeFamilies({ nodes, figures }: Needs['services'], name: string): readonly Family[] {
  const { node, vitals } = nodes.get(name);
  const totals = figures.totals(node.name);
  const host = figures.host(node.name);
  const { engine, certificate } = node;
  const seconds = (ms: number | null | undefined): number | null =>
    typeof ms === 'number' ? ms / 1000 : null;
  return [
    one('node_up', 'Whether it is ready, by what the master knows.', vitals.status === 'ready' ? 1 : 0),
    one('node_last_seen_timestamp_seconds', 'When the master last heard of it.', seconds(vitals.lastSeen)),
    one('clock_skew_seconds', "How far its clock is ahead of the master's.", seconds(vitals.clockSkewMs)),
    one('connections_active', 'Live streams.', vitals.streams),
    node.effective
      ? one('config_version', 'The config version that it runs.', 1, {
          version: node.effective.version ?? '',
        })
      : [],
    engine ? engineFamilies(engine) : [],
    certificate
      ? one(
          'certificate_expiry_timestamp_seconds',
          'When its certificate expires.',
          seconds(certificate.notAfter),
        )
      : [],
    totals ? countedFamilies([{ labels: {}, ...totals }]) : [],
    host ? hostFamilies(host) : [],
  ].flat();
}
