import type { RegionVitals } from '../../proto/vocab/node.ts';
import {
  barOf,
  cursorRegion,
  type RegionItem,
  type RegionsView,
  regionIndex,
  windowOf,
} from '../store/regions-view.ts';
import { isStale } from '../store/select-header.ts';
import type { State } from '../store/state.ts';
import type { Row } from '../theme/row.ts';
import type { FrameParts } from '../views/frame.tsx';
import { type RegionPeek, type RegionRow, type RegionsProps, regionsRows } from '../views/regions.ts';
import type { Ui } from '../views/ui.ts';
import { keybar, messageOrPrompt } from './foot.ts';
import { clock, speak } from './words.ts';

/** The default rules' limits, as on the nodes' screen. */
const P99_LIMIT_MS = 100;
const ERR_LIMIT_PCT = 1;

type Figures = Omit<RegionVitals, 'region' | 'nodeType'>;
/** Before the first figures. */
const UNKNOWN: { readonly [K in keyof Figures]: K extends 'ttft95Minutes' ? [] : null } = {
  streams: null,
  rps: null,
  ttft50Ms: null,
  ttft95Ms: null,
  gap99Ms: null,
  p99Ms: null,
  errPct: null,
  abortedPct: null,
  ttft95Minutes: [],
};

function regionRow(i: RegionItem, region: string | null, v: RegionsView): RegionRow {
  const {
    region: _,
    nodeType: __,
    ttft95Minutes: ___,
    ...f
  } = i.figures ?? { ...UNKNOWN, region, nodeType: i.nodeType };
  const { wrong, unseen, warning, changing, paused, waiting, aside, well } = i.counts;
  return {
    ...f,
    ttft95Bar: barOf(v, i),
    // A first token is taken at the edge.
    ...(i.nodeType === 'core' ? { ttft50Ms: null, ttft95Ms: null, ttft95Bar: [] } : {}),
    region,
    type: i.nodeType,
    nodes: i.nodes.length,
    counts: { wrong, unseen, warning, changing: changing + paused + waiting, aside, well },
    over: [
      ...((f.p99Ms ?? 0) > P99_LIMIT_MS ? (['p99'] as const) : []),
      ...((f.errPct ?? 0) > ERR_LIMIT_PCT ? (['err'] as const) : []),
    ],
  };
}

/** A round number at most `n`, at least a fifth of its power of ten. */
function round(n: number, to: (x: number) => number): number {
  if (n <= 0) return 0;
  const step = 10 ** Math.floor(Math.log10(n)) / 5;
  return Math.round(to(n / step) * step);
}

/** Room below and above what all of them had, in round numbers, so that it seldom moves. */
function scaleOf(rows: readonly RegionRow[]): RegionsProps['scale'] {
  const values = rows.flatMap((r) => r.ttft95Bar.filter((v): v is number => v !== null));
  if (values.length === 0) return { from: 0, to: 1000 };
  const from = round(Math.min(...values) * 0.6, Math.floor);
  return { from, to: Math.max(from + 1, round(Math.max(...values) * 1.5, Math.ceil)) };
}

/** What the nodes run, newest version first; the worst of them; what becomes of the others, by their notes. */
function peek(i: RegionItem, ui: Ui): RegionPeek {
  const versions = new Map<string, number>();
  const facts = new Map<string, number>();
  let worst: RegionPeek['worst'] = null;
  let reachable = 0;
  for (const n of i.nodes) {
    const label = n.node.effective?.version ?? '-';
    versions.set(label, (versions.get(label) ?? 0) + 1);
    if (n.status === 'ready' || n.status === 'initializing') reachable += 1;
    const ttft = i.nodeType === 'core' ? null : (n.vitals?.ttft95Ms ?? null);
    if (ttft !== null && ttft > (worst?.ttft95Ms ?? -1)) worst = { name: n.node.name, ttft95Ms: ttft };
    const said = n.note === null || n.note.quiet ? null : speak(n.note.text, ui.theme);
    // `soaking 18s` and `soaking 12s` are the same thing here, and `down` is counted already.
    const kind = said?.replace(/ (\d+[smhd])+$| \d+$/, '') ?? null;
    if (kind !== null && n.status !== 'down') facts.set(kind, (facts.get(kind) ?? 0) + 1);
  }
  const most = (m: ReadonlyMap<string, number>) => [...m].sort((a, b) => b[1] - a[1]);
  return {
    region: i.region,
    versions: most(versions)
      .slice(0, 4)
      .map(([label, n]) => ({ label, n })),
    worst,
    nodes: i.nodes.length,
    reachable,
    facts: most(facts).map(([what, n]) => `${n} ${what}`),
  };
}

export function regionsParts(state: State, ui: Ui, header: readonly Row[]): FrameParts {
  const { regions: v, picture } = state;
  const rows = v.items.map((i) => regionRow(i, i.region, v));
  const at = cursorRegion(v);
  const stale = isStale(state);
  const cores = v.items.filter((i) => i.nodeType === 'core').map((i) => i.region);
  const body = regionsRows(
    {
      rows,
      cursor: Math.max(0, regionIndex(v)),
      all: v.all === null ? null : regionRow(v.all, null, v),
      window: windowOf(v),
      scale: scaleOf(rows),
      peek: at === null ? null : peek(at, ui),
      core: cores.length === 0 || v.all === null ? null : cores.join(', '),
      asOf: stale && picture.receivedAt !== null ? clock(picture.receivedAt) : null,
      stale,
    },
    ui,
  );
  return { header, body, foot: [messageOrPrompt(state, ui), keybar(state, ui)] };
}
