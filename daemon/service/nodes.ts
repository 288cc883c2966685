import { AppError } from '../../proto/vocab/errors.ts';
import { isWord, type Millis, type NodeName } from '../../proto/vocab/ids.ts';
import type {
  Eligibility,
  FleetVitals,
  Node,
  NodeType,
  NodeVitals,
  RegionVitals,
} from '../../proto/vocab/node.ts';
import type { NodeDetail } from '../../proto/vocab/node-detail.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { left } from '../core/command/task.ts';
import { labelled } from '../core/node/axes.ts';
import { aimed } from './agents.ts';
import type { NodesService as Api, Mutation } from './api.ts';
import { merge, nothing } from './decisions.ts';
import { dispatch, openTasks } from './dispatch.ts';
import { removal } from './enrolment.ts';
import type { AgentLink, Clock, Draft, MergedFigures, MetricsRings, Snapshot, Store } from './ports.ts';
import type { Sessions } from './sessions.ts';
import type { Templates } from './templates.ts';
import { type Decision, type Effect, guardRevision, type Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly templates: Templates;
  readonly sessions: Sessions;
  readonly rings: MetricsRings;
  readonly link: AgentLink;
  readonly clock: Clock;
  readonly store: Pick<Store, 'degraded'>;
}

const MINUTE_MS = 60_000;
const MOST_LOG = 200;
const MOST_COMMANDS = 10;
const MOST_EVENTS = 30;
const MOST_LABELS = 32;

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
  private settle: (before: Node, after: Node, view: Snapshot) => Decision<null> = () => nothing();

  constructor(needs: Needs) {
    this.needs = needs;
  }

  list(): ReturnType<Api['list']> {
    const view = this.needs.writer.view();
    const now = this.needs.clock.now();
    const nodes = view.list('node');
    return { nodes, vitals: nodes.map((n) => this.vitals(n, now)), revision: view.revision };
  }

  facts(): ReturnType<Api['facts']> {
    const view = this.needs.writer.view();
    return { nodes: view.list('node'), revision: view.revision };
  }

  fact(name: string): Node {
    return known(this.needs.writer.view(), name);
  }

  merged(names: readonly NodeName[]): MergedFigures {
    return this.needs.rings.merged(names, this.needs.clock.now());
  }

  detail(name: string): NodeDetail {
    const { writer, rings, clock } = this.needs;
    const view = writer.view();
    const node = known(view, name);
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
      drains: this.needs.sessions.drains(node.name),
    };
  }

  get(name: string): { node: Node; vitals: NodeVitals } {
    const node = known(this.needs.writer.view(), name);
    return { node, vitals: this.vitals(node, this.needs.clock.now()) };
  }

  /** What follows from a node that is aimed anew: its config is offered to it. */
  onAimed(settle: (before: Node, after: Node, view: Snapshot) => Decision<null>): void {
    this.settle = settle;
  }

  async update(m: Mutation, args: Parameters<Api['update']>[1]): ReturnType<Api['update']> {
    const { name, labels, eligibility } = args;
    const given = checkedLabels(labels ?? {});
    if (Object.keys(given).length === 0 && eligibility === undefined) {
      throw new AppError('invalid', 'nothing to change: give labels or the eligibility');
    }
    const { writer, templates } = this.needs;
    const { revision } = await writer.mutate(
      m,
      'node.update',
      { name, labels: given, eligibility: eligibility ?? null },
      (view, now): Decision<string> => {
        const node = known(view, name);
        guardRevision(m, `node ${node.name}`, node.modRevision);
        const next = relabelled(node, given, eligibility ?? node.eligibility);
        const said = [
          ...Object.entries(given).map(([k, v]) => (v === null ? `${k} taken away` : `${k}=${v}`)),
        ];
        if (next.eligibility !== node.eligibility) said.push(next.eligibility);
        const event = {
          kind: 'node',
          who: m.caller.actor,
          subject: node.name,
          level: 'info',
          text: `changed: ${said.join(', ')}`,
        } as const;
        const settled = this.settle(node, aimed(next, templates, view, now), view);
        return { ...merge(settled, { ...nothing(), events: [event] }), result: node.name };
      },
      (key) => key,
      (_view, key) => key,
    );
    return { revision, node: known(writer.view(), name) };
  }

  async remove(m: Mutation, args: Parameters<Api['remove']>[1]): ReturnType<Api['remove']> {
    const { name, keep } = args;
    const { writer, link, sessions, rings } = this.needs;
    const { revision } = await writer.mutate(
      m,
      'node.remove',
      args,
      (view, now): Decision<string> => {
        const node = known(view, name);
        guardRevision(m, `node ${node.name}`, node.modRevision);
        const ops: Draft[] = [
          removal(node, view.get('removed', node.name), now),
          keep
            ? { op: 'put', kind: 'node', key: node.name, value: { ...node, identity: 'revoked' } }
            : { op: 'del', kind: 'node', key: node.name },
        ];
        // What is wrong with it is nobody's concern any more.
        for (const a of view.list('alert')) {
          if (a.labels['node'] === node.name) ops.push({ op: 'del', kind: 'alert', key: a.fingerprint });
        }
        const why = `${node.name} was ${keep ? 'revoked' : 'removed'} by ${m.caller.actor}`;
        const effects: Effect[] = [
          () => link.disconnect(node.name, `the certificate of ${node.name} is revoked`),
        ];
        for (const task of openTasks(view)) {
          const without = left(task, node.name, why, now);
          if (without === task) continue;
          const d = dispatch(without, view, link, now);
          ops.push({ op: 'put', kind: 'command', key: task.id, value: d.task });
          effects.push(...d.effects);
        }
        if (!keep) {
          effects.push(() => {
            sessions.forget(node.name);
            rings.forget(node.name);
          });
        }
        return {
          ops,
          events: [
            {
              kind: 'node',
              who: m.caller.actor,
              subject: node.name,
              level: 'warn',
              text: `${keep ? 'revoked' : 'removed'}: its certificate is good for nothing any more`,
            },
          ],
          effects,
          result: node.name,
        };
      },
      (key) => key,
      (_view, key) => key,
    );
    return { revision };
  }

  vitals(node: Node, now: Millis): NodeVitals {
    const { sessions, rings, writer } = this.needs;
    return {
      ...(rings.figures(node.name, now) ?? UNKNOWN_FIGURES),
      name: node.name,
      status: sessions.status(node, now, writer.view().count('node')),
      lastSeen: sessions.presence(node.name).lastSeen,
      clockSkewMs: sessions.skew(node.name),
    };
  }

  /** Edges only: a stream is counted once, where it comes in. They stand first among the regions. */
  fleet([edges]: readonly RegionVitals[]): FleetVitals {
    const { streams = 0, rps = null, ttft95Ms = null, p99Ms = null, errPct = null } = edges ?? {};
    return { streams, rps, ttft95Ms, p99Ms, errPct, degraded: this.needs.store.degraded() };
  }

  /** All edges first, then each region's nodes by type, regions in order. */
  regions(now: Millis): readonly RegionVitals[] {
    const edges: NodeName[] = [];
    const groups = new Map<string, { region: string; nodeType: NodeType; names: NodeName[] }>();
    for (const n of this.needs.writer.view().list('node')) {
      if (n.nodeType === 'edge') edges.push(n.name);
      const key = `${n.region} ${n.nodeType}`;
      const group = groups.get(key) ?? { region: n.region, nodeType: n.nodeType, names: [] };
      group.names.push(n.name);
      groups.set(key, group);
    }
    const ordered = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, g]) => g);
    return this.needs.rings.regions([{ region: null, nodeType: 'edge', names: edges }, ...ordered], now);
  }
}

