import type { NodeName, Revision } from '../../../proto/vocab/ids.ts';
import type { Node, NodeVitals } from '../../../proto/vocab/node.ts';
import type { NodesService } from '../../service/api.ts';
import type { Clock } from '../../service/ports.ts';
import { nodeItem, nodeJson } from './node-shape.ts';
import { pageOf } from './page.ts';

export interface NodeFilter {
  readonly limit: number;
  readonly cursor?: string | undefined;
  /** All that a node must be to stand in the list. */
  holds(node: Node, vitals: NodeVitals): boolean;
}

interface Written {
  readonly node: Node;
  readonly vitals: NodeVitals;
  readonly text: string;
}

const MOST_LISTS = 64;
const MOST_NODES = 4096;

/**
 * Nodes as JSON, made once: what is stored of a node changes with its revision only, and its figures are read once a
 * second. So an answer is never behind a write, and its figures are a second old at most.
 */
export class NodeBook {
  private readonly nodes: NodesService;
  private readonly clock: Clock;
  private second = -1;
  private vitals = new Map<NodeName, NodeVitals>();
  private readonly items = new Map<NodeName, Written>();
  /** As text: one write with its headers, where bytes would be a second one. */
  private readonly ones = new Map<string, { readonly node: Node; readonly text: string }>();
  private readonly lists = new Map<string, { readonly revision: Revision; readonly bytes: Buffer }>();
  private ordered: { readonly facts: readonly Node[]; readonly sorted: readonly Node[] } | null = null;

  constructor(nodes: NodesService, clock: Clock) {
    this.nodes = nodes;
    this.clock = clock;
  }

  /** @throws AppError `not_found` */
  one(name: string): { readonly made: string; readonly revision: Revision } {
    this.turn();
    const node = this.nodes.fact(name);
    const known = this.ones.get(name);
    if (known && known.node === node) return { made: known.text, revision: node.modRevision };
    const text = JSON.stringify(nodeJson(node, this.vitalsOf(node)));
    if (this.ones.size >= MOST_NODES) this.ones.clear();
    this.ones.set(name, { node, text });
    return { made: text, revision: node.modRevision };
  }

  /** `key` tells lists apart: the query as it was asked. The tag holds the second too, as figures change with it. */
  list(key: string, filter: NodeFilter): { readonly made: Buffer; readonly etag: string } {
    this.turn();
    const { nodes, revision } = this.nodes.facts();
    const etag = `W/"${revision}.${this.second}"`;
    const known = this.lists.get(key);
    if (known && known.revision === revision) return { made: known.bytes, etag };
    const page = pageOf(
      this.inOrder(nodes).filter((n) => filter.holds(n, this.vitalsOf(n))),
      filter,
      (n) => n.name,
    );
    const items = page.items.map((n) => this.itemOf(n));
    const bytes = Buffer.from(
      `{"nodes":[${items.join(',')}],"next":${JSON.stringify(page.next)},"revision":${revision}}`,
    );
    if (this.lists.size >= MOST_LISTS) this.lists.clear();
    this.lists.set(key, { revision, bytes });
    return { made: bytes, etag };
  }

  vitalsOf(node: Node): NodeVitals {
    const known = this.vitals.get(node.name);
    if (known) return known;
    const { vitals } = this.nodes.get(node.name);
    this.vitals.set(node.name, vitals);
    return vitals;
  }

  /** A new second: figures are read anew. */
  private turn(): void {
    const second = Math.floor(this.clock.now() / 1000);
    if (second === this.second) return;
    this.second = second;
    this.vitals = new Map();
    this.ones.clear();
    this.lists.clear();
    if (this.items.size > 2 * this.nodes.facts().nodes.length + MOST_NODES) this.items.clear();
  }

  private itemOf(node: Node): string {
    const vitals = this.vitalsOf(node);
    const known = this.items.get(node.name);
    if (known?.node === node && known.vitals === vitals) return known.text;
    const text = JSON.stringify(nodeItem(node, vitals));
    this.items.set(node.name, { node, vitals, text });
    return text;
  }

  private inOrder(facts: readonly Node[]): readonly Node[] {
    if (this.ordered?.facts === facts) return this.ordered.sorted;
    const sorted = [...facts].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    this.ordered = { facts, sorted };
    return sorted;
  }
}
