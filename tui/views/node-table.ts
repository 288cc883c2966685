import type { Token } from '../theme/palette.ts';
import { ends, type Row, type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutEnd, cutMiddle, padTo, width } from '../theme/width.ts';
import { count, fixed, seen, sparkFixed } from './format.ts';
import type { StatusWord } from './header.ts';
import { BAR_TOP_MS, type Column, hasColumn, planColumns } from './node-columns.ts';
import { type Ui, WIDE } from './ui.ts';
import { isLoud, verdictSeg, verdictToken } from './verdict.ts';

export const NODE_COLUMNS = [
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
  'note',
  'gap99',
  'aborted',
  'engine',
  'agent',
  'labels',
] as const;
export type NodeColumn = (typeof NODE_COLUMNS)[number];

/** Fields that can stand over a limit: they take `warn` for as long as they do. */
export type Figure = 'ttft95' | 'p99' | 'err' | 'cpu' | 'mem';

/** The one reason, of a fixed form, or words already chosen. */
export interface NodeNote {
  readonly verdict: Verdict;
  readonly text: string;
  /** Suppressed or acknowledged: grey. */
  readonly quiet?: boolean;
}

export interface NodeRow {
  readonly name: string;
  readonly region: string;
  readonly type: 'edge' | 'core';
  /** Over all axes and alerts. */
  readonly verdict: Verdict;
  readonly status: StatusWord;
  /** Since the last sign of life; `null`: never seen. */
  readonly seenMs: number | null;
  /** Version the node runs, or `null`. */
  readonly version: string | null;
  /** Beside the version; `null` when in sync. */
  readonly sync: Verdict | null;
  readonly streams: number | null;
  readonly rps: number | null;
  readonly ttft95Ms: number | null;
  readonly p99Ms: number | null;
  readonly errPct: number | null;
  readonly cpuPct: number | null;
  readonly memPct: number | null;
  /** P99 by minute, oldest first, the last ten are drawn; `null` is a gap. */
  readonly p99Minutes: readonly (number | null)[];
  readonly note: NodeNote | null;
  readonly over: readonly Figure[];
  readonly marked: boolean;
  /** Last data of a lost node: figures stay, grey. */
  readonly stale: boolean;
  readonly gap99Ms?: number | null;
  readonly abortedPct?: number | null;
  readonly engine?: string;
  readonly agent?: string;
  readonly labels?: string;
}

export interface NodeTableProps {
  /** Only the rows on screen, in order. */
  readonly rows: readonly NodeRow[];
  /** Index into `rows`; `null`: no cursor. */
  readonly cursor: number | null;
  readonly sort: { readonly column: NodeColumn; readonly down: boolean };
  /** SEEN says `<10s` within it. */
  readonly heartbeatMs: number;
  /** Everything grey: no master. */
  readonly stale: boolean;
  /** From `measureNodes`, on entry and on resize. */
  readonly measured?: MeasuredNodes;
}

/** Widest content, so that columns are set once. Cells. */
export interface MeasuredNodes {
  readonly name: number;
  readonly region: number;
  readonly config: number;
}

export function measureNodes(
  rows: Iterable<Pick<NodeRow, 'name' | 'region' | 'version' | 'sync'>>,
): MeasuredNodes {
  let name = 0;
  let region = 0;
  let config = 0;
  for (const r of rows) {
    name = Math.max(name, width(r.name));
    region = Math.max(region, width(r.region));
    // Room for the symbol even when nothing is out of sync now: columns must not move later.
    config = Math.max(config, width(r.version ?? '') + 2);
  }
  return { name, region, config };
}

/** Header, title, heads above; peek, message, keys below. */
const AROUND = 8;

/** Rows for nodes between the column heads and the foot: what `rows` should hold. */
export function visibleNodes(ui: Pick<Ui, 'height'>): number {
  return Math.max(0, ui.height - AROUND);
}

/** Column heads and one row a node; blank rows are the frame's. */
export function nodeTableRows(p: NodeTableProps, ui: Ui): readonly Row[] {
  const columns = planColumns(ui, p.measured);
  return [headRow(columns, p, ui), ...p.rows.map((r, i) => nodeRow(r, i === p.cursor, columns, p, ui))];
}

/** The sort arrow follows its head, in the gap when the head fills its column. */
function headRow(columns: readonly Column[], p: NodeTableProps, ui: Ui): Row {
  const segs: Seg[] = [];
  let x = 0;
  const put = (s: Seg) => {
    segs.push(s);
    x += width(s.text);
  };
  for (const c of columns) {
    const label = cutEnd(ui.theme.say(c.head), Math.max(c.width, 0), ui.theme.sym.cut);
    const start = c.align === 'left' ? c.x : c.x + c.width - width(label);
    if (start > x) put(seg(' '.repeat(start - x)));
    put(seg(label, 'head'));
    if (p.sort.column === c.id && x < ui.width)
      put(seg(p.sort.down ? ui.theme.sym.down : ui.theme.sym.up, 'strong'));
  }
  return { segs };
}

function nodeRow(r: NodeRow, cursor: boolean, columns: readonly Column[], p: NodeTableProps, ui: Ui): Row {
  const segs: Seg[] = [seg((cursor ? '>' : ' ') + (r.marked ? '*' : ' '), 'strong')];
  const grey = p.stale || r.stale;
  let x = 2;
  for (const c of columns) {
    if (c.x > x) segs.push(seg(' '.repeat(c.x - x)));
    for (const s of cell(c, r, p, ui)) segs.push(grey ? { text: s.text, token: 'stale' } : s);
    x = c.x + c.width;
  }
  return cursor ? { segs, accent: true } : { segs };
}

