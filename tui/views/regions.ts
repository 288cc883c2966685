import { BLANK, ends, type Row, row, type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutMiddle } from '../theme/width.ts';
import { wrapped } from './describe-body.ts';
import { count, fixed, sparkBetween } from './format.ts';
import { greyed } from './grey.ts';
import { type Head, heads, type Place, place } from './table.ts';
import { type Ui, WIDE } from './ui.ts';
import { verdictToken } from './verdict.ts';

/** The verdicts that have a column; what waits its turn is counted among the changing. */
export const COUNTED = ['wrong', 'unseen', 'warning', 'changing', 'aside', 'well'] as const;
export type Counted = (typeof COUNTED)[number];

/** Nodes of one region and type together. Times in ms, ratios in per cent; `null` is unknown. */
export interface RegionRow {
  /** `null`: all edges, the last row. */
  readonly region: string | null;
  readonly type: 'edge' | 'core';
  readonly nodes: number;
  readonly counts: Readonly<Record<Counted, number>>;
  readonly streams: number | null;
  readonly rps: number | null;
  readonly ttft50Ms: number | null;
  readonly ttft95Ms: number | null;
  readonly gap99Ms: number | null;
  readonly p99Ms: number | null;
  readonly errPct: number | null;
  readonly abortedPct: number | null;
  /** TTFT p95 by step of the window, oldest first. */
  readonly ttft95Bar: readonly (number | null)[];
  /** Over its limit. */
  readonly over: readonly ('p99' | 'err')[];
}

export interface RegionsProps {
  readonly rows: readonly RegionRow[];
  readonly cursor: number;
  readonly all: RegionRow | null;
  /** Of the sparklines, ms: one scale, so that rows compare. */
  readonly scale: { readonly from: number; readonly to: number };
  /** Over how long the bars go. */
  readonly window: { readonly cells: number; readonly stepMs: number };
  readonly peek: RegionPeek | null;
  /** A region of cores, whose streams are counted at the edge already. */
  readonly core: string | null;
  readonly asOf: string | null;
  readonly stale: boolean;
}

/** The cursor's region in words. */
export interface RegionPeek {
  readonly region: string;
  readonly versions: readonly { readonly label: string; readonly n: number }[];
  readonly worst: { readonly name: string; readonly ttft95Ms: number } | null;
  readonly nodes: number;
  readonly reachable: number;
  /** Nodes by what the rollout or the status makes of them, in words already. */
  readonly facts: readonly string[];
}

/** Cells of the sparkline: minutes. */
export const BAR_MINUTES = 24;

interface Column {
  readonly at: Place;
  readonly head: Head;
  readonly cell: (r: RegionRow, ui: Ui) => readonly Seg[];
}

const right = (x: number, width: number): Place => ({ x, width, align: 'right' });

/** Zero is `·`, so that what is not zero stands out. */
function countCell(n: number, verdict: Verdict, ui: Ui): readonly Seg[] {
  if (n === 0) return [seg(ui.theme.sym.verdict.waiting, 'quiet')];
  const loud = verdict === 'wrong' || verdict === 'warning';
  return [loud ? seg(count(n), verdictToken(verdict), { bold: true }) : seg(count(n))];
}

function columns(p: RegionsProps, ui: Ui): readonly Column[] {
  const { say, sym } = ui.theme;
  const wide = ui.width >= 120;
  const figure = (at: Place, label: string, of: (r: RegionRow) => string, over?: 'p99' | 'err'): Column => ({
    at,
    head: { label },
    cell: (r) => [seg(of(r), over !== undefined && r.over.includes(over) ? 'warn' : 'text')],
  });
  const counted = COUNTED.map((v, i): Column => {
    const last = i === COUNTED.length - 1;
    const head: Head = { label: sym.verdict[v], ...(i === 0 ? { sorted: 'down' as const } : {}) };
    return { at: right(21 + i * 3, last ? 4 : 3), head, cell: (r) => countCell(r.counts[v], v, ui) };
  });
  const named: Column = {
    at: { x: 2, width: 8 },
    head: { label: say('regions.col.region') },
    cell: (r) => [
      r.region === null
        ? seg(say('regions.all'))
        : seg(cutMiddle(ui.theme.text(r.region), 8, sym.cut), 'text'),
    ],
  };
  const type: Column = {
    at: { x: 11, width: 4 },
    head: { label: say('col.type') },
    cell: (r) => [seg(r.region === null ? '' : say(`type.${r.type}`))],
  };
  const nodes = figure(right(16, 5), say('regions.col.nodes'), (r) => count(r.nodes));
  const streams = figure(right(42, 7), say('col.streams'), (r) => count(r.streams));
  const head = [named, type, nodes, ...counted, streams];
  if (!wide) {
    return [
      ...head,
      figure(right(50, 6), say('col.ttft95'), (r) => count(r.ttft95Ms)),
      figure(right(58, 5), say('col.gap99'), (r) => count(r.gap99Ms)),
      figure(right(65, 4), say('col.p99'), (r) => count(r.p99Ms), 'p99'),
      figure(right(71, 4), say('col.err'), (r) => fixed(r.errPct, 2), 'err'),
    ];
  }
  return [
    ...head,
    figure(right(50, 6), say('col.rps'), (r) => count(r.rps)),
    figure(right(57, 6), 'TTFT50', (r) => count(r.ttft50Ms)),
    figure(right(64, 6), say('col.ttft95'), (r) => count(r.ttft95Ms)),
    figure(right(72, 5), say('col.gap99'), (r) => count(r.gap99Ms)),
    figure(right(78, 4), say('col.p99'), (r) => count(r.p99Ms), 'p99'),
    figure(right(83, 4), say('col.err'), (r) => fixed(r.errPct, 2), 'err'),
    figure(right(88, 5), say('col.aborted'), (r) => fixed(r.abortedPct, 2)),
    {
      at: { x: 94, width: BAR_MINUTES },
      head: { label: say('regions.col.bar', { n: windowWords(p, ui) }) },
      cell: (r) => [bar(r, p, ui)],
    },
  ];
}

