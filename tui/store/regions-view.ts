import type { NodeType, RegionVitals } from '../../proto/vocab/node.ts';
import type { Fleet } from './fleet.ts';
import type { NodeItem } from './select-nodes.ts';
import { compareNames } from './sort.ts';
import { VERDICTS, type Verdict } from './verdict.ts';

/** The nodes of a region and type, judged, with the figures merged from their samples. */
export interface RegionItem {
  readonly region: string;
  readonly nodeType: NodeType;
  readonly nodes: readonly NodeItem[];
  readonly counts: Readonly<Record<Verdict, number>>;
  /** `null` before the first figures. */
  readonly figures: RegionVitals | null;
}

/** The regions screen; the cursor belongs to a region and type. */
export interface RegionsView {
  readonly items: readonly RegionItem[];
  /** All edges together. */
  readonly all: RegionItem | null;
  /** `hk edge` */
  readonly cursor: string | null;
}

export const REGIONS_VIEW: RegionsView = { items: [], all: null, cursor: null };

function keyOf(i: Pick<RegionItem, 'region' | 'nodeType'>): string {
  return `${i.region} ${i.nodeType}`;
}

export function regionIndex(v: RegionsView): number {
  return v.items.findIndex((i) => keyOf(i) === v.cursor);
}

export function cursorRegion(v: RegionsView): RegionItem | null {
  return v.items[regionIndex(v)] ?? null;
}

function counted(nodes: readonly NodeItem[]): RegionItem['counts'] {
  const counts = Object.fromEntries(VERDICTS.map((v) => [v, 0])) as Record<Verdict, number>;
  for (const n of nodes) counts[n.verdict] += 1;
  return counts;
}

function itemOf(
  region: string,
  nodeType: NodeType,
  nodes: readonly NodeItem[],
  figures: RegionVitals | undefined,
): RegionItem {
  return { region, nodeType, nodes, counts: counted(nodes), figures: figures ?? null };
}

/** Worst first: who has more of the worst verdict that differs. */
function worstFirst(a: RegionItem, b: RegionItem): number {
  for (const v of VERDICTS) {
    if (v === 'well') break;
    if (a.counts[v] !== b.counts[v]) return b.counts[v] - a.counts[v];
  }
  return compareNames(keyOf(a), keyOf(b));
}

/** New data into the list; rows change places only when the order is applied, newcomers go to the end. */
export function regroupRegions(
  v: RegionsView,
  nodes: readonly NodeItem[],
  fleet: Fleet,
  apply: boolean,
): RegionsView {
  const groups = new Map<string, NodeItem[]>();
  for (const n of nodes) {
    const key = keyOf(n.node);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [n]);
    else group.push(n);
  }
  const figures = (region: string | null, type: NodeType) =>
    fleet.regions.find((r) => r.region === region && r.nodeType === type);
  const fresh = new Map<string, RegionItem>();
  for (const [key, group] of groups) {
    const first = group[0]?.node;
    if (first === undefined) continue;
    const { region, nodeType } = first;
    fresh.set(key, itemOf(region, nodeType, group, figures(region, nodeType)));
  }
  const held = apply ? [] : v.items.flatMap((i) => fresh.get(keyOf(i)) ?? []);
  const known = new Set(held.map(keyOf));
  const items = [...held, ...[...fresh.values()].filter((i) => !known.has(keyOf(i))).sort(worstFirst)];
  const edges = nodes.filter((n) => n.node.nodeType === 'edge');
  const all = edges.length === 0 ? null : itemOf('', 'edge', edges, figures(null, 'edge'));
  const kept = items.some((i) => keyOf(i) === v.cursor);
  const near = items[Math.min(Math.max(0, regionIndex(v)), items.length - 1)];
  return { items, all, cursor: kept ? v.cursor : near === undefined ? null : keyOf(near) };
}

export function moveRegions(v: RegionsView, by: number): RegionsView {
  const at = Math.max(0, regionIndex(v));
  const to = v.items[Math.min(v.items.length - 1, Math.max(0, at + by))];
  return to === undefined ? v : { ...v, cursor: keyOf(to) };
}