/** @throws AppError `not_found` */
function known(view: Snapshot, name: string): Node {
  const node = view.get('node', name);
  if (!node) throw new AppError('not_found', `there is no node ${safeText(name, { max: 63 })}`);
  return node;
}

/** @throws AppError `invalid` */
function checkedLabels(
  labels: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string | null>> {
  const given = Object.entries(labels);
  if (given.length > MOST_LABELS) throw new AppError('invalid', `more than ${MOST_LABELS} labels at once`);
  for (const [k, v] of given) {
    if (!isWord(k)) {
      throw new AppError('invalid', `label ${quoted(k)}: up to 63 of a-z, 0-9, -, _ and . are wanted`);
    }
    if (v !== null && !/^[^\p{C}\p{Z}]{1,63}$/u.test(v)) {
      throw new AppError(
        'invalid',
        `label ${k}: ${quoted(v)} is not a value: 1 to 63 characters without spaces`,
      );
    }
  }
  return Object.fromEntries(given);
}

function relabelled(
  node: Node,
  given: Readonly<Record<string, string | null>>,
  eligibility: Eligibility,
): Node {
  if (Object.keys(given).length === 0)
    return eligibility === node.eligibility ? node : { ...node, eligibility };
  const assigned = { ...node.assigned, ...given };
  const labels = labelled(node.labels, given);
  if (Object.keys(assigned).length > MOST_LABELS || Object.keys(labels).length > MOST_LABELS) {
    throw new AppError('invalid', `${node.name} would have more than ${MOST_LABELS} labels`);
  }
  return { ...node, labels, assigned, eligibility };
}

const quoted = (s: string): string => JSON.stringify(safeText(s, { max: 64 }));
