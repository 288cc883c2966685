import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import { type AgentsService, aimed } from './agents.ts';
import { merge, nothing } from './decisions.ts';
import type { Clock, Log, Snapshot } from './ports.ts';
import type { Templates } from './rendering.ts';
import { registryFacts } from './scope.ts';
import type { Decision, Published, Writer } from './write.ts';

// Documents depend on the registry: on the labels of their own node, on the cores there are, on the variables of a region,
// on secrets. What changes there is followed by the nodes whose rendered document is another one by it, and by no others.

export interface FollowNeeds {
  readonly templates: Templates;
  readonly agents: Pick<AgentsService, 'settle'>;
}

/** Every node of this state that should run something else than it is known to; each is offered it. */
export function following(
  { templates, agents }: FollowNeeds,
  after: Snapshot,
  now: Millis,
): { readonly nodes: readonly NodeName[]; readonly decision: Decision<null> } {
  const nodes: NodeName[] = [];
  let decision = nothing();
  for (const node of after.list('node')) {
    if (node.identity !== 'accepted') continue;
    const next = aimed(node, templates, after, now);
    if (next === node) continue;
    nodes.push(node.name);
    decision = merge(decision, agents.settle(node, next, after));
  }
  return { nodes, decision };
}

/** Looks after the registry: whoever changes it need not know whose document names it. */
export class Follower {
  private readonly needs: FollowNeeds & { writer: Writer; clock: Clock; log: Log };
  private readonly known = new Map<string, string>();
  /** Also when the master begins: it may have ended between a change and what follows from it. */
  private due = true;

  constructor(needs: FollowNeeds & { writer: Writer; clock: Clock; log: Log }) {
    this.needs = needs;
    for (const n of needs.writer.view().list('node')) this.known.set(n.name, registryFacts(n));
    needs.writer.onPublish((p) => this.saw(p));
  }

  /** Once a second: what has changed since. */
  async follow(): Promise<void> {
    if (!this.due) return;
    this.due = false;
    try {
      await this.needs.writer.write('master', 'registry', (view, now) => {
        const { nodes, decision } = following(this.needs, view, now);
        if (nodes.length === 0) return null;
        const shown =
          nodes.length > 8
            ? `${nodes.slice(0, 8).join(', ')} and ${nodes.length - 8} more`
            : nodes.join(', ');
        const text = `the registry has changed: ${shown} ${nodes.length === 1 ? 'follows' : 'follow'}`;
        const event = { kind: 'config', who: 'master', subject: 'registry', level: 'info', text } as const;
        return { ...decision, events: [...decision.events, event] };
      });
    } catch (e) {
      this.due = true;
      throw e;
    }
  }

  private saw({ commit }: Published): void {
    for (const op of commit.ops) {
      if (op.kind === 'region' || op.kind === 'secret') this.due = true;
      if (op.kind !== 'node') continue;
      const facts = op.op === 'put' ? registryFacts(op.value) : undefined;
      if (this.known.get(op.key) === facts) continue;
      this.due = true;
      if (facts === undefined) this.known.delete(op.key);
      else this.known.set(op.key, facts);
    }
  }
}
