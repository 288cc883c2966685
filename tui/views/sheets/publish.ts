import { BLANK, clip, ends, type Row, row, type Seg, seg, segsWidth } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { cutEnd, padTo, width } from '../../theme/width.ts';
import { wrapped } from '../describe-body.ts';
import { type KeyHint, keybarRow } from '../foot.ts';
import { count } from '../format.ts';
import { type Ui, WIDE } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';
import { errorRow, errorRows, field, ruleRow } from './parts.ts';

/** A row of choices: Left and Right move among them while it has the focus. */
export interface ChoiceRow {
  readonly label: string;
  readonly options: readonly string[];
  readonly chosen: number;
  readonly focused: boolean;
}

export interface PublishPageProps {
  /** `publish v43 to region=hk` */
  readonly title: string;
  /** `v43 by lin 03:10:20: "…"   a71c04e` */
  readonly aside: string;
  readonly facts: readonly { readonly label: string; readonly text: string; readonly loud?: boolean }[];
  /** `null`: the master is asked. */
  readonly diff: {
    readonly label: string;
    readonly added: number;
    readonly removed: number;
    readonly bases: readonly { readonly text: string; readonly chosen: boolean }[];
    readonly focused: boolean;
    readonly lines: readonly string[] | null;
    readonly scroll: number;
  } | null;
  /** What was looked at, and how it was found. */
  readonly checks: readonly { readonly verdict: Verdict; readonly name: string; readonly text: string }[];
  readonly warns: readonly { readonly verdict: Verdict; readonly text: string }[];
  readonly choices: readonly ChoiceRow[];
  readonly reason: { readonly label: string; readonly typed: string; readonly focused: boolean };
  readonly type: { readonly want: string; readonly typed: string; readonly focused: boolean } | null;
  readonly error: string | null;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint;
}

const TEXT_AT = 14;
const FIELD_AT = 9;
/** Header. */
const AROUND = 3;
/** Below it each fact but the steps has one row: the diff wants some as well. */
const LOW = 30;

/** The whole page under the header: who is hit, what differs, and the fields under a rule. */
export function publishPageRows(p: PublishPageProps, ui: Ui): readonly Row[] {
  const { say } = ui.theme;
  const room = Math.max(1, ui.height - AROUND);
  const foot = fieldRows(p, ui);
  const low = ui.height < LOW;
  const facts = p.facts.flatMap((f, i) => factRows(f, low && i < p.facts.length - 1 ? 1 : 3, ui));
  const warns = low ? shortRows(p, ui) : [...checkRows(p, ui), ...warnRows(p, ui)];
  const head = [titleRow(p, ui), ...(low ? [] : [row(' ', seg(say('publish.blast'), 'strong'))]), ...facts];
  const fixed = head.length + warns.length + foot.length;
  const roomy = room - fixed > 12;
  const gap = roomy ? [BLANK] : [];
  const cells = room - fixed - gap.length * 2;
  const diff = cells >= 2 ? diffRows(p, cells, ui) : [];
  const body = [...head, ...gap, ...diff, ...gap, ...warns];
  while (body.length < room - foot.length) body.push(BLANK);
  return [...body.slice(0, room - foot.length), ...foot];
}

function titleRow(p: PublishPageProps, ui: Ui): Row {
  const { say, text, sym } = ui.theme;
  const left = [seg(' '), seg(say('tab.rollouts'), 'strong'), seg(` / ${text(p.title)}`)];
  return ends(left, ui.width < WIDE ? [] : [seg(`  ${text(p.aside)} `, 'quiet')], ui.width, sym.cut);
}

function factRows(f: PublishPageProps['facts'][number], most: number, ui: Ui): readonly Row[] {
  const { text } = ui.theme;
  const token = f.loud === true ? 'crit' : 'text';
  const room = ui.width - TEXT_AT;
  const parts = most === 1 ? [cutEnd(text(f.text), room, ui.theme.sym.cut)] : inParts(text(f.text), room);
  return parts
    .slice(0, most)
    .map((part, i) =>
      row('  ', seg(padTo(i === 0 ? text(f.label) : '', TEXT_AT - 2), 'quiet'), seg(part, token)),
    );
}

const BETWEEN = '   ';

/** Broken between parts where that will do, else at spaces. */
function inParts(line: string, room: number): readonly string[] {
  const out: string[] = [];
  for (const part of line.split(BETWEEN)) {
    const now = out.at(-1);
    const longer = now === undefined ? part : `${now}${BETWEEN}${part}`;
    if (width(longer) <= room) out.splice(Math.max(0, out.length - 1), 1, longer);
    else out.push(...wrapped(part, room));
  }
  return out;
}

