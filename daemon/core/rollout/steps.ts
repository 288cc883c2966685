import type { NodeName } from '../../../proto/vocab/ids.ts';
import type { RolloutStep } from '../../../proto/vocab/rollout.ts';
import type { NodeFacts } from './facts.ts';
import { isHere } from './node-facts.ts';

// Which nodes a step takes in. Decided once, when a rollout begins; a node that cannot take its turn may exchange its
// step with another one of its region later.

export interface Layout {
  /** Steps that round to the same nodes are one. */
  readonly steps: readonly RolloutStep[];
  /** Nodes in all when each is over. */
  readonly sizes: readonly number[];
  readonly stepOf: ReadonlyMap<NodeName, number>;
}

export function layout(steps: readonly RolloutStep[], nodes: readonly NodeFacts[]): Layout {
  const regions = byRegion(nodes);
  const taken = new Map<string, number>([...regions.keys()].map((r) => [r, 0]));
  const merged: RolloutStep[] = [];
  const sizes: number[] = [];
  const stepOf = new Map<NodeName, number>();
  steps.forEach((step, i) => {
    const want = i === steps.length - 1 ? everything(regions) : wanted(step, regions);
    const added: NodeName[] = [];
    for (const [region, list] of regions) {
      const had = taken.get(region) ?? 0;
      const now = Math.max(had, want.get(region) ?? 0);
      added.push(...list.slice(had, now).map((n) => n.name));
      taken.set(region, now);
    }
    const last = merged.at(-1);
    if (last && added.length === 0) {
      merged[merged.length - 1] = mergedStep(last, step);
      return;
    }
    for (const name of added) stepOf.set(name, merged.length);
    merged.push(step);
    sizes.push(stepOf.size);
  });
  return { steps: merged, sizes, stepOf };
}

/** The stricter of both: it waits for a person where one of them does, and passes gates where one of them does. */
function mergedStep(a: RolloutStep, b: RolloutStep): RolloutStep {
  const manual = a.pause === 'manual' || b.pause === 'manual';
  const longest = Math.max(Number(a.pause ?? 0), Number(b.pause ?? 0));
  return { ...b, pause: manual ? 'manual' : longest || null, analysis: a.analysis || b.analysis };
}

/** Regions by name; in each, who can be measured first: one that is here and carries streams. */
function byRegion(nodes: readonly NodeFacts[]): Map<string, NodeFacts[]> {
  const found = new Map<string, NodeFacts[]>();
  for (const n of nodes) {
    const list = found.get(n.region);
    if (list) list.push(n);
    else found.set(n.region, [n]);
  }
  const regions = [...found].sort(([a], [b]) => compare(a, b));
  return new Map(regions.map(([region, list]) => [region, ranked(list)]));
}

function ranked(nodes: readonly NodeFacts[]): NodeFacts[] {
  const rank = (n: NodeFacts): number =>
    (isHere(n) ? 0 : 4) + (n.wouldCut > 0 ? 2 : 0) + (n.streams > 0 ? 0 : 1);
  // Worked out once for each: thousands are compared a hundred thousand times.
  return nodes
    .map((n) => ({ n, rank: rank(n), parts: n.name.split(/(\d+)/) }))
    .sort((a, b) => a.rank - b.rank || byName(a.parts, b.parts))
    .map(({ n }) => n);
}

function wanted(
  step: RolloutStep,
  regions: ReadonlyMap<string, readonly NodeFacts[]>,
): ReadonlyMap<string, number> {
  const most = (n: number): number =>
    'count' in step.size ? Math.min(step.size.count, n) : Math.ceil((n * step.size.percent) / 100 - 1e-9);
  if (step.perRegion) return new Map([...regions].map(([r, list]) => [r, most(list.length)]));
  let left = most([...regions.values()].reduce((n, list) => n + list.length, 0));
  const out = new Map([...regions.keys()].map((r) => [r, 0]));
  // Round by round, so that the regions share it evenly.
  for (let round = 0; left > 0; round++) {
    for (const [r, list] of regions) {
      if (left === 0 || list.length <= round) continue;
      out.set(r, (out.get(r) ?? 0) + 1);
      left -= 1;
    }
  }
  return out;
}

const everything = (regions: ReadonlyMap<string, readonly NodeFacts[]>): ReadonlyMap<string, number> =>
  new Map([...regions].map(([r, list]) => [r, list.length]));

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** `hk-2` before `hk-10`, the same on every machine. */
function byName(x: readonly string[], y: readonly string[]): number {
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const [p = '', q = ''] = [x[i], y[i]];
    const by = i % 2 === 1 ? Number(p) - Number(q) || p.length - q.length : compare(p, q);
    if (by !== 0) return by;
  }
  return x.length - y.length;
}
