import type { BlastWarning, NodeBlast } from '../../proto/vocab/blast.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { RolloutPlan } from '../../proto/vocab/rollout.ts';

interface Found {
  readonly plan: RolloutPlan;
  readonly hit: readonly NodeBlast[];
  /** Whose streams the change ends, and how many in all. */
  readonly cut: { readonly nodes: readonly Node[]; readonly streams: number };
  readonly refusedBefore: readonly Node[];
  readonly drifted: readonly Node[];
  readonly others: readonly { readonly core: string; readonly nodes: readonly Node[] }[];
  readonly ofDocument: readonly { readonly text: string; readonly nodes: readonly Node[] }[];
}

const MOST_NAMES = 10;

/** What a person should know that stops nothing, worst first. */
export function warningsOf(f: Found): readonly BlastWarning[] {
  const { strategy, steps } = f.plan;
  const out: BlastWarning[] = [];
  const warn = (
    code: BlastWarning['code'],
    text: string,
    nodes: readonly Pick<Node, 'name'>[] = [],
  ): void => {
    out.push({ code, nodes: nodes.length, names: nodes.slice(0, MOST_NAMES).map((n) => n.name), text });
  };
  if (f.cut.nodes.length > 0) {
    warn('cuts_streams', `${f.cut.streams} streams are waited for, the change would cut them`, f.cut.nodes);
  }
  if (f.refusedBefore.length > 0) {
    warn(
      'refused_before',
      'they have refused this very document before, and are asked once more',
      f.refusedBefore,
    );
  }
  if (f.drifted.length > 0) warn('drifted', 'they do not run what they were given', f.drifted);
  for (const { core, nodes } of f.others) {
    const regions = [...new Set(nodes.map((n) => n.region))].toSorted().join(' and ');
    warn('others_stay', `${regions} are not hit and go on sending to ${core}`, nodes);
  }
  for (const { text, nodes } of f.ofDocument) warn('document', text, nodes);
  const changing = f.hit.filter((n) => n.change === 'update' || n.change === 'first');
  if (f.hit.length > 0 && changing.length === 0 && f.hit.every((n) => n.change === 'unchanged')) {
    warn('nothing_changes', 'all of them run this very document');
  }
  if (changing.length > 1) {
    const watched = steps.some(
      ({ step }, i) => step.analysis || (step.pause !== null && i < steps.length - 1),
    );
    if (!watched)
      warn('unwatched', `${strategy.name} has no gate and no pause: only a node that fails stops it`);
    if (!strategy.autoRevert) warn('no_revert', 'an abort puts nothing back');
  }
  return out;
}
