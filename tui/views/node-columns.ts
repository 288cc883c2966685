import type { WordKey } from '../theme/messages.ts';
import type { MeasuredNodes, NodeColumn } from './node-table.ts';
import type { Ui } from './ui.ts';

/** Top of the P99 bar in lists, ms: one scale, so that rows compare. */
export const BAR_TOP_MS = 200;

/** Marks and cursor stand before the first column. */
export const GUTTER = 2;

const NOTE_MIN = 12;
const NOTE_MAX = 40;

export interface Column {
  readonly id: NodeColumn;
  readonly x: number;
  readonly width: number;
  readonly align: 'left' | 'right';
  readonly head: WordKey;
}

interface Spec {
  readonly width: number;
  readonly align: 'left' | 'right';
  /** Cells before it. */
  readonly gap: number;
}

const SPEC: Readonly<Record<NodeColumn, Spec>> = {
  name: { width: 12, align: 'left', gap: 0 },
  region: { width: 2, align: 'left', gap: 1 },
  type: { width: 4, align: 'left', gap: 1 },
  status: { width: 14, align: 'left', gap: 1 },
  seen: { width: 5, align: 'right', gap: 1 },
  config: { width: 6, align: 'left', gap: 1 },
  streams: { width: 7, align: 'right', gap: 1 },
  rps: { width: 5, align: 'right', gap: 1 },
  ttft95: { width: 6, align: 'right', gap: 1 },
  p99: { width: 4, align: 'right', gap: 1 },
  err: { width: 4, align: 'right', gap: 1 },
  cpu: { width: 3, align: 'right', gap: 1 },
  mem: { width: 3, align: 'right', gap: 1 },
  bar: { width: 10, align: 'left', gap: 2 },
  gap99: { width: 5, align: 'right', gap: 1 },
  aborted: { width: 5, align: 'right', gap: 1 },
  engine: { width: 14, align: 'left', gap: 1 },
  agent: { width: 8, align: 'left', gap: 1 },
  labels: { width: 20, align: 'left', gap: 1 },
  note: { width: NOTE_MIN, align: 'left', gap: 1 },
};

const BASE: readonly NodeColumn[] = [
  'name',
  'region',
  'type',
  'status',
  'seen',
  'config',
  'streams',
  'rps',
  'ttft95',
  'p99',
  'err',
  'cpu',
  'mem',
  'bar',
];
/** They explain, and the peek still says them: first one goes first. */
const DROP: readonly NodeColumn[] = ['mem', 'cpu', 'bar', 'rps', 'type', 'region'];
/** Only below 80 cells. */
const DROP_NARROW: readonly NodeColumn[] = ['err', 'p99', 'config'];
/** What comes when NOTE has its forty. */
const GROW: readonly NodeColumn[] = ['gap99', 'aborted', 'engine', 'agent', 'labels'];

function widthOf(id: NodeColumn, ui: Pick<Ui, 'width'>, m: MeasuredNodes | undefined): number {
  const own = SPEC[id].width;
  if (id === 'name') {
    const base = ui.width >= 120 ? 14 : own;
    return Math.max(base, Math.min(m?.name ?? 0, ui.width >= 120 ? 24 : 16));
  }
  if (id === 'region') return Math.max(own, Math.min(m?.region ?? 0, 8));
  if (id === 'config') return Math.max(own, Math.min(m?.config ?? 0, 12));
  return own;
}

/** Columns and where they stand; NOTE takes what is left. */
export function planColumns(ui: Pick<Ui, 'width'>, measured?: MeasuredNodes): readonly Column[] {
  const cost = (id: NodeColumn) => widthOf(id, ui, measured) + SPEC[id].gap;
  let kept = [...BASE];
  const note = () => ui.width - GUTTER - kept.reduce((w, id) => w + cost(id), 0) - SPEC.note.gap;
  for (const id of [...DROP, ...(ui.width < 80 ? DROP_NARROW : [])]) {
    if (note() >= NOTE_MIN) break;
    kept = kept.filter((k) => k !== id);
  }
  for (const id of GROW) {
    if (note() - cost(id) < NOTE_MAX) break;
    kept.push(id);
  }
  const out: Column[] = [];
  let x = GUTTER;
  for (const id of [...kept, 'note' as const]) {
    const w = id === 'note' ? Math.max(0, note()) : widthOf(id, ui, measured);
    x += SPEC[id].gap;
    out.push({ id, x, width: w, align: SPEC[id].align, head: `col.${id}` });
    x += w;
  }
  return out;
}

export function hasColumn(id: NodeColumn, ui: Pick<Ui, 'width'>): boolean {
  return planColumns(ui).some((c) => c.id === id);
}
