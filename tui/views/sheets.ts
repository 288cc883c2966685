import { BLANK, ends, type Row, row, type Seg, seg, segsWidth } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutEnd, cutMiddle, padTo, width } from '../theme/width.ts';
import { wrapped } from './describe-body.ts';
import { type KeyHint, keybarRow } from './foot.ts';
import { count } from './format.ts';
import { heads, place } from './table.ts';
import type { Ui } from './ui.ts';
import { verdictSeg, verdictToken } from './verdict.ts';

// Sheets rise from the bottom under one rule and end with their own key row. Every function gives all its rows.

export interface SilenceSheetProps {
  readonly rule: string;
  readonly on: string;
  readonly durations: readonly string[];
  readonly chosen: number;
  /** `Tue 04:12 +08` */
  readonly ends: string;
  readonly comment: string;
  readonly focus: 'for' | 'comment' | 'match' | 'count';
  readonly matchers: readonly { readonly name: string; readonly op: string; readonly value: string }[];
  /** From the master; `null` while it is asked. */
  readonly preview: {
    readonly alerts: readonly {
      readonly verdict: Verdict;
      readonly rule: string;
      readonly on: string;
      readonly text: string;
    }[];
    readonly spared: readonly { readonly rule: string; readonly on: string }[];
    readonly nodes: number;
    readonly total: number;
    /** Figures of the last days, where the master keeps them. */
    readonly past?: { readonly days: number; readonly alerts: number; readonly text: string };
  } | null;
  /** Asked when it covers over half the fleet. */
  readonly count?: { readonly want: string; readonly typed: string };
  readonly error: string | null;
  /** Stands at the right end of the key row. */
  readonly last: KeyHint | null;
}
/** Where the end of the silence stands. */
const ENDS_AT = 58;

export function silenceSheetRows(p: SilenceSheetProps, ui: Ui): readonly Row[] {
  const { text, say } = ui.theme;
  const mark = (focus: SilenceSheetProps['focus']) => (p.focus === focus ? ' > ' : '   ');
  const label = (focus: SilenceSheetProps['focus'], words: string) =>
    [seg(mark(focus), 'strong'), seg(padTo(words, 10), 'quiet')] as const;
  const durations: Seg[] = [];
  p.durations.forEach((d, i) => {
    const chosen = i === p.chosen;
    if (i > 0) durations.push(seg('  '));
    durations.push(chosen ? seg(`[${text(d)}]`, 'text', { accent: p.focus === 'for' }) : seg(text(d)));
  });
  const at = ' '.repeat(Math.max(2, ENDS_AT - 13 - segsWidth(durations)));
  const out: Row[] = [
    ruleRow(ui),
    titleRow(say('silence.title', { rule: text(p.rule), on: text(p.on) }), say('silence.exact'), ui),
    row(...label('for', say('silence.for')), ...durations, at + say('silence.ends', { at: text(p.ends) })),
    row(...label('comment', say('silence.comment')), ...field(p.comment, p.focus === 'comment', ui)),
  ];
  const longest = p.matchers.reduce((w, m) => Math.max(w, width(text(m.name))), 0);
  p.matchers.forEach((m, i) => {
    const words = `${padTo(text(m.name), longest)} ${text(m.op)} ${text(m.value)}`;
    out.push(row(...label('match', i === 0 ? say('silence.match') : ''), words));
  });
  out.push(BLANK, ...previewRows(p, ui));
  if (p.count !== undefined) {
    const ask = say('sheet.type', { want: text(p.count.want), what: say('sheet.nodes') });
    const hit = p.count.typed === p.count.want ? [seg('   '), verdictSeg('well', ui)] : [];
    out.push(
      row(
        seg(mark('count'), 'strong'),
        `${ask}     `,
        ...field(p.count.typed, p.focus === 'count', ui),
        ...hit,
      ),
    );
  }
  if (p.error !== null) out.push(errorRow(p.error, ui));
  out.push(keybarRow({ keys: silenceKeys(ui), last: p.last, roomy: true }, ui));
  return out;
}

function silenceKeys(ui: Ui): readonly KeyHint[] {
  const { say } = ui.theme;
  return [
    { key: 'Enter', label: say('silence.make') },
    { key: 'Tab', label: say('sheet.next') },
    { key: 'Left Right', label: say('sheet.choose') },
    { key: 'Esc', label: say('sheet.cancel') },
  ];
}

