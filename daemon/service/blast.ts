import type { BlastRadius, NodeBlast } from '../../proto/vocab/blast.ts';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { RolloutPlan } from '../../proto/vocab/rollout.ts';
import type { NodeFacts } from '../core/rollout/facts.ts';
import { Checks } from './blast-checks.ts';
import { type ListenerChange, ListenerChanges } from './blast-listeners.ts';
import { Routes } from './blast-routes.ts';
import { warningsOf } from './blast-warnings.ts';
import type { MetricsRings } from './ports.ts';
import type { Plan } from './publishing.ts';
import { type Rendered, unfitness } from './rendering.ts';
import { RunningDocuments } from './running-documents.ts';
import type { Templates } from './templates.ts';

interface Needs {
  readonly templates: Templates;
  readonly rings: Pick<MetricsRings, 'figures' | 'services'>;
}

/** What a publication would do: told node after node, then all of it at once. */
export class Blast {
  private readonly needs: Needs;
  private readonly plan: Plan;
  private readonly now: Millis;
  private readonly nodes: NodeBlast[] = [];
  private readonly regions = new Map<string, { region: string; nodes: number; streams: number }>();
  private readonly listeners = new ListenerChanges();
  private readonly routes: Routes;
  private readonly checks: Checks;
  private streams = 0;
  private streamsCut = 0;
  private closed = 0;
  private readonly cut: Node[] = [];
  private readonly refusedBefore: Node[] = [];
  private readonly drifted: Node[] = [];

  constructor(needs: Needs, plan: Plan, now: Millis) {
    this.needs = needs;
    this.plan = plan;
    this.now = now;
    this.routes = new Routes(
      { ...needs, running: new RunningDocuments(needs.templates, plan.after) },
      plan.after,
      now,
    );
    this.checks = new Checks(needs.templates, plan.value);
  }

  /** @param facts what its rollout would be told of it */
  add(node: Node, facts: NodeFacts): void {
    const { templates, rings } = this.needs;
    const streams = rings.figures(node.name, this.now)?.streams ?? 0;
    const rendered = templates.render(this.plan.after, this.plan.value, node);
    const told = this.blastOf(node, rendered, streams, facts);
    this.nodes.push(told);
    this.streams += streams;
    this.closed += told.closes.length;
    const region = this.regions.get(node.region) ?? { region: node.region, nodes: 0, streams: 0 };
    region.nodes += 1;
    region.streams += streams;
    this.regions.set(node.region, region);
    if (node.configSync === 'drifted') this.drifted.push(node);
  }

  private blastOf(node: Node, rendered: Rendered, streams: number, facts: NodeFacts): NodeBlast {
    const { name, region, nodeType } = node;
    const from = node.effective?.version ?? null;
    const base = { name, region, nodeType, from, streams, closes: NONE, opens: NONE };
    const [first] = unfitness(rendered, node);
    const change = rendered.ok && !first ? this.listeners.of(rendered, node) : null;
    this.checks.add(node, rendered, change, facts.status);
    if (!rendered.ok || first) return { ...base, change: 'unfit', why: first ? formatRefusal(first) : '' };
    // The rollout's steps ask for it again: by then it is known, of each node.
    const { hash } = facts;
    this.routes.warn(rendered, node);
    if (node.effective?.hash === hash) {
      this.listeners.add(change, []);
      return { ...base, change: 'unchanged', why: 'it runs this very document' };
    }
    this.routes.add(rendered, node);
    if (facts.wouldCut > 0) {
      this.cut.push(node);
      this.streamsCut += facts.wouldCut;
    }
    const again = node.rejectedHash === hash;
    if (again) this.refusedBefore.push(node);
    const closes = this.closesOf(node, change);
    this.listeners.add(change, closes);
    const opens = change?.opens ?? NONE;
    const why = again ? 'it has refused this document before: it is tried once more' : '';
    if (!node.effective)
      return { ...base, change: 'first', why: why || 'it runs nothing yet', closes, opens };
    const was = from === null ? 'something that is no version here' : from;
    return { ...base, change: 'update', why: why || `it runs ${was}`, closes, opens };
  }

  /** Figures by service are worked out of histograms: only nodes that close something are asked. */
  private closesOf(node: Node, change: ListenerChange | null): NodeBlast['closes'] {
    if (!change || change.closes.length === 0) return NONE;
    const services = this.needs.rings.services(node.name, this.now);
    return change.closes.map(({ service, addr }) => ({
      service,
      addr,
      streams: services.find((s) => s.service === service)?.streams ?? null,
    }));
  }

  /** @param how in which steps it would go */
  told(how: RolloutPlan): BlastRadius {
    const listeners = this.listeners.told();
    const routes = this.routes.told();
    const hit = new Set<string>(this.nodes.map((n) => n.name));
    return {
      toLabel: this.plan.value.label,
      nodes: this.nodes,
      regions: [...this.regions.values()].toSorted((a, b) => (a.region < b.region ? -1 : 1)),
      streams: this.streams,
      streamsCut: this.streamsCut,
      listenersClosed: this.closed,
      listeners: listeners.told,
      routes: routes.told,
      routesUnknown: routes.unknown,
      more: listeners.more + routes.more,
      checks: this.checks.told(),
      warnings: warningsOf({
        plan: how,
        hit: this.nodes,
        cut: { nodes: this.cut, streams: this.streamsCut },
        refusedBefore: this.refusedBefore,
        drifted: this.drifted,
        others: this.routes.othersThatStay(hit),
        ofDocument: this.routes.warnings(),
      }),
      plan: how,
    };
  }
}

const NONE: readonly never[] = [];
