import { compileFilter, type Filter } from './filter.ts';
import type { Fleet } from './fleet.ts';
import { filterItems, goneItem, type NodeItem, nodeItems } from './select-nodes.ts';
import { DEFAULT_SORT, SORT_COLUMNS, type Sort, type SortColumn, sortNodes } from './sort.ts';

/** The nodes list: what is in it, in which order, and where you are. Cursor and marks belong to nodes, not to rows. */
export interface NodesView {
  /** All of the fleet, judged. */
  readonly items: readonly NodeItem[];
  /** What is listed, in the order held. */
  readonly shown: readonly NodeItem[];
  /** Rows that would move if the order were applied. */
  readonly wouldMove: number;
  readonly cursor: string | null;
  /** First row on screen. */
  readonly top: number;
  readonly sort: Sort;
  /** As typed; empty: none. */
  readonly filterText: string;
  readonly filter: Filter;
  readonly marks: ReadonlySet<string>;
}

export const NODES_VIEW: NodesView = {
  items: [],
  shown: [],
  wouldMove: 0,
  cursor: null,
  top: 0,
  sort: DEFAULT_SORT,
  filterText: '',
  filter: compileFilter(''),
  marks: new Set(),
};

function indexOf(v: NodesView, name: string | null): number {
  return name === null ? -1 : v.shown.findIndex((i) => i.node.name === name);
}

/** The cursor's row, or -1. */
export function cursorIndex(v: NodesView): number {
  return indexOf(v, v.cursor);
}

export function cursorItem(v: NodesView): NodeItem | null {
  return v.shown[cursorIndex(v)] ?? null;
}

/** Keeps the cursor on a node and its row on the screen of `rows` rows. */
function settle(v: NodesView, rows: number, fallbackIndex: number): NodesView {
  if (v.shown.length === 0) return { ...v, cursor: null, top: 0 };
  let at = cursorIndex(v);
  if (at < 0) at = Math.min(Math.max(0, fallbackIndex), v.shown.length - 1);
  const cursor = v.shown[at]?.node.name ?? null;
  const room = Math.max(1, rows);
  let top = Math.min(v.top, Math.max(0, v.shown.length - room));
  if (at < top) top = at;
  if (at >= top + room) top = at - room + 1;
  return { ...v, cursor, top };
}

function countMoves(held: readonly NodeItem[], wanted: readonly NodeItem[]): number {
  let n = 0;
  for (let i = 0; i < held.length; i++) if (held[i]?.node.name !== wanted[i]?.node.name) n++;
  return n;
}

/**
 * New data into the list. `apply`: order it now; otherwise rows stay where they are: newcomers go to the end, who
 * left keeps a grey row, and what leaves the filter under the cursor stays until the cursor moves.
 */
export function regroup(v: NodesView, fleet: Fleet, a: { apply: boolean; rows: number }): NodesView {
  const at = cursorIndex(v);
  const items = nodeItems(fleet);
  const wanted = sortNodes(filterItems(items, v.filter), v.sort);
  if (a.apply || v.shown.length === 0) {
    const first = v.shown.length === 0;
    const names = new Set(items.map((i) => i.node.name as string));
    const marks = [...v.marks].every((m) => names.has(m))
      ? v.marks
      : new Set([...v.marks].filter((m) => names.has(m)));
    return settle({ ...v, items, shown: wanted, wouldMove: 0, marks }, a.rows, first ? 0 : at);
  }
  const fresh = new Map(wanted.map((i) => [i.node.name as string, i]));
  const all = new Map(items.map((i) => [i.node.name as string, i]));
  const shown: NodeItem[] = [];
  for (const old of v.shown) {
    const name = old.node.name;
    const now = fresh.get(name);
    if (now !== undefined) {
      shown.push(now);
      fresh.delete(name);
    } else if (!all.has(name)) shown.push(old.gone ? old : goneItem(old));
    else if (name === v.cursor) shown.push(all.get(name) ?? old);
  }
  shown.push(...fresh.values());
  return settle({ ...v, items, shown, wouldMove: countMoves(shown, wanted) }, a.rows, at);
}

export function moveCursor(v: NodesView, by: number, rows: number): NodesView {
  if (v.shown.length === 0) return v;
  const at = Math.max(0, cursorIndex(v));
  const to = Math.min(v.shown.length - 1, Math.max(0, at + by));
  return settle({ ...v, cursor: v.shown[to]?.node.name ?? null }, rows, to);
}

/** A size changed: same cursor, its row in view. */
export function refit(v: NodesView, rows: number): NodesView {
  return settle(v, rows, cursorIndex(v));
}

export function toggleMark(v: NodesView): NodesView {
  const item = cursorItem(v);
  if (item === null || item.gone) return v;
  const marks = new Set(v.marks);
  if (!marks.delete(item.node.name)) marks.add(item.node.name);
  return { ...v, marks };
}

/** What an act would hit: the marked nodes, else the cursor's. Gone nodes are not among them. */
export function actedOn(v: NodesView): readonly NodeItem[] {
  if (v.marks.size > 0) return v.items.filter((i) => v.marks.has(i.node.name));
  const item = cursorItem(v);
  return item === null || item.gone ? [] : [item];
}

export function withFilter(v: NodesView, text: string): NodesView {
  return { ...v, filterText: text, filter: compileFilter(text) };
}

export function withSort(v: NodesView, column: SortColumn): NodesView {
  return { ...v, sort: { column, down: true } };
}

export function shiftSort(v: NodesView, by: 1 | -1): NodesView {
  const at = SORT_COLUMNS.indexOf(v.sort.column);
  const n = SORT_COLUMNS.length;
  return withSort(v, SORT_COLUMNS[(at + by + n) % n] ?? v.sort.column);
}

export function turnSort(v: NodesView): NodesView {
  return { ...v, sort: { ...v.sort, down: !v.sort.down } };
}
