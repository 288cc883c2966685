import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { ConfigHash, Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node, NodeStatus } from '../../proto/vocab/node.ts';
import { targets } from '../core/config-version/target.ts';
import type { NodeFacts, StoredRollout, StoredTarget } from '../core/rollout/facts.ts';
import type { MetricsRings, Snapshot } from './ports.ts';
import { type RenderedDocument, unfitness } from './rendering.ts';
import { sameFacts } from './scope.ts';
import type { Sessions } from './sessions.ts';
import type { Templates } from './templates.ts';

interface Needs {
  readonly templates: Templates;
  readonly sessions: Sessions;
  readonly rings: Pick<MetricsRings, 'figures' | 'services'>;
}

/** What a rollout is told of its nodes. What costs something is worked out when it is asked for. */
export class RolloutFacts {
  private readonly needs: Needs;
  /** Of a node whatever it runs: its config changes with each rollout, what is rendered for it does not. */
  private readonly known = new Map<NodeName, Known>();

  constructor(needs: Needs) {
    this.needs = needs;
  }

  /** Of those who are still members and of its target; of nobody else is anything known. */
  all(
    view: Snapshot,
    rollout: StoredRollout,
    all: Iterable<StoredTarget>,
    now: Millis,
  ): ReadonlyMap<NodeName, NodeFacts> {
    const version = view.get('version', rollout.version);
    const facts = new Map<NodeName, NodeFacts>();
    if (!version) return facts;
    const of = this.of(view, version, now);
    for (const t of all) {
      const node = view.get('node', t.node);
      if (node?.identity !== 'accepted' || !targets(rollout.target, node)) continue;
      facts.set(t.node, of(node, !t.released && t.offeredAt === null));
    }
    return facts;
  }

  /**
   * Of any node at this moment.
   * @returns a function of the node, and of whether the publication asks it once more, whatever it has refused before: it
   *   has not been offered it yet
   */
  of(view: Snapshot, version: ConfigVersion, now: Millis): (node: Node, asked: boolean) => NodeFacts {
    const on = this.madeOf(view, version);
    const fleet = view.count('node');
    // Some have left.
    if (this.known.size > 2 * fleet) this.known.clear();
    const moment: Moment = {
      now,
      fleet,
      rendered: (node) => this.rendered(view, version, node, on),
    };
    return (node, asked) => new FactsOfNode(node, asked, moment, this.needs);
  }

  private madeOf(view: Snapshot, version: ConfigVersion): MadeOf {
    const { templates } = this.needs;
    return {
      body: version.bodyHash,
      regions: view.list('region'),
      secrets: view.list('secret'),
      cores: templates.names(version).some((n) => n.startsWith('core.')) ? view.list('node') : null,
    };
  }

  /** The same again while nothing it depends on has changed: a rollout asks for all its nodes each second. */
  private rendered(view: Snapshot, version: ConfigVersion, node: Node, on: MadeOf): RenderedFacts {
    const known = this.known.get(node.name);
    if (known && same(known.on, on) && sameFacts(known.node, node)) return known.made;
    const rendered = this.needs.templates.render(view, version, node);
    const [unfit] = unfitness(rendered, node);
    const made: RenderedFacts = {
      hash: rendered.ok && !unfit ? rendered.hash : null,
      unfit: unfit ? formatRefusal(unfit) : null,
      listens: rendered.ok && !unfit ? rendered.listens : [],
    };
    this.known.set(node.name, { on, node, made });
    return made;
  }
}

/** What all of them are asked at once. */
interface Moment {
  readonly now: Millis;
  readonly fleet: number;
  readonly rendered: (node: Node) => RenderedFacts;
}

/** Thousands of these are made a second: what is not asked for costs nothing. */
class FactsOfNode implements NodeFacts {
  private readonly node: Node;
  private readonly asked: boolean;
  private readonly moment: Moment;
  private readonly needs: Needs;
  private is: NodeStatus | null = null;
  private made: RenderedFacts | null = null;

  constructor(node: Node, asked: boolean, moment: Moment, needs: Needs) {
    this.node = node;
    this.asked = asked;
    this.moment = moment;
    this.needs = needs;
  }

  get name() {
    return this.node.name;
  }
  get region() {
    return this.node.region;
  }
  get nodeType() {
    return this.node.nodeType;
  }
  get engine() {
    return this.node.engine?.kind ?? 'embedded';
  }
  get eligible() {
    return this.node.eligibility === 'eligible';
  }
  get effectiveHash() {
    return this.node.effective?.hash ?? null;
  }
  get configSync() {
    return this.node.configSync;
  }
  get failure() {
    return this.node.failure;
  }

  get status() {
    this.is ??= this.needs.sessions.status(this.node, this.moment.now, this.moment.fleet);
    return this.is;
  }

  get hash() {
    return this.rendered.hash;
  }
  get unfit() {
    return this.rendered.unfit;
  }

  get rejectedHash() {
    const { rejectedHash } = this.node;
    return this.asked && rejectedHash !== null && rejectedHash === this.hash ? null : rejectedHash;
  }

  get streams() {
    return this.needs.rings.figures(this.node.name, this.moment.now)?.streams ?? 0;
  }

  get wouldCut() {
    const { engine, effective, name } = this.node;
    // Ours swaps its chains under a listener that stays; one that goes lets its streams finish.
    if (engine?.kind !== 'gost' || this.hash === null || this.hash === effective?.hash) return 0;
    return streamsCut(this.node, this.rendered.listens, this.needs.rings.services(name, this.moment.now));
  }

  private get rendered(): RenderedFacts {
    this.made ??= this.moment.rendered(this.node);
    return this.made;
  }
}

/** What it was made of, beside the node itself. */
interface MadeOf {
  readonly body: string;
  readonly regions: unknown;
  readonly secrets: unknown;
  readonly cores: unknown;
}

const same = (a: MadeOf, b: MadeOf): boolean =>
  a.body === b.body && a.regions === b.regions && a.secrets === b.secrets && a.cores === b.cores;

interface Known {
  readonly on: MadeOf;
  readonly node: Node;
  readonly made: RenderedFacts;
}

interface RenderedFacts {
  readonly hash: ConfigHash | null;
  readonly unfit: string | null;
  readonly listens: RenderedDocument['listens'];
}

/** Streams of the listeners that are not in the new document under the same address; gost ends those with them. */
function streamsCut(
  node: Node,
  listens: RenderedDocument['listens'],
  services: ReturnType<MetricsRings['services']>,
): number {
  const stays = (service: string, addr: string): boolean =>
    listens.some((l) => l.service === service && l.addr === addr);
  const gone = (node.engine?.listeners ?? []).filter((l) => !stays(l.service, l.addr));
  return gone.reduce((n, l) => n + (services.find((s) => s.service === l.service)?.streams ?? 0), 0);
}