/** ` Checked   schema ●   variables ● …`: over as many rows as it takes, three at most. */
function checkRows(p: PublishPageProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const items = p.checks.map((c): readonly Seg[] => [
    seg(`${text(c.name)} `),
    verdictSeg(c.verdict, ui),
    ...(c.text === '' ? [] : [seg(` ${text(c.text)}`)]),
  ]);
  return flowing(say('publish.checked'), items, ui);
}

function warnRows(p: PublishPageProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const items = p.warns.map((w): readonly Seg[] => [verdictSeg(w.verdict, ui), seg(` ${text(w.text)}`)]);
  return flowing(say('publish.warns'), items, ui);
}

/** One row for both where rows are few: verdicts by name, and what is loud in words as far as it goes. */
function shortRows(p: PublishPageProps, ui: Ui): readonly Row[] {
  const { say, text, sym } = ui.theme;
  if (p.checks.length + p.warns.length === 0) return [];
  const quiet = p.checks.map((c) => [seg(`${text(c.name)} `), verdictSeg(c.verdict, ui)]);
  const loud = [
    ...p.checks.filter((c) => c.verdict === 'wrong'),
    ...p.warns,
    ...p.checks.filter((c) => c.verdict === 'warning'),
  ].map((c) => [verdictSeg(c.verdict, ui), seg(` ${text(c.text)}`)]);
  const items = [...quiet, ...loud.slice(0, 1)];
  const label = seg(padTo(say('publish.checked'), LABELLED), 'quiet');
  const segs = items.flatMap((item, i) => [...(i > 0 ? [seg('  ')] : []), ...item]);
  const more = loud.length > 1 ? [seg(` +${loud.length - 1}`, 'quiet')] : [];
  return [ends([seg(' '), label, ...segs], more, ui.width, sym.cut)];
}

const LABELLED = 10;
const MOST_ROWS = 3;

/** Items in a row, on the next one where they do not fit; the last row is cut. */
function flowing(label: string, items: readonly (readonly Seg[])[], ui: Ui): readonly Row[] {
  if (items.length === 0) return [];
  const { sym } = ui.theme;
  const room = ui.width - LABELLED - 2;
  const lines: Seg[][] = [[]];
  for (const item of items) {
    const now = lines.at(-1) ?? [];
    const wants = segsWidth(now) + segsWidth(item) + (now.length > 0 ? 3 : 0);
    if (now.length > 0 && wants > room && lines.length < MOST_ROWS) lines.push([...item]);
    else now.push(...(now.length > 0 ? [seg('   ')] : []), ...item);
  }
  return lines.map((segs, i) =>
    row(' ', seg(padTo(i === 0 ? label : '', LABELLED), 'quiet'), ...clip(segs, room, sym.cut)),
  );
}

function diffRows(p: PublishPageProps, room: number, ui: Ui): readonly Row[] {
  const { say, text, sym } = ui.theme;
  const d = p.diff;
  // Nobody is asked what differs for what cannot be.
  if (d === null) return p.error === null ? [row(seg(` ${say('diff.asking')}`, 'quiet'))] : [];
  const bases = d.bases.flatMap((b, i): Seg[] => {
    const words = b.chosen ? `[${text(b.text)}]` : text(b.text);
    return [...(i > 0 ? [seg('  ')] : []), seg(words, 'text', { accent: b.chosen && d.focused })];
  });
  const left: Seg[] = [seg(' '), seg(say('publish.diff', { label: text(d.label) }), 'strong'), seg('   ')];
  if (d.lines !== null) {
    left.push(seg(`+${count(d.added)}`, 'ok'), seg(' '), seg(`-${count(d.removed)}`, 'crit'), seg('   '));
  }
  if (bases.length > 0) left.push(seg(`${say('publish.base')}  `, 'quiet'), ...bases);
  const title = ends(left, [seg(` ${say('publish.written')} `, 'quiet')], ui.width, sym.cut);
  if (d.lines === null) return [title, row(seg(` ${say('diff.asking')}`, 'quiet'))];
  if (d.lines.length === 0) return [title, row(seg(` ${say('diff.same')}`, 'quiet'))];
  const all = numbered(d.lines, ui);
  const from = Math.max(0, Math.min(d.scroll, all.length - (room - 1)));
  return [title, ...all.slice(from, from + room - 1)];
}

