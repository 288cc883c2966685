import { formatDuration } from '../../proto/vocab/duration.ts';
import { BLANK, ends, type Row, row, type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutEnd, padTo, width } from '../theme/width.ts';
import { keybarRow } from './foot.ts';
import { count } from './format.ts';
import type { HeaderProps } from './header.ts';
import { MIN_HEIGHT, MIN_WIDTH, type Ui } from './ui.ts';
import { isLoud, verdictSeg, verdictToken } from './verdict.ts';

/** The keys of one screen, from the key table. */
export interface HelpProps {
  readonly screen: string;
  /** What the acts would hit; `null`: nothing under the cursor. */
  readonly on: string | null;
  readonly marked: number;
  readonly sections: readonly {
    readonly title: string;
    readonly rows: readonly { readonly keys: string; readonly text: string; readonly off?: string }[];
  }[];
  readonly scroll: number;
}
/** Header above, the last row below. */
const HELP_AROUND = 5;

/** Row 4, the body, and its own last row. Two columns of sections, filled row by row as given. */
export function helpRows(p: HelpProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const body = helpBody(p, ui);
  const room = Math.max(0, ui.height - HELP_AROUND);
  const from = Math.min(p.scroll, helpMaxScroll(p, ui));
  const shown = body.slice(from, from + room);
  const on = p.on === null ? '' : say('help.on', { name: text(p.on) });
  const title = row(
    ' ',
    seg(padTo(say('help.title', { screen: text(p.screen) }) + on, 31), 'strong'),
    seg(say('help.how'), 'quiet'),
  );
  const range = say('help.rows', { from: from + 1, to: from + shown.length, all: body.length });
  const keys = keybarRow(
    {
      keys: [
        { key: 'j k', label: say('help.scroll') },
        { key: 'Esc', label: say('help.close') },
      ],
      last: null,
      roomy: true,
    },
    ui,
  );
  const foot = ends(keys.segs.slice(0, -1), [seg(`${range} `, 'quiet')], ui.width, ui.theme.sym.cut);
  const fill = Array.from({ length: Math.max(0, room - shown.length) }, () => BLANK);
  return [title, ...shown, ...fill, foot];
}

export function helpMaxScroll(p: HelpProps, ui: Ui): number {
  return Math.max(0, helpBody(p, ui).length - Math.max(0, ui.height - HELP_AROUND));
}

/** A pair of sections side by side starts at one row, so that heads line up. */
function helpBody(p: HelpProps, ui: Ui): readonly Row[] {
  const half = Math.floor(ui.width / 2) + 3;
  const out: Row[] = [];
  for (let i = 0; i < p.sections.length; i += 2) {
    const left = helpSection(p.sections[i], { keys: 15, cells: half, indent: 1 }, ui);
    const right = helpSection(p.sections[i + 1], { keys: 8, cells: ui.width - half, indent: 2 }, ui);
    for (let y = 0; y < Math.max(left.length, right.length); y++)
      out.push(ends(left[y] ?? [], right[y] ?? padded(ui.width - half), ui.width, ui.theme.sym.cut));
  }
  return out;
}

function padded(cells: number): readonly Seg[] {
  return cells > 0 ? [seg(' '.repeat(cells))] : [];
}

/** Each row exactly `cells` wide. */
function helpSection(
  s: HelpProps['sections'][number] | undefined,
  at: { readonly keys: number; readonly cells: number; readonly indent: number },
  ui: Ui,
): readonly (readonly Seg[])[] {
  if (s === undefined) return [];
  const { text, sym, say } = ui.theme;
  const head: readonly Seg[] = [
    seg(' '.repeat(at.indent)),
    seg(text(s.title), 'head'),
    ...padded(at.cells - at.indent - width(text(s.title))),
  ];
  const rows = s.rows.map((r): readonly Seg[] => {
    const words = text(r.text) + (r.off === undefined ? '' : ` (${say('key.off')}: ${text(r.off)})`);
    const room = Math.max(0, at.cells - at.keys - 1);
    const token = r.off === undefined ? 'text' : 'quiet';
    const body = padTo(cutEnd(words, Math.max(0, room - 1), sym.cut), room);
    return [
      seg(' '),
      seg(padTo(fitKeys(text(r.keys), at.keys - 1), at.keys), r.off === undefined ? 'strong' : 'quiet'),
      seg(body, token),
    ];
  });
  return [head, ...rows];
}

