import { routeChanges } from '../../proto/document/routes.ts';
import type { RouteBlast, RouteChange } from '../../proto/vocab/blast.ts';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { ConfigHash, Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { MetricsRings, Snapshot } from './ports.ts';
import type { RenderedDocument } from './rendering.ts';
import { type RunningDocuments, runs } from './running-documents.ts';
import type { Templates } from './templates.ts';

interface Needs {
  readonly templates: Templates;
  readonly rings: Pick<MetricsRings, 'figures'>;
  readonly running: RunningDocuments;
}

interface Sum {
  readonly change: RouteChange;
  nodes: number;
}

interface Pair {
  readonly changes: readonly RouteChange[];
  nodes: number;
}

/** What is told of routes at most, and of what a reader warns of. */
const MOST = 64;
const MOST_WARNINGS = 8;

/** Where new connections would go otherwise: two documents are compared once, however many nodes go from one to the other. */
export class Routes {
  private readonly needs: Needs;
  private readonly view: Snapshot;
  private readonly now: Millis;
  private readonly pairs = new Map<string, Pair>();
  private readonly warned = new Map<string, Node[]>();
  private unknown = 0;

  constructor(needs: Needs, view: Snapshot, now: Millis) {
    this.needs = needs;
    this.view = view;
    this.now = now;
  }

  /** A node that would get this. One that runs nothing has no routes that could change. */
  add(rendered: RenderedDocument, node: Node): void {
    const from = runs(node);
    if (from === null) return;
    const key = `${from} ${rendered.hash}`;
    const known = this.pairs.get(key);
    if (known) {
      known.nodes += 1;
      return;
    }
    const was = this.needs.running.of(node);
    if (!was) {
      this.unknown += 1;
      return;
    }
    const changes = routeChanges(was, this.needs.templates.document(rendered));
    this.pairs.set(key, { changes, nodes: 1 });
  }

  /** What is to be said of the document itself. */
  warn(rendered: RenderedDocument, node: Node): void {
    for (const refusal of rendered.warnings) {
      const text = formatRefusal(refusal);
      const nodes = this.warned.get(text);
      if (nodes) nodes.push(node);
      else this.warned.set(text, [node]);
    }
  }

  warnings(): readonly { readonly text: string; readonly nodes: readonly Node[] }[] {
    return [...this.warned].slice(0, MOST_WARNINGS).map(([text, nodes]) => ({ text, nodes }));
  }

  told(): { readonly told: readonly RouteBlast[]; readonly more: number; readonly unknown: number } {
    const sums = new Map<string, Sum>();
    for (const { changes, nodes } of this.pairs.values()) {
      for (const change of changes) {
        const key = JSON.stringify(change);
        const known = sums.get(key);
        if (known) known.nodes += nodes;
        else sums.set(key, { change, nodes });
      }
    }
    const all = [...sums.values()].toSorted(
      (a, b) => b.nodes - a.nodes || rankOf(a.change) - rankOf(b.change),
    );
    const told = all.slice(0, MOST).map(({ change, nodes }) => ({
      ...change,
      nodes,
      streams: change.node === null ? null : this.streamsOn(change.node),
    }));
    return { told, more: all.length - told.length, unknown: this.unknown };
  }

  /**
   * Nodes that would not be hit and go on sending to a core that the others are led away from; by core.
   * @param hit names of those that would be
   */
  othersThatStay(
    hit: ReadonlySet<string>,
  ): readonly { readonly core: string; readonly nodes: readonly Node[] }[] {
    const left = new Set<string>();
    for (const { changes } of this.pairs.values()) {
      for (const c of changes) if (c.of === 'hop' && c.node !== null && isLeft(c)) left.add(c.node);
    }
    const cores = [...left].filter((name) => this.core(name) !== undefined).slice(0, MOST_WARNINGS);
    if (cores.length === 0) return [];
    const by = new Map<ConfigHash, Node[]>();
    for (const node of this.view.list('node')) {
      const hash = runs(node);
      if (hash === null || hit.has(node.name) || node.identity !== 'accepted') continue;
      const known = by.get(hash);
      if (known) known.push(node);
      else by.set(hash, [node]);
    }
    const stay = new Map<string, Node[]>();
    for (const nodes of by.values()) {
      const [first] = nodes;
      const document = first && this.needs.running.of(first);
      const sends = new Set(document?.hops.flatMap((h) => h.nodes.map((n) => n.name)));
      for (const core of cores) if (sends.has(core)) stay.set(core, [...(stay.get(core) ?? []), ...nodes]);
    }
    return [...stay].map(([core, nodes]) => ({ core, nodes }));
  }

  private core(name: string): Node | undefined {
    const node = this.view.get('node', name);
    return node?.nodeType === 'core' ? node : undefined;
  }

  private streamsOn(name: string): number | null {
    return this.core(name) ? (this.needs.rings.figures(name as NodeName, this.now)?.streams ?? null) : null;
  }
}

/** Of changes on equally many nodes: where streams go away from first, how one is chosen last. */
function rankOf(c: RouteChange): number {
  if (isLeft(c)) return 0;
  return c.node === null ? 2 : 1;
}

/** New connections are led away from it. */
function isLeft(c: RouteChange): boolean {
  return c.change === 'removed' || c.fields.some((f) => f.key === 'backup' && f.from === 'false');
}
