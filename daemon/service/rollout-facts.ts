import { readDocument } from '../../proto/document/read.ts';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { ConfigHash, Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { targets } from '../core/config-version/target.ts';
import type { NodeFacts, StoredRollout, StoredTarget } from '../core/rollout/facts.ts';
import type { MetricsRings, Snapshot } from './ports.ts';
import { type Templates, unfitness } from './rendering.ts';
import type { Sessions } from './sessions.ts';

interface Needs {
  readonly templates: Templates;
  readonly sessions: Sessions;
  readonly rings: Pick<MetricsRings, 'figures' | 'services'>;
}

/** What a rollout is told of its nodes. What costs something is worked out when it is asked for. */
export class RolloutFacts {
  private readonly needs: Needs;

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
    for (const t of all) {
      const node = view.get('node', t.node);
      if (!version || node?.identity !== 'accepted' || !targets(rollout.target, node)) continue;
      facts.set(t.node, this.of(view, version, node, now, !t.released));
    }
    return facts;
  }

  /** @param asked the publication asks it once more, whatever it has refused before: it has not been offered it yet */
  of(view: Snapshot, version: ConfigVersion, node: Node, now: Millis, asked: boolean): NodeFacts {
    const { sessions, rings } = this.needs;
    const { name } = node;
    const rendered = once(() => this.rendered(view, version, node));
    return {
      name,
      region: node.region,
      nodeType: node.nodeType,
      engine: node.engine?.kind ?? 'embedded',
      status: sessions.status(node, now, view.count('node')),
      eligible: node.eligibility === 'eligible',
      get hash() {
        return rendered().hash;
      },
      get unfit() {
        return rendered().unfit;
      },
      effectiveHash: node.effective?.hash ?? null,
      get rejectedHash() {
        return asked && node.rejectedHash !== null && node.rejectedHash === rendered().hash
          ? null
          : node.rejectedHash;
      },
      configSync: node.configSync,
      failure: node.failure,
      get wouldCut() {
        return cut();
      },
      get streams() {
        return rings.figures(name, now)?.streams ?? 0;
      },
    };
    function cut(): number {
      const { hash, text } = rendered();
      // Ours swaps its chains under a listener that stays; one that goes lets its streams finish.
      if (node.engine?.kind !== 'gost' || hash === null || hash === node.effective?.hash) return 0;
      return streamsCut(node, text, rings.services(name, now));
    }
  }

  private rendered(view: Snapshot, version: ConfigVersion, node: Node): RenderedFacts {
    const rendered = this.needs.templates.render(view, version, node);
    const [unfit] = unfitness(rendered, node);
    if (unfit || !rendered.ok) return { hash: null, unfit: unfit ? formatRefusal(unfit) : null, text: '' };
    return { hash: rendered.hash, unfit: null, text: rendered.text };
  }
}

interface RenderedFacts {
  readonly hash: ConfigHash | null;
  readonly unfit: string | null;
  readonly text: string;
}

/** Streams of the listeners that are not in the new document under the same address; gost ends those with them. */
function streamsCut(node: Node, text: string, services: ReturnType<MetricsRings['services']>): number {
  const read = readDocument(text);
  const stays = (service: string, addr: string): boolean =>
    read.ok && read.document.services.some((s) => s.name === service && s.addr === addr);
  const gone = (node.engine?.listeners ?? []).filter((l) => !stays(l.service, l.addr));
  return gone.reduce((n, l) => n + (services.find((s) => s.service === l.service)?.streams ?? 0), 0);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