/** What it would match before it exists. */
function previewRows(p: SilenceSheetProps, ui: Ui): readonly Row[] {
  const { text, say } = ui.theme;
  const v = p.preview;
  if (v === null) return [row(seg(` ${say('silence.asking')}`, 'quiet'))];
  const values = { n: v.alerts.length, nodes: count(v.nodes), all: count(v.total) };
  const out: Row[] = [row(` ${say(v.alerts.length === 1 ? 'silence.would.one' : 'silence.would', values)}`)];
  const shown = v.alerts.slice(0, 3);
  for (const a of shown)
    out.push(row('   ', verdictSeg(a.verdict, ui), ` ${text(a.rule)}  ${text(a.on)}   ${text(a.text)}`));
  if (v.alerts.length > shown.length)
    out.push(row(seg(`   ${say('silence.more', { n: v.alerts.length - shown.length })}`, 'quiet')));
  if (v.spared.length > 0) {
    const names = v.spared.map((s) => `${text(s.rule)} ${text(s.on)}`).join('   ');
    out.push(row(` ${say('silence.spared', { names })}`));
  }
  if (v.past !== undefined)
    out.push(
      row(
        seg(
          ` ${say('silence.past', { days: v.past.days, n: v.past.alerts, text: text(v.past.text) })}`,
          'quiet',
        ),
      ),
    );
  return out;
}

