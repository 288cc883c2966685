import type { TargetState } from '../../../proto/vocab/rollout.ts';
import { type Row, row, type Seg, seg, segsWidth } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { cutMiddle, padTo } from '../../theme/width.ts';
import { count, durationIn } from '../format.ts';
import { heads, place } from '../table.ts';
import { type Ui, WIDE } from '../ui.ts';
import { isLoud, verdictSeg, verdictToken } from '../verdict.ts';

/** Nodes of one state, in the order of the bar. */
export interface StateCount {
  readonly state: TargetState;
  readonly verdict: Verdict;
  readonly n: number;
}

export interface TargetRow {
  readonly name: string;
  readonly verdict: Verdict;
  readonly state: TargetState;
  readonly forMs: number;
  readonly why: string;
}

export interface TargetsProps {
  readonly total: number;
  readonly counts: readonly StateCount[];
  readonly onNow: { readonly version: string; readonly n: number } | null;
  readonly rows: readonly TargetRow[];
  readonly cursor: number;
  readonly error: string | null;
}

/** Labels stand before it. */
export function textAt(ui: Ui): number {
  return ui.width >= WIDE ? 16 : 13;
}

/** What went wrong, waits or stands aside; the others go their way. */
const FIRST: readonly TargetState[] = [
  'failed',
  'reverted',
  'held_by_streams',
  'deferred_offline',
  'excluded',
];

/** Nodes by state, zeroes left out, what is out of line first; broken where a row is full. */
export function summaryRows(p: TargetsProps, ui: Ui): readonly Row[] {
  const { say } = ui.theme;
  const parts = (of: readonly StateCount[]): Seg[][] =>
    of.map((c) => [
      verdictSeg(c.verdict, ui),
      seg(` ${count(c.n)} ${say(`target.${c.state}`)}`, isLoud(c.verdict) ? verdictToken(c.verdict) : 'text'),
    ]);
  const first = p.counts.filter((c) => FIRST.includes(c.state));
  const going = parts(p.counts.filter((c) => !FIRST.includes(c.state)));
  if (p.onNow !== null) {
    const pct = p.total === 0 ? '0.0' : ((100 * p.onNow.n) / p.total).toFixed(1);
    const values = { n: count(p.onNow.n), version: ui.theme.text(p.onNow.version), pct };
    const on = [seg((going.length > 0 ? ' ' : '') + say('targets.on', values))];
    const room = ui.width - textAt(ui) - 2;
    // It can be counted: where it would take a row of its own it is left out.
    if (segsWidth([...going.flat(), ...on]) + 2 * going.length <= room) going.push(on);
  }
  const label = `${say('targets.title')} ${count(p.total)}`;
  const lines = [...filled(parts(first), ui), ...filled(going, ui)];
  return (lines.length === 0 ? [[]] : lines).map((segs, i) =>
    row(' ', seg(padTo(i === 0 ? label : '', textAt(ui) - 1), i === 0 ? 'strong' : 'text'), ...segs),
  );
}

/** As many a row as fit, two cells between. */
function filled(parts: readonly Seg[][], ui: Ui): Seg[][] {
  const out: Seg[][] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (last !== undefined && textAt(ui) + segsWidth(last) + 2 + segsWidth(part) <= ui.width) {
      last.push(seg('  '), ...part);
    } else out.push([...part]);
  }
  return out;
}

const LEVEL: Readonly<Partial<Record<TargetState, 0 | 1 | 2 | 3>>> = {
  healthy: 0,
  soaking: 1,
  applying: 2,
  offered: 2,
  waiting: 3,
};

/** One cell so many nodes; no state is rounded to nothing, the largest gives way. */
export function barCells(counts: readonly StateCount[], cells: number): readonly number[] {
  const total = counts.reduce((sum, c) => sum + c.n, 0);
  const each = Math.max(1, Math.ceil(total / cells));
  const out = counts.map((c) => (c.n === 0 ? 0 : Math.max(1, Math.round(c.n / each))));
  const want = Math.ceil(total / each);
  for (;;) {
    const sum = out.reduce((a, b) => a + b, 0);
    if (sum === want) return out;
    const at = out.indexOf(Math.max(...out));
    // More states than cells: each keeps its one.
    if (sum > want && (out[at] ?? 0) <= 1) return out;
    out[at] = (out[at] ?? 0) + (sum > want ? -1 : 1);
  }
}

export function barRow(p: TargetsProps, ui: Ui): readonly Row[] {
  const { say, sym } = ui.theme;
  const total = p.counts.reduce((sum, c) => sum + c.n, 0);
  if (total === 0) return [];
  const room = Math.min(100, ui.width - textAt(ui) - 1);
  const each = Math.max(1, Math.ceil(total / room));
  const cells = barCells(p.counts, room);
  const segs = p.counts.map((c, i) => {
    const level = LEVEL[c.state];
    const cell = level === undefined ? sym.verdict[c.verdict] : (sym.bar[level] ?? '');
    return seg(cell.repeat(cells[i] ?? 0), verdictToken(c.verdict));
  });
  return [row(' ', seg(padTo(say('targets.cell', { n: each }), textAt(ui) - 1), 'quiet'), ...segs)];
}

/** Heads and the targets around the cursor, in at most `room` rows. */
export function targetTable(p: TargetsProps, room: number, ui: Ui): readonly Row[] {
  const { say, text, sym } = ui.theme;
  const why = { x: 42, width: Math.max(0, ui.width - 42) };
  const at = {
    name: { x: 2, width: 12 },
    state: { x: 15, width: 18 },
    since: { x: 33, width: 7, align: 'right' },
  } as const;
  const title = heads(
    [
      [at.name, { label: say('targets.col.target') }],
      [at.state, { label: say('targets.col.state') }],
      [at.since, { label: say('targets.col.for') }],
      [why, { label: say('targets.col.why') }],
    ],
    ui,
  );
  if (p.rows.length === 0) {
    const words = p.error === null ? say('targets.asking') : text(p.error);
    return [title, row(seg(`  ${words}`, p.error === null ? 'quiet' : 'crit'))];
  }
  const shown = Math.max(1, room - 1);
  const top = Math.max(0, Math.min(p.cursor - shown + 1, p.rows.length - shown));
  const lines = p.rows.slice(top, top + shown).map((r, i): Row => {
    const here = top + i === p.cursor;
    const segs = place(
      [
        [{ x: 0, width: 2 }, seg(here ? '> ' : '  ', 'strong')],
        [at.name, seg(cutMiddle(text(r.name), at.name.width, sym.cut))],
        [
          at.state,
          [
            verdictSeg(r.verdict, ui),
            seg(` ${say(`target.${r.state}`)}`, r.verdict === 'wrong' ? 'crit' : 'text'),
          ],
        ],
        [at.since, seg(durationIn(r.forMs, at.since.width), 'quiet')],
        [why, seg(text(r.why))],
      ],
      ui,
    );
    return here ? { segs, accent: true } : { segs };
  });
  return [title, ...lines];
}
