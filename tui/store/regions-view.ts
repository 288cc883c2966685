import type { Millis } from '../../proto/vocab/ids.ts';
import type { RegionSeries } from '../../proto/vocab/metrics.ts';
import type { NodeType, RegionVitals } from '../../proto/vocab/node.ts';
import type { Effect } from './effect.ts';
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
  /** Over how long the bars go, index into `WINDOWS`. */
  readonly window: number;
  /** What was, of the window that is chosen; `null`: the minutes that come with the figures, or not here yet. */
  readonly series: ReadonlyMap<string, readonly (number | null)[]> | null;
  readonly askedAt: Millis | null;
}

export const REGIONS_VIEW: RegionsView = {
  ...{ items: [], all: null, cursor: null },
  ...{ window: 0, series: null, askedAt: null },
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export interface RegionWindow {
  readonly cells: number;
  readonly stepMs: Millis;
  /** It comes with the figures, each second; the others are asked for. */
  readonly live: boolean;
}

/** Steps are whole minutes within the last hour and whole ten minutes before: nothing is drawn that nobody keeps. */
export const WINDOWS: readonly [RegionWindow, ...RegionWindow[]] = [
  { cells: 24, stepMs: MINUTE, live: true },
  { cells: 20, stepMs: 3 * MINUTE, live: false },
  { cells: 18, stepMs: 20 * MINUTE, live: false },
  { cells: 24, stepMs: HOUR, live: false },
  { cells: 10, stepMs: MINUTE, live: true },
];

export function windowOf(v: Pick<RegionsView, 'window'>): RegionWindow {
  return WINDOWS[v.window] ?? WINDOWS[0];
}

/** How often what was is asked for again: the shortest step that is asked for. */
const ASK_MS = 3 * MINUTE;

/** Places that are asked about at once. */
const MOST_ASKED = 500;

export function turnWindow(v: RegionsView): RegionsView {
  return { ...v, window: (v.window + 1) % WINDOWS.length, series: null, askedAt: null };
}

/** What is to be asked of the master now; `null`: nothing is. */
export function seriesDue(v: RegionsView, now: Millis): Extract<Effect, { kind: 'fetch-regions' }> | null {
  const { cells, stepMs, live } = windowOf(v);
  if (live || v.items.length === 0 || (v.askedAt !== null && now - v.askedAt < ASK_MS)) return null;
  // A first token is taken at the edge.
  const edges = v.items.filter((i) => i.nodeType === 'edge').slice(0, MOST_ASKED);
  const places = [
    ...edges.map(({ region, nodeType }) => ({ region, nodeType })),
    { region: null, nodeType: 'edge' as const },
  ];
  return { kind: 'fetch-regions', window: v.window, places, windowMs: cells * stepMs, stepMs };
}

/** An answer for a window that was left is not taken. */
export function withSeries(v: RegionsView, window: number, series: readonly RegionSeries[]): RegionsView {
  if (v.window !== window) return v;
  return { ...v, series: new Map(series.map((s) => [keyOf(placeOf(s)), s.ttft95Ms])) };
}

const placeOf = ({ place }: RegionSeries) => ({ region: place.region ?? '', nodeType: place.nodeType });

/** The bar of a row: `''` is all edges. */
export function barOf(v: RegionsView, i: RegionItem): readonly (number | null)[] {
  const { cells, live } = windowOf(v);
  if (!live) return v.series?.get(keyOf(i)) ?? [];
  return i.figures?.ttft95Minutes.slice(-cells) ?? [];
}

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
  return { ...v, items, all, cursor: kept ? v.cursor : near === undefined ? null : keyOf(near) };
}

export function moveRegions(v: RegionsView, by: number): RegionsView {
  const at = Math.max(0, regionIndex(v));
  const to = v.items[Math.min(v.items.length - 1, Math.max(0, at + by))];
  return to === undefined ? v : { ...v, cursor: keyOf(to) };
}
