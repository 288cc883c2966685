import type { Target } from '../../../proto/vocab/config-version.ts';
import type { Node } from '../../../proto/vocab/node.ts';

export type Subject = Pick<Node, 'name' | 'nodeType' | 'region' | 'labels'>;

/** All given parts must hold; a list is one of. An empty target is everybody. */
export function targets(target: Target, node: Subject): boolean {
  if (target.nodes && target.nodes.length > 0 && !target.nodes.includes(node.name)) return false;
  if (target.nodeType && target.nodeType !== node.nodeType) return false;
  if (target.regions && target.regions.length > 0 && !target.regions.includes(node.region)) return false;
  for (const [k, v] of Object.entries(target.labels ?? {})) {
    if (!Object.hasOwn(node.labels, k) || node.labels[k] !== v) return false;
  }
  return true;
}

/** How closely a target names a node: node 4 > label 3 > type and region 2 > type or region 1 > everybody 0. */
export function rank(target: Target): number {
  if (target.nodes && target.nodes.length > 0) return 4;
  if (target.labels && Object.keys(target.labels).length > 0) return 3;
  const parts = (target.nodeType ? 1 : 0) + (target.regions && target.regions.length > 0 ? 1 : 0);
  return parts;
}

/** The same target, however it is spelt. */
export function sameTarget(a: Target, b: Target): boolean {
  return targetKey(a) === targetKey(b);
}

export function targetKey(t: Target): string {
  const labels = Object.entries(t.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    [...(t.nodes ?? [])].sort(),
    labels,
    t.nodeType ?? '',
    [...(t.regions ?? [])].sort(),
  ]);
}

/** `type=edge region=hk`, for people. */
export function describeTarget(t: Target): string {
  const parts = [
    ...(t.nodes && t.nodes.length > 0 ? [t.nodes.join(',')] : []),
    ...Object.entries(t.labels ?? {}).map(([k, v]) => `${k}=${v}`),
    ...(t.nodeType ? [`type=${t.nodeType}`] : []),
    ...(t.regions && t.regions.length > 0 ? [`region=${t.regions.join(',')}`] : []),
  ];
  return parts.length > 0 ? parts.join(' ') : 'all nodes';
}
