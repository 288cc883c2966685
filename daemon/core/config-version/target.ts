import type { Target } from '../../../proto/vocab/config-version.ts';
import type { Node } from '../../../proto/vocab/node.ts';

export type Subject = Pick<Node, 'name' | 'nodeType' | 'region' | 'labels'>;

// A list that is empty names nobody in particular, as one that is absent.
const named = <T>(list: readonly T[] | undefined): readonly T[] | null =>
  list && list.length > 0 ? list : null;

/** All given parts must hold; a list is one of. An empty target is everybody. */
export function targets(t: Target, node: Subject): boolean {
  if (named(t.nodes)?.includes(node.name) === false) return false;
  if (t.nodeType && t.nodeType !== node.nodeType) return false;
  if (named(t.regions)?.includes(node.region) === false) return false;
  return Object.entries(t.labels ?? {}).every(
    ([k, v]) => Object.hasOwn(node.labels, k) && node.labels[k] === v,
  );
}

/** How closely a target names a node: node 4 > label 3 > type and region 2 > type or region 1 > everybody 0. */
export function rank(t: Target): number {
  if (named(t.nodes)) return 4;
  if (Object.keys(t.labels ?? {}).length > 0) return 3;
  return (t.nodeType ? 1 : 0) + (named(t.regions) ? 1 : 0);
}

/** Whether every node that `b` names, now or ever, is named by `a`. */
export function covers(a: Target, b: Target): boolean {
  const inside = (of: readonly string[] | null, all: readonly string[] | null): boolean =>
    all === null || (of?.every((x) => all.includes(x)) ?? false);
  return (
    inside(named(b.nodes), named(a.nodes)) &&
    inside(named(b.regions), named(a.regions)) &&
    (!a.nodeType || a.nodeType === b.nodeType) &&
    Object.entries(a.labels ?? {}).every(([k, v]) => b.labels !== undefined && b.labels[k] === v)
  );
}

/** The nodes both name; `null` when there can be none. */
export function intersect(a: Target, b: Target): Target | null {
  const both = (x: readonly string[] | null, y: readonly string[] | null): readonly string[] | null =>
    x && y ? x.filter((v) => y.includes(v)) : (x ?? y);
  const nodes = both(named(a.nodes), named(b.nodes));
  const regions = both(named(a.regions), named(b.regions));
  if (nodes?.length === 0 || regions?.length === 0) return null;
  if (a.nodeType && b.nodeType && a.nodeType !== b.nodeType) return null;
  const labels = { ...a.labels, ...b.labels };
  if (Object.entries(a.labels ?? {}).some(([k, v]) => labels[k] !== v)) return null;
  const nodeType = a.nodeType ?? b.nodeType;
  return {
    ...(nodes ? { nodes: nodes as NonNullable<Target['nodes']> } : {}),
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(nodeType ? { nodeType } : {}),
    ...(regions ? { regions } : {}),
  };
}

/** `type=edge region=hk`, for people. */
export function describeTarget(t: Target): string {
  const nodes = named(t.nodes);
  const regions = named(t.regions);
  const shown = nodes && nodes.length > 8 ? [...nodes.slice(0, 8), `… ${nodes.length} in all`] : nodes;
  const parts = [
    ...(shown ? [`node=${shown.join(',')}`] : []),
    ...Object.entries(t.labels ?? {}).map(([k, v]) => `${k}=${v}`),
    ...(t.nodeType ? [`type=${t.nodeType}`] : []),
    ...(regions ? [`region=${regions.join(',')}`] : []),
  ];
  return parts.length > 0 ? parts.join(' ') : 'all nodes';
}
