import { ends, type Row, row, type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutMiddle } from '../theme/width.ts';
import { count } from './format.ts';
import { greyed } from './grey.ts';
import { heads, type Place, place } from './table.ts';
import { type Ui, WIDE } from './ui.ts';
import { verdictSeg } from './verdict.ts';

export interface VersionRow {
  readonly label: string;
  readonly verdict: Verdict;
  /** `4m19s` */
  readonly age: string;
  readonly by: string;
  /** `2/3`: run it, of those that should; `-` for nobody. */
  readonly nodes: string;
  /** `type=edge`, or that it is not published. */
  readonly to: string;
  readonly what: string;
}

export interface PublicationRow {
  /** `HH:MM:SS` */
  readonly at: string;
  readonly label: string;
  readonly to: string;
  readonly by: string;
  readonly why: string;
}

export interface ConfigsProps {
  readonly versions: readonly VersionRow[];
  readonly cursor: number;
  readonly history: readonly PublicationRow[];
  readonly stale: boolean;
}

/** Header, title, message and keys. */
const AROUND = 6;
/** The list gives way to so many lines of history. */
const HISTORY = 6;

export function configsRows(p: ConfigsProps, ui: Ui): readonly Row[] {
  const { say } = ui.theme;
  const title = row(' ', seg(say('configs.title'), 'strong'), seg(`  ${count(p.versions.length)}`));
  if (p.versions.length === 0) return [title, row(seg(` ${say('configs.none')}`, 'quiet'))];
  const room = Math.max(1, ui.height - AROUND);
  const lower = p.history.length === 0 ? 0 : Math.min(p.history.length, HISTORY) + 3;
  const shown = Math.max(3, room - 1 - lower);
  const top = Math.max(0, Math.min(p.cursor - shown + 1, p.versions.length - shown));
  const at = places(ui);
  const body: Row[] = [versionHeads(at, ui)];
  for (const [i, v] of p.versions.slice(top, top + shown).entries()) {
    body.push(versionRow(v, top + i === p.cursor, at, ui));
  }
  if (lower > 0) {
    body.push(row(), row(' ', seg(say('configs.history'), 'strong')), historyHeads(ui));
    const left = room - body.length;
    for (const h of p.history.slice(0, Math.max(0, left))) body.push(historyRow(h, ui));
  }
  return [title, ...(p.stale ? body.map(greyed) : body)];
}

interface Places {
  readonly label: Place;
  readonly age: Place;
  readonly by: Place;
  readonly nodes: Place;
  readonly to: Place;
  readonly what: Place;
}

function places(ui: Ui): Places {
  const wide = ui.width >= WIDE;
  const what = wide ? 82 : 57;
  return {
    label: { x: 2, width: wide ? 20 : 14 },
    age: { x: wide ? 23 : 17, width: 7, align: 'right' },
    nodes: { x: wide ? 31 : 25, width: 9, align: 'right' },
    to: { x: wide ? 42 : 36, width: wide ? 26 : 20 },
    by: { x: 69, width: wide ? 12 : 0 },
    what: { x: what, width: Math.max(0, ui.width - what) },
  };
}

function versionHeads(at: Places, ui: Ui): Row {
  const { say } = ui.theme;
  return heads(
    [
      [at.label, { label: say('configs.col.label') }],
      [at.age, { label: say('configs.col.age') }],
      [at.nodes, { label: say('configs.col.nodes') }],
      [at.to, { label: say('configs.col.to') }],
      [at.by, { label: say('configs.col.by') }],
      [at.what, { label: say('configs.col.what') }],
    ],
    ui,
  );
}

function versionRow(v: VersionRow, here: boolean, at: Places, ui: Ui): Row {
  const { text, sym } = ui.theme;
  const segs = place(
    [
      [{ x: 0, width: 2 }, seg(here ? '> ' : '  ', 'strong')],
      [
        at.label,
        [verdictSeg(v.verdict, ui), seg(` ${cutMiddle(text(v.label), at.label.width - 2, sym.cut)}`)],
      ],
      [at.age, seg(v.age, 'quiet')],
      [at.nodes, seg(v.nodes)],
      [at.to, seg(text(v.to))],
      [at.by, seg(text(v.by))],
      [at.what, seg(text(v.what))],
    ],
    ui,
  );
  return here ? { segs, accent: true } : { segs };
}

const historyPlaces = (ui: Ui) => {
  const wide = ui.width >= WIDE;
  return {
    at: { x: 2, width: 8 },
    label: { x: 11, width: wide ? 20 : 14 },
    to: { x: wide ? 32 : 26, width: wide ? 26 : 20 },
    by: { x: wide ? 59 : 47, width: wide ? 12 : 9 },
    why: { x: wide ? 72 : 57, width: Math.max(0, ui.width - (wide ? 72 : 57)) },
  };
};

function historyHeads(ui: Ui): Row {
  const { say } = ui.theme;
  const at = historyPlaces(ui);
  return heads(
    [
      [at.at, { label: say('configs.col.at') }],
      [at.label, { label: say('configs.col.label') }],
      [at.to, { label: say('configs.col.to') }],
      [at.by, { label: say('configs.col.by') }],
      [at.why, { label: say('configs.col.why') }],
    ],
    ui,
  );
}

function historyRow(h: PublicationRow, ui: Ui): Row {
  const { text, sym } = ui.theme;
  const at = historyPlaces(ui);
  return {
    segs: place(
      [
        [at.at, seg(h.at, 'quiet')],
        [at.label, seg(cutMiddle(text(h.label), at.label.width, sym.cut))],
        [at.to, seg(text(h.to))],
        [at.by, seg(text(h.by))],
        [at.why, seg(text(h.why))],
      ],
      ui,
    ),
  };
}

export interface DiffProps {
  readonly label: string;
  readonly from: string;
  /** `null`: not here yet. */
  readonly lines: readonly string[] | null;
  readonly added: number;
  readonly removed: number;
  readonly error: string | null;
  readonly scroll: number;
}

/** Unified; `+` and `-` have their sign as well as their colour. */
export function diffRows(p: DiffProps, ui: Ui): readonly Row[] {
  const { say, text, sym } = ui.theme;
  const names: Seg[] = [
    seg(' '),
    seg(say('configs.title'), 'strong'),
    seg(` / ${text(p.label)}   `),
    seg(say('diff.from', { from: text(p.from) }), 'quiet'),
  ];
  const sums: Seg[] =
    p.lines === null
      ? []
      : [seg(`+${count(p.added)}`, 'ok'), seg('  '), seg(`-${count(p.removed)} `, 'crit')];
  const title = ends(names, sums, ui.width, sym.cut);
  if (p.error !== null) return [title, row(' ', verdictSeg('wrong', ui), seg(` ${text(p.error)}`, 'crit'))];
  if (p.lines === null) return [title, row(seg(` ${say('diff.asking')}`, 'quiet'))];
  if (p.lines.length === 0) return [title, row(seg(` ${say('diff.same')}`, 'quiet'))];
  const room = Math.max(1, ui.height - AROUND);
  const shown = p.lines.slice(p.scroll, p.scroll + room);
  return [title, ...shown.map((l) => row(seg(` ${text(l)}`, diffToken(l))))];
}

function diffToken(line: string): Seg['token'] {
  if (line.startsWith('@@') || line.startsWith('+++') || line.startsWith('---')) return 'quiet';
  if (line.startsWith('+')) return 'ok';
  return line.startsWith('-') ? 'crit' : 'text';
}