/** A unified diff with the number of each line on both sides; what is the same between is told by its length. */
export function numbered(lines: readonly string[], ui: Ui): readonly Row[] {
  const { text, sym } = ui.theme;
  const out: Row[] = [];
  let old = 1;
  let now = 1;
  const partner = partners(lines);
  for (const [i, line] of lines.entries()) {
    if (line.startsWith('---') || line.startsWith('+++')) continue;
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (hunk !== null) {
      const at = Number(hunk[1]);
      if (at > old) out.push(row(seg(`            ${sym.cut} ${sameLines(at - old, ui)}`, 'quiet')));
      old = at;
      now = Number(hunk[2]);
      continue;
    }
    const sign = line[0] ?? ' ';
    const token = sign === '+' ? 'ok' : sign === '-' ? 'crit' : 'text';
    const left = sign === '+' ? '' : String(old);
    const right = sign === '-' ? '' : String(now);
    const numbers = `${padTo(left, 6, 'right')}${padTo(right, 5, 'right')}`;
    const other = partner.get(i);
    const cut = fitted(text(line.slice(1)), other === undefined ? null : text(other.slice(1)), ui);
    out.push(row(seg(numbers, 'quiet'), seg(` ${sign === '+' || sign === '-' ? sign : ' '} ${cut}`, token)));
    if (sign !== '+') old += 1;
    if (sign !== '-') now += 1;
  }
  return out;
}

const sameLines = (n: number, { theme }: Ui): string =>
  n === 1 ? theme.say('publish.same1') : theme.say('publish.same', { n });

/** Each removed line's index with the added one that takes its place, and the other way round. */
function partners(lines: readonly string[]): ReadonlyMap<number, string> {
  const out = new Map<number, string>();
  let at = 0;
  while (at < lines.length) {
    const from = at;
    while (lines[at]?.startsWith('-') === true) at += 1;
    const mid = at;
    while (lines[at]?.startsWith('+') === true) at += 1;
    for (let k = 0; k < Math.min(mid - from, at - mid); k++) {
      out.set(from + k, lines[mid + k] ?? '');
      out.set(mid + k, lines[from + k] ?? '');
    }
    if (at === from) at += 1;
  }
  return out;
}

/** Cells of a long line's head that stay before it is cut. */
const HEAD = 16;

/** A long line is cut where both sides agree, never at the difference. */
function fitted(line: string, other: string | null, ui: Ui): string {
  const { cut } = ui.theme.sym;
  const room = Math.max(8, ui.width - 14);
  if (width(line) <= room) return line;
  if (other === null) return cutEnd(line, room, cut);
  const [a, b] = [[...line], [...other]];
  let same = 0;
  while (same < a.length && a[same] === b[same]) same += 1;
  if (width(a.slice(0, same + HEAD).join('')) <= room) return cutEnd(line, room, cut);
  const head = a.slice(0, Math.min(HEAD, same)).join('');
  const rest = a.slice(Math.max(HEAD, same - HEAD)).join('');
  return cutEnd(`${head}${cut}${rest}`, room, cut);
}

/** The choices around the chosen one; what does not fit is left out from the far end. */
function choiceRow(c: ChoiceRow, ui: Ui): Row {
  const { text } = ui.theme;
  const options = c.options.map((o, i) => (i === c.chosen ? `[${text(o)}]` : text(o)));
  const room = ui.width - FIELD_AT - 1;
  let from = 0;
  while (from < c.chosen && width(options.slice(from, c.chosen + 1).join('  ')) > room) from += 1;
  const segs = options.slice(from).flatMap((o, i): Seg[] => {
    const here = from + i === c.chosen;
    return [...(i > 0 ? [seg('  ')] : []), seg(o, 'text', { accent: here && c.focused })];
  });
  return row(labelOf(c.label, c.focused, ui), ...segs);
}

function labelOf(label: string, focused: boolean, ui: Ui): Seg {
  return seg(padTo(`${focused ? '>' : ' '}${ui.theme.text(label)}`, FIELD_AT), focused ? 'strong' : 'quiet');
}

function fieldRows(p: PublishPageProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const { reason, type } = p;
  const out: Row[] = [
    ruleRow(ui),
    ...p.choices.map((c) => choiceRow(c, ui)),
    row(labelOf(reason.label, reason.focused, ui), ...field(reason.typed, reason.focused, ui)),
  ];
  if (type === null) out.push(BLANK);
  else {
    const asks = say('publish.type', { n: text(type.want) });
    const verdict =
      type.typed === type.want
        ? [verdictSeg('well', ui), seg(` ${say('sheet.matches')}`)]
        : type.typed === ''
          ? []
          : [seg(say('sheet.notyet', { typed: text(type.typed), want: text(type.want) }), 'quiet')];
    out.push(
      row(
        labelOf(say('publish.count'), type.focused, ui),
        `${asks}    `,
        ...field(type.typed, type.focused, ui),
        '   ',
        ...verdict,
      ),
    );
  }
  // With no answer there is room for all that was said.
  const errors = p.type === null ? errorRows(p.error, ui) : [errorRow(p.error, ui)];
  out.push(...errors, keybarRow({ keys: p.keys, last: p.last }, ui));
  return out;
}