/** Cores have no first token of their own. */
function bar(r: RegionRow, p: RegionsProps, ui: Ui): Seg {
  if (r.type === 'core') return seg(ui.theme.say('regions.second'), 'quiet');
  const { from, to } = p.scale;
  return seg(sparkBetween(r.ttft95Bar, BAR_MINUTES, from, to, ui.theme.sym.spark));
}

/** Title, heads, a row a region, all edges, then the cursor's region in words. */
export function regionsRows(p: RegionsProps, ui: Ui): readonly Row[] {
  const { say } = ui.theme;
  const title = titleRow(p, ui);
  if (p.rows.length === 0) return [title, row(seg(` ${say('regions.none')}`, 'quiet'))];
  const all = columns(p, ui);
  const table: Row[] = [
    heads(
      all.map((c) => [c.at, c.head] as const),
      ui,
    ),
  ];
  const line = (r: RegionRow, here: boolean): Row => {
    const cells = all.map((c) => [c.at, c.cell(r, ui)] as const);
    // The last row has no type, its words take both.
    const kept = r.region === null ? cells.filter(([at]) => at.x !== 11) : cells;
    const segs = place([[{ x: 0, width: 2 }, seg(here ? '> ' : '  ', 'strong')], ...kept], ui);
    return here ? { segs, accent: true } : { segs };
  };
  p.rows.forEach((r, i) => {
    table.push(line(r, i === p.cursor));
  });
  if (p.all !== null) table.push(line(p.all, false));
  const body = [...table, BLANK, ...peekRows(p, ui)];
  return [title, ...(p.stale ? body.map(greyed) : body)];
}

/** `24 min`, `6 h` */
function windowWords({ window: w }: RegionsProps, { theme }: Ui): string {
  const minutes = Math.round((w.cells * w.stepMs) / 60_000);
  return minutes % 60 === 0
    ? theme.say('regions.hours', { n: minutes / 60 })
    : theme.say('regions.minutes', { n: minutes });
}

function titleRow(p: RegionsProps, ui: Ui): Row {
  const { say, text, sym } = ui.theme;
  const n = count(p.rows.length);
  const left: Seg[] = [
    seg(' '),
    seg(say('tab.regions'), 'strong'),
    seg(`  ${say('title.of', { n, all: n })}`),
  ];
  if (p.asOf !== null) {
    return { segs: [...left, seg('   '), seg(say('title.asof', { at: text(p.asOf) }), 'stale')] };
  }
  const units = [say('title.ms')];
  if (ui.width >= WIDE) {
    units[0] += say('regions.merged');
    units.push(
      say('regions.bar', { n: windowWords(p, ui), from: count(p.scale.from), to: count(p.scale.to) }),
    );
  }
  return ends(left, [seg(`${units.join('   ')} `, 'quiet')], ui.width, sym.cut);
}

function peekRows(p: RegionsProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const out: Row[] = [];
  const v = p.peek;
  if (v !== null) {
    const parts = [v.versions.map((x) => `${text(x.label)} ${count(x.n)}`).join('  ')];
    if (v.worst !== null)
      parts.push(say('regions.worst', { name: text(v.worst.name), n: count(v.worst.ttft95Ms) }));
    const nodes = { n: count(v.nodes), up: count(v.reachable) };
    const down = v.nodes - v.reachable;
    parts.push(
      down === 0
        ? say(v.nodes === 1 ? 'regions.reachable.one' : 'regions.reachable', nodes)
        : say('regions.down', { ...nodes, down: count(down) }),
    );
    parts.push(...v.facts.map(text));
    const shown = parts.filter((x) => x !== '').join('   ');
    const [first = '', ...more] = wrapped(`${text(v.region)}  ${shown}`, ui.width - 1);
    const name = text(v.region);
    out.push(row(' ', seg(name, 'strong'), seg(first.slice(name.length))));
    for (const line of more) out.push(row(`   ${line}`));
  }
  if (p.core !== null) {
    const once = wrapped(say('regions.once', { core: text(p.core) }), ui.width - 1);
    for (const line of once) out.push(row(seg(` ${line}`, 'quiet')));
  }
  return out;
}