/** `PgDn ctrl-f` where both fit, else the first alone. */
function fitKeys(keys: string, cells: number): string {
  let fits = keys;
  while (width(fits) > cells && fits.includes(' ')) fits = fits.slice(0, fits.lastIndexOf(' '));
  return fits;
}

/** The whole frame below 60x15. */
export interface TooSmallProps {
  readonly health: HeaderProps['health'];
  readonly alerts: readonly { readonly verdict: Verdict; readonly n: number }[];
  /** `rollout 31 » step 3 of 4`, or the connection that is lost. */
  readonly notice: string | null;
  /** `live 1s` */
  readonly age: string;
  readonly clock: string;
}
export function tooSmallRows(p: TooSmallProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const size = { w: ui.width, h: ui.height, minw: MIN_WIDTH, minh: MIN_HEIGHT };
  const health: Seg[] = [seg(' ')];
  p.health.forEach((h, i) => {
    if (i > 0) health.push(seg('   '));
    health.push(verdictSeg(h.verdict, ui), seg(` ${count(h.n)} ${say(`status.${h.word}`)}`));
  });
  const alerts: Seg[] = [seg(` ${say('small.alerts')}`)];
  for (const a of p.alerts) {
    const loud = isLoud(a.verdict) ? { bold: true } : {};
    alerts.push(seg(' '), seg(`${ui.theme.sym.verdict[a.verdict]}${a.n}`, verdictToken(a.verdict), loud));
  }
  if (p.alerts.length === 0) alerts.push(seg(' 0'));
  if (p.notice !== null) alerts.push(seg(`   ${text(p.notice)}`));
  const rows: readonly Row[] = [
    BLANK,
    row(` ${say('small.needs', size)}`),
    BLANK,
    { segs: health },
    { segs: alerts },
    row(` ${text(p.age)}   ${text(p.clock)}`),
    BLANK,
    row(seg(` ${say('small.off')}`, 'quiet')),
    BLANK,
    row(' ', seg('q', 'strong'), ` ${say('small.quit')}`),
  ];
  // What matters first survives any height: size, health, age.
  const order = [1, 3, 5, 4, 9, 7, 0, 2, 6, 8];
  const keep = new Set(order.slice(0, Math.max(0, ui.height)));
  const kept = rows.filter((_, i) => keep.has(i));
  while (kept.length < ui.height) kept.push(BLANK);
  return kept.slice(0, ui.height);
}

export function isTooSmall(size: { readonly width: number; readonly height: number }): boolean {
  return size.width < MIN_WIDTH || size.height < MIN_HEIGHT;
}

export interface FirstRunProps {
  /** The join command, or `null` while it is being made. */
  readonly command: string | null;
  readonly leftMs: number;
  readonly type: 'edge' | 'core';
  readonly region: string;
  readonly published: string | null;
  /** `host:port` a node must reach. */
  readonly advertise: string;
  readonly error: string | null;
}
/** Row 4 and the body. */
export function firstRunRows(p: FirstRunProps, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const out: Row[] = [
    row(' ', seg(say('tab.nodes'), 'strong'), '  0'),
    BLANK,
    row(` ${say('first.none')}`),
    BLANK,
  ];
  if (p.error !== null) out.push(row(' ', verdictSeg('wrong', ui), seg(` ${text(p.error)}`, 'crit')));
  else if (p.command === null) out.push(row(seg(` ${say('first.asking')}`, 'quiet')));
  else for (const line of shellLines(text(p.command), ui.width)) out.push(row(seg(line, 'strong')));
  out.push(BLANK);
  if (p.command !== null) {
    const once = { left: formatDuration(p.leftMs), type: p.type, region: text(p.region) };
    out.push(row(` ${say('first.once', once)}`), row(` ${say('first.secret')}`), BLANK);
  }
  out.push(row(` ${say('first.then')}`));
  const config = p.published === null ? say('first.noconfig') : text(p.published);
  const steps: readonly (readonly [string, string])[] = [
    [say('first.token'), say('first.token.why')],
    [say('first.cert'), say('first.cert.why')],
    [say('first.beat'), say('first.beat.why')],
    [say('first.config'), config],
  ];
  for (const [what, why] of steps)
    out.push(row('   ', verdictSeg('waiting', ui), seg(` ${padTo(what, 22)}${why}`)));
  out.push(BLANK, row(` ${say('first.wait', { address: text(p.advertise) })}`));
  return out;
}