function cell(c: Column, r: NodeRow, p: NodeTableProps, ui: Ui): readonly Seg[] {
  const { theme } = ui;
  const put = (text: string, token: Token = 'text') => [seg(padTo(text, c.width, c.align), token)];
  const end = (text: string) => put(cutEnd(theme.text(text), c.width, theme.sym.cut));
  const figure = (text: string, over: Figure) => put(text, r.over.includes(over) ? 'warn' : 'text');
  switch (c.id) {
    case 'name':
      return put(cutMiddle(theme.text(r.name), c.width, theme.sym.cut));
    case 'region':
      return end(r.region);
    case 'type':
      return put(theme.say(`type.${r.type}`));
    case 'status':
      return status(r, c, ui);
    case 'seen':
      // A node that is away is not within its interval, however short the wait was.
      return put(seen(r.seenMs, r.status === 'ready' ? p.heartbeatMs : 0, c.width));
    case 'config':
      return config(r, c, ui);
    case 'streams':
      return put(count(r.streams));
    case 'rps':
      return put(count(r.rps));
    case 'ttft95':
      return figure(count(r.ttft95Ms), 'ttft95');
    case 'p99':
      return figure(count(r.p99Ms), 'p99');
    case 'err':
      return figure(fixed(r.errPct, 2), 'err');
    case 'cpu':
      return figure(count(r.cpuPct), 'cpu');
    case 'mem':
      return figure(count(r.memPct), 'mem');
    case 'bar':
      return put(sparkFixed(r.p99Minutes, c.width, BAR_TOP_MS, theme.sym.spark));
    case 'gap99':
      return put(count(r.gap99Ms));
    case 'aborted':
      return put(fixed(r.abortedPct, 2));
    case 'engine':
      return end(r.engine ?? '');
    case 'agent':
      return end(r.agent ?? '');
    case 'labels':
      return end(r.labels ?? '');
    case 'note':
      return note(r, c, ui);
  }
}

/** The symbol is the verdict over everything; the word is the agent's own axis. */
function status(r: NodeRow, c: Column, ui: Ui): readonly Seg[] {
  const word = padTo(` ${ui.theme.say(`status.${r.status}`)}`, c.width - 1);
  const sign = verdictSeg(r.verdict, ui);
  return [sign, r.verdict === 'wrong' ? seg(word, 'crit', { bold: true }) : seg(word)];
}

function config(r: NodeRow, c: Column, ui: Ui): readonly Seg[] {
  const version = cutMiddle(
    r.version === null ? '-' : ui.theme.text(r.version),
    c.width - 2,
    ui.theme.sym.cut,
  );
  const sign = r.sync === null ? [] : [seg(' '), verdictSeg(r.sync, ui)];
  const used = width(version) + (r.sync === null ? 0 : 2);
  return [seg(version), ...sign, seg(' '.repeat(Math.max(0, c.width - used)))];
}

function note(r: NodeRow, c: Column, ui: Ui): readonly Seg[] {
  if (r.note === null) return [seg(' '.repeat(c.width))];
  const text = padTo(cutEnd(ui.theme.text(r.note.text), c.width, ui.theme.sym.cut), c.width);
  if (r.note.quiet === true) return [seg(text, 'quiet')];
  return isLoud(r.note.verdict) ? [seg(text, verdictToken(r.note.verdict), { bold: true })] : [seg(text)];
}

export interface NodesTitleProps {
  /** As typed, with its slash; `null`: no filter. */
  readonly filter: string | null;
  readonly shown: number;
  readonly total: number;
  /** Of the shown ones, worst first, zeroes left out. */
  readonly verdicts: readonly { readonly verdict: Verdict; readonly n: number }[];
  readonly marked: number;
  /** `HH:MM:SS` of the last data, when it is old. */
  readonly asOf: string | null;
  /** Rows that would move if the order were applied. */
  readonly orderHeld: number;
  /** 1-based, inclusive; `null` when there is nothing. */
  readonly range: { readonly from: number; readonly to: number } | null;
}

/** Row 4: path, count, filter, marks, units, row range. */
export function nodesTitleRow(p: NodesTitleProps, ui: Ui): Row {
  const { say, text, sym } = ui.theme;
  const left: Seg[] = [seg(' '), seg(say('tab.nodes'), 'strong'), seg('  ')];
  if (p.filter !== null) left.push(seg(cutEnd(text(p.filter), 24, sym.cut), 'strong'), seg('  '));
  const values = { n: count(p.shown), all: count(p.total) };
  left.push(seg(p.filter === null ? count(p.total) : say('title.of', values)));
  if (p.asOf !== null) {
    left.push(seg('   '), seg(say('title.asof', { at: text(p.asOf) }), 'stale'));
  } else {
    p.verdicts.forEach((v, i) => {
      left.push(seg(i === 0 ? '   ' : ' '), verdictSeg(v.verdict, ui), seg(count(v.n)));
    });
    if (p.marked > 0) left.push(seg('   '), seg(say('title.marked', { n: p.marked }), 'strong'));
    if (p.orderHeld > 0) left.push(seg('   '), seg(say('title.held', { n: p.orderHeld }), 'quiet'));
  }
  const right: string[] = [];
  if (p.total > 0 && p.asOf === null) {
    right.push(say('title.ms'));
    if (ui.width >= WIDE && hasColumn('bar', ui)) right.push(say('title.bar', { top: BAR_TOP_MS }));
  }
  if (p.range !== null) right.push(`${p.range.from}-${p.range.to}`);
  return ends(left, right.length === 0 ? [] : [seg(`${right.join('   ')} `, 'quiet')], ui.width, sym.cut);
}