/** A question whose answer is a typed word: reload of a set, roll back. */
export interface TypedSheetProps {
  readonly title: string;
  /** `dry run 03:12:10, again every 5 s` */
  readonly aside: string;
  /** Label and text; an empty label continues the one before. `loud`: what is cut. */
  readonly facts: readonly { readonly label: string; readonly text: string; readonly loud?: boolean }[];
  readonly reason: { readonly label: string; readonly typed: string } | null;
  /** `null`: nothing can be asked yet, or at all. */
  readonly type: { readonly want: string; readonly what: string; readonly typed: string } | null;
  readonly focus: 'reason' | 'type' | 'none';
  readonly error: string | null;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export function typedSheetRows(p: TypedSheetProps, ui: Ui): readonly Row[] {
  const { text } = ui.theme;
  const out: Row[] = [ruleRow(ui), titleRow(p.title, p.aside, ui)];
  for (const f of p.facts)
    out.push(
      row(' ', seg(padTo(text(f.label), 11), 'quiet'), seg(text(f.text), f.loud === true ? 'crit' : 'text')),
    );
  out.push(BLANK);
  if (p.reason !== null)
    out.push(
      row(
        ' ',
        seg(`${text(p.reason.label)}    `, 'quiet'),
        ...field(p.reason.typed, p.focus === 'reason', ui),
      ),
    );
  if (p.type !== null) out.push(questionRow(p.type, p.focus === 'type', ui));
  out.push(errorRow(p.error, ui), keybarRow({ keys: p.keys, last: p.last, roomy: true }, ui));
  return out;
}

function questionRow(q: NonNullable<TypedSheetProps['type']>, focused: boolean, ui: Ui): Row {
  const { text, say } = ui.theme;
  const hit = q.typed === q.want;
  const verdict = hit
    ? [verdictSeg('well', ui), seg(` ${say('sheet.matches')}`)]
    : q.typed === ''
      ? []
      : [seg(say('sheet.notyet', { typed: text(q.typed), want: text(q.want) }), 'quiet')];
  const ask = say('sheet.type', { want: text(q.want), what: text(q.what) });
  return row(` ${ask}     `, ...field(q.typed, focused, ui), '      ', ...verdict);
}

/** A question answered by one letter: Enter and Esc say no. */
export interface ConfirmSheetProps {
  readonly title: string;
  readonly aside: string;
  readonly lines: readonly { readonly text: string; readonly loud?: boolean }[];
  readonly question: string;
  readonly yes: string;
  readonly no: string;
  readonly keys: readonly KeyHint[];
}
export function confirmSheetRows(p: ConfirmSheetProps, ui: Ui): readonly Row[] {
  const { text } = ui.theme;
  const out: Row[] = [ruleRow(ui), titleRow(p.title, p.aside, ui)];
  for (const l of p.lines) out.push(row(seg(` ${text(l.text)}`, l.loud === true ? 'crit' : 'text')));
  out.push(
    BLANK,
    row(
      ' ',
      seg(`${text(p.question)}   `),
      seg('y', 'strong'),
      ` ${text(p.yes)}   `,
      seg('n', 'strong'),
      ` ${text(p.no)}`,
    ),
    keybarRow({ keys: p.keys, last: null, roomy: true }, ui),
  );
  return out;
}

/** The result of an act, node by node: failures first as given. */
export interface ResultSheetProps {
  readonly title: string;
  readonly aside: { readonly verdict: Verdict; readonly text: string };
  readonly counts: readonly { readonly verdict: Verdict; readonly n: number; readonly word: string }[];
  readonly settled: number;
  readonly total: number;
  readonly rows: readonly {
    readonly name: string;
    readonly verdict: Verdict;
    readonly state: string;
    readonly tookMs: number | null;
    readonly output: string;
  }[];
  readonly cursor: number;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export function resultSheetRows(p: ResultSheetProps, ui: Ui): readonly Row[] {
  const { text, say, sym } = ui.theme;
  const { verdict } = p.aside;
  const settled = say('sheet.settled', { n: count(p.settled), all: count(p.total) });
  const out: Row[] = [
    ruleRow(ui),
    row(
      ' ',
      seg(text(p.title), 'strong'),
      '   ',
      verdictSeg(verdict, ui),
      seg(` ${text(p.aside.text)}`, verdictToken(verdict)),
      `   ${settled}`,
    ),
  ];
  const counts: Seg[] = [seg(' ')];
  p.counts.forEach((c, i) => {
    if (i > 0) counts.push(seg('   '));
    counts.push(verdictSeg(c.verdict, ui), seg(` ${count(c.n)} ${text(c.word)}`));
  });
  out.push({ segs: counts });
  const at = {
    name: { x: 2, width: 11 },
    state: { x: 14, width: 12 },
    took: { x: 29, width: 5 },
    output: { x: 35, width: Math.max(0, ui.width - 35) },
  };
  out.push(
    heads(
      [
        [at.name, { label: say('sheet.col.node') }],
        [at.state, { label: say('sheet.col.state') }],
        [at.took, { label: say('sheet.col.took') }],
        [at.output, { label: say('sheet.col.output') }],
      ],
      ui,
    ),
  );
  p.rows.forEach((r, i) => {
    const here = i === p.cursor;
    const took = r.tookMs === null ? '-' : `${(r.tookMs / 1000).toFixed(1)}s`;
    const segs = place(
      [
        [{ x: 0, width: 2 }, seg(here ? '> ' : '  ', 'strong')],
        [at.name, seg(cutMiddle(text(r.name), at.name.width, sym.cut))],
        [at.state, [verdictSeg(r.verdict, ui), seg(` ${text(r.state)}`)]],
        [at.took, seg(took)],
        [at.output, seg(text(r.output))],
      ],
      ui,
    );
    out.push(here ? { segs, accent: true } : { segs });
  });
  out.push(keybarRow({ keys: p.keys, last: p.last, roomy: true }, ui));
  return out;
}

/** An error from the master: what, where with the line it is about, what to do. */
export interface RefusalSheetProps {
  readonly title: string;
  readonly at: string;
  readonly code: string;
  readonly what: string;
  /** `line 63, column 106: hops[0]…` */
  readonly where: string | null;
  /** The line it is about, with its number. */
  readonly source: { readonly line: number; readonly column: number; readonly text: string } | null;
  readonly todo: string;
  readonly trace: string | null;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export function refusalSheetRows(p: RefusalSheetProps, ui: Ui): readonly Row[] {
  const { text, say, sym } = ui.theme;
  const line = (label: string, words: string, loud = false): Row[] =>
    wrapped(text(words), ui.width - 10).map((part, i) =>
      row(' ', seg(padTo(i === 0 ? label : '', 8), 'quiet'), seg(part, loud ? 'strong' : 'text')),
    );
  const out: Row[] = [
    ruleRow(ui),
    ends(
      [seg(' '), verdictSeg('wrong', ui), seg(` ${text(p.title)}`, 'crit', { bold: true })],
      [seg(` ${text(p.at)}  ${text(p.code)} `, 'quiet')],
      ui.width,
      sym.cut,
    ),
    ...line(say('sheet.what'), p.what, true),
  ];
  if (p.where !== null) out.push(...line(say('sheet.where'), p.where));
  if (p.source !== null) out.push(row(`         ${sourceLine(p.source, ui.width - 10, ui)}`));
  out.push(...line(say('sheet.do'), p.todo));
  if (p.trace !== null) out.push(...line(say('sheet.trace'), p.trace));
  out.push(keybarRow({ keys: p.keys, last: p.last, roomy: true }, ui));
  return out;
}

/** The line it is about with its number; a long one is cut around the column, so that the place stays in view. */
function sourceLine(s: NonNullable<RefusalSheetProps['source']>, cells: number, ui: Ui): string {
  const { text, sym } = ui.theme;
  const number = `${s.line} `;
  const room = Math.max(8, cells - number.length);
  const whole = text(s.text.trimEnd());
  if (width(whole) <= room) return number + whole;
  const points = [...s.text];
  const from = Math.max(0, s.column - 1 - Math.floor(room / 2));
  const part = text(points.slice(from).join(''));
  return number + cutEnd(from > 0 ? sym.cut + part : part, room, sym.cut);
}

function ruleRow(ui: Ui): Row {
  return row(seg(ui.theme.sym.rule.repeat(ui.width), 'quiet'));
}

function titleRow(title: string, aside: string, ui: Ui): Row {
  const { text, sym } = ui.theme;
  const right = aside === '' ? [] : [seg(` ${text(aside)} `, 'quiet')];
  return ends([seg(' '), seg(text(title), 'strong')], right, ui.width, sym.cut);
}

/** What is typed, with the caret when the next key goes there. */
function field(typed: string, focused: boolean, ui: Ui): readonly Seg[] {
  const words = seg(ui.theme.text(typed), 'strong');
  return focused ? [words, seg(ui.theme.sym.caret, 'text', { accent: true })] : [words];
}

function errorRow(error: string | null, ui: Ui): Row {
  if (error === null) return BLANK;
  return row(' ', verdictSeg('wrong', ui), seg(` ${ui.theme.text(error)}`, 'crit'));
}