/**
 * A command over several rows, from the first column on, broken with `\\`: as copied from the screen it is what the
 * shell must see. A word longer than a row is broken too; the backslash joins it again.
 */
export function shellLines(command: string, cells: number): readonly string[] {
  const out: string[] = [];
  let line = '';
  for (const word of command.split(' ')) {
    if (line !== '' && line.length + 1 + word.length + 2 > cells) {
      out.push(`${line} \\`);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (line.length > cells - 1) {
      const at = line.lastIndexOf('.', cells - 8);
      const cut = at > cells / 2 ? at + 1 : cells - 1;
      out.push(`${line.slice(0, cut)}\\`);
      line = line.slice(cut);
    }
  }
  if (line !== '') out.push(line);
  return out;
}

/** `5 Incidents is not here yet: …`, in its place. */
export function notHereRows(screen: 'incidents' | 'pulses', ui: Ui): readonly Row[] {
  const { say } = ui.theme;
  const n = screen === 'incidents' ? 5 : 6;
  const name = say(`tab.${screen}`);
  const why = say(`nothere.${screen}`);
  return [
    row(' ', seg(name, 'strong')),
    BLANK,
    row(seg(` ${say('nothere', { n, name })}`, 'quiet')),
    row(seg(` ${why}`, 'quiet')),
    BLANK,
    row(seg(` ${say('nothere.until')}`, 'quiet')),
  ];
}

/** Row 4 while `o` waits for a letter. */
export function orderByRow(p: OrderByProps, ui: Ui): Row {
  const segs: Seg[] = [seg(` ${ui.theme.text(p.screen)}  ${count(p.count)}   ${ui.theme.say('order.by')}`)];
  for (const k of p.keys) segs.push(seg('  '), seg(k.key, 'strong'), seg(` ${ui.theme.text(k.label)}`));
  return ends(segs, [seg('Esc ', 'strong')], ui.width, ui.theme.sym.cut);
}

export interface OrderByProps {
  readonly screen: string;
  readonly count: number;
  readonly keys: readonly { readonly key: string; readonly label: string }[];
}

export interface PromptProps {
  readonly sign: '/' | ':';
  readonly typed: string;
  /** Why what is typed does not stand. */
  readonly error: string | null;
  readonly hint: string;
}

/** The message row while `/` or `:` is typed. The end of a long line stays in view: that is where you type. */
export function promptRow(p: PromptProps, ui: Ui): Row {
  const { text, sym } = ui.theme;
  const right =
    p.error === null
      ? [seg(` ${text(p.hint)} `, 'quiet')]
      : [seg(' '), verdictSeg('wrong', ui), seg(` ${text(p.error)} `, 'crit')];
  const aside = right.reduce((w, s) => w + width(s.text), 0);
  let typed = text(p.typed);
  const room = Math.max(8, ui.width - 3 - aside);
  while (width(typed) > room) typed = [...typed].slice(1).join('');
  return ends(
    [seg(` ${p.sign}${typed}`, 'strong'), seg(sym.caret, 'text', { accent: true })],
    right,
    ui.width,
    sym.cut,
  );
}
