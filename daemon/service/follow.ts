import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { type AgentsService, aimed } from './agents.ts';
import { mergeAll } from './decisions.ts';
import type { Snapshot } from './ports.ts';
import { registryFacts, sameFacts } from './scope.ts';
import type { Templates } from './templates.ts';
import type { Decision, Published, Writer } from './write.ts';

// Documents depend on the registry: on the labels of their own node, on the cores there are, on the variables of a region,
// on secrets. What changes there is followed by the nodes whose rendered document is another one by it, and by no others.

export interface FollowNeeds {
  readonly templates: Templates;
  readonly agents: Pick<AgentsService, 'settle'>;
}

/** Whether a change concerns this node, whose template uses these names. */
export type Concerns = (node: Node, names: readonly string[]) => boolean;

/**
 * Those of the nodes concerned that should run something else than they are known to; each is offered it.
 * @param among to be looked at; all of them otherwise
 */
export function following(
  { templates, agents }: FollowNeeds,
  after: Snapshot,
  now: Millis,
  concerns: Concerns,
  among: Iterable<Node> = after.list('node'),
): { readonly nodes: readonly NodeName[]; readonly decision: Decision<null> } {
  const nodes: NodeName[] = [];
  const decisions: Decision<null>[] = [];
  for (const node of among) {
    if (node.identity !== 'accepted') continue;
    const version = templates.chosen(after, node);
    if (!concerns(node, version ? templates.names(version) : [])) continue;
    const next = aimed(node, templates, after, now);
    if (next === node) continue;
    nodes.push(node.name);
    decisions.push(agents.settle(node, next, after));
  }
  return { nodes, decision: mergeAll(decisions) };
}

/** Looked at in one turn: rendering takes its time, and nothing else is done meanwhile. */
const A_TURN = 200;

/**
 * Looks after the registry: whoever changes it need not know whose document names it. What is missed because the master
 * ends is made good by the next hello of the node.
 */
export class Follower {
  private readonly needs: FollowNeeds & { writer: Writer };
  private readonly known = new Map<string, { readonly node: Node; readonly facts: string }>();
  private readonly due = new Set<NodeName>();
  /** The cores that are looked up are others. */
  private cores = false;

  constructor(needs: FollowNeeds & { writer: Writer }) {
    this.needs = needs;
    for (const node of needs.writer.view().list('node')) {
      this.known.set(node.name, { node, facts: registryFacts(node) });
    }
    needs.writer.onPublish((p) => this.saw(p));
  }

  /** Once a second: those whom a change since may concern. */
  async follow(): Promise<void> {
    if (this.cores) this.namingCores();
    this.cores = false;
    const turn = new Set([...this.due].slice(0, A_TURN));
    if (turn.size === 0) return;
    for (const name of turn) this.due.delete(name);
    try {
      await this.needs.writer.write('master', 'registry', (view, now) => {
        const these = [...turn].flatMap((name) => view.get('node', name) ?? []);
        const { nodes, decision } = following(this.needs, view, now, () => true, these);
        if (nodes.length === 0) return null;
        const more = nodes.length > 8 ? ` and ${nodes.length - 8} more` : '';
        const shown = `${nodes.slice(0, 8).join(', ')}${more} ${nodes.length === 1 ? 'follows' : 'follow'}`;
        const text = `the registry has changed: ${shown}`;
        const event = { kind: 'config', who: 'master', subject: 'registry', level: 'info', text } as const;
        return { ...decision, events: [...decision.events, event] };
      });
    } catch (e) {
      for (const name of turn) this.due.add(name);
      throw e;
    }
  }

  private saw({ commit }: Published): void {
    for (const op of commit.ops) {
      if (op.kind !== 'node') continue;
      const before = this.known.get(op.key);
      if (op.op === 'del') {
        if (before) this.cores = true;
        this.known.delete(op.key);
        continue;
      }
      const node = op.value;
      if (before && sameFacts(before.node, node)) continue;
      const facts = registryFacts(node);
      this.known.set(op.key, { node, facts });
      if (before?.facts === facts) continue;
      this.cores ||= node.nodeType === 'core';
      this.due.add(node.name);
    }
  }

  /** Once a second, however many cores have come: each node is looked at for it. */
  private namingCores(): void {
    const { templates, writer } = this.needs;
    const view = writer.view();
    for (const n of view.list('node')) {
      const version = templates.chosen(view, n);
      if (version && templates.names(version).some((name) => name.startsWith('core.'))) this.due.add(n.name);
    }
  }
}
