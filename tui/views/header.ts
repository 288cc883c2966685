import type { WordKey } from '../theme/messages.ts';
import { BLANK, ends, type Row, row, type Seg, seg, segsWidth } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutMiddle, width } from '../theme/width.ts';
import { count, fixed, spoken } from './format.ts';
import { type Ui, WIDE } from './ui.ts';
import { isLoud, verdictSeg, verdictToken } from './verdict.ts';

export type ScreenId = 'nodes' | 'regions' | 'rollouts' | 'alerts' | 'incidents' | 'pulses';

/** A count under a symbol: `✗1`. */
export interface Badge {
  readonly verdict: Verdict;
  readonly n: number;
}

export type DataAge =
  | { readonly kind: 'live'; readonly seconds: number }
  | { readonly kind: 'stale'; readonly seconds: number }
  | { readonly kind: 'frozen'; readonly seconds: number };

export interface HeaderProps {
  readonly context: string;
  readonly open: ScreenId;
  readonly badges: Readonly<Partial<Record<ScreenId, readonly Badge[]>>>;
  readonly person: string;
  readonly role: 'admin' | 'operator' | 'read-only';
  /** `null`: nothing was received yet. */
  readonly age: DataAge | null;
  /** `HH:MM:SS`, local. */
  readonly clock: string;
  /** Nodes by how they stand, worst first as given, zeroes left out: `{wrong, 1, 'status.down'}`. */
  readonly health: readonly { readonly verdict: Verdict; readonly n: number; readonly word: StatusWord }[];
  /** `null`: not known (stale before the first data, empty fleet). */
  readonly traffic: {
    readonly streams: number | null;
    readonly rps: number | null;
    readonly ttft95Ms: number | null;
    readonly p99Ms: number | null;
    readonly errPct: number | null;
  } | null;
  /** Instead of the traffic: the empty fleet's `master 203.0.113.5   CA 9f2b7c40`. */
  readonly aside?: string;
  /** Row 3; `null` is blank. */
  readonly notice: Notice | null;
}

export type StatusWord = 'initializing' | 'ready' | 'disconnected' | 'down' | 'unknown' | 'refused';

export type Notice =
  | {
      readonly kind: 'no-master';
      readonly seconds: number;
      readonly reason: string;
      readonly attempt: number;
      readonly nextInSeconds: number;
    }
  | { readonly kind: 'reconnecting'; readonly attempt: number }
  | {
      readonly kind: 'back';
      readonly afterSeconds: number;
      readonly changes: number;
      readonly whole: boolean;
    }
  | { readonly kind: 'degraded'; readonly reason: string }
  | { readonly kind: 'read-only' }
  | { readonly kind: 'unlocked'; readonly leftSeconds: number; readonly by: string; readonly reason: string }
  | { readonly kind: 'slow-link'; readonly seconds: number }
  /** Anything else: already in words; `short` below 100 cells. */
  | {
      readonly kind: 'text';
      readonly verdict: Verdict | null;
      readonly text: string;
      readonly short?: string;
    };

const TABS: readonly ScreenId[] = ['nodes', 'regions', 'rollouts', 'alerts', 'incidents', 'pulses'];

/** Three rows, always: nothing moves when a notice appears. */
export function headerRows(p: HeaderProps, ui: Ui): readonly Row[] {
  return [placeRow(p, ui), healthRow(p, ui), p.notice === null ? BLANK : noticeRow(p.notice, ui)];
}

/** Context, screens with badges; person, role, age of the data, clock. */
function placeRow(p: HeaderProps, ui: Ui): Row {
  const grey = p.age?.kind === 'stale';
  const left: Seg[] = [
    seg(' '),
    seg(cutMiddle(ui.theme.text(p.context), 20, ui.theme.sym.cut), 'strong'),
    seg('  '),
  ];
  TABS.forEach((id, i) => {
    left.push(...tab(id, i + 1, p.open === id, p.badges[id] ?? [], grey, ui));
  });
  const clock = ageAndClock(p, ui);
  const who: Seg[] = [seg(`${ui.theme.text(p.person)} `), seg(roleWord(p.role, ui), 'quiet')];
  const right = segsWidth(left) + segsWidth(who) + segsWidth(clock) < ui.width ? [...who, ...clock] : clock;
  return ends(left, right, ui.width, ui.theme.sym.cut);
}

function tab(id: ScreenId, n: number, open: boolean, badges: readonly Badge[], grey: boolean, ui: Ui): Seg[] {
  const name = ui.theme.say(`tab.${id}`);
  const long = open || ui.width >= WIDE;
  const label = long ? `${n} ${name}` : `${n}`;
  const marks = badges.map((b) => badge(b, grey, ui));
  const gap = marks.length > 0 && long ? [seg(' ')] : [];
  const accent = open ? { accent: true } : {};
  const inner = [seg(label, open ? 'text' : 'quiet'), ...gap, ...marks];
  const [before, after] = open ? ['[', ']'] : [' ', ' '];
  return [seg(before), ...inner, seg(after)].map((s) => ({ ...s, ...accent }));
}

function badge(b: Badge, grey: boolean, ui: Ui): Seg {
  const text = `${ui.theme.sym.verdict[b.verdict]}${b.n}`;
  return grey
    ? seg(text, 'stale')
    : seg(text, verdictToken(b.verdict), isLoud(b.verdict) ? { bold: true } : {});
}

function roleWord(role: HeaderProps['role'], ui: Ui): string {
  const long = ui.width >= WIDE;
  if (role === 'read-only') return ui.theme.say('role.readonly');
  if (role === 'admin') return ui.theme.say('role.admin');
  return ui.theme.say(long ? 'role.operator' : 'role.operator.short');
}

/** The age stands centred in eleven cells, so that `STALE 47s` moves nothing. */
function ageAndClock(p: HeaderProps, ui: Ui): Seg[] {
  const age = p.age;
  const text = age === null ? '' : ui.theme.say(`age.${age.kind}`, { n: `${age.seconds}s` });
  const room = Math.max(11, width(text) + 2);
  const before = Math.ceil((room - width(text)) / 2);
  const token = age === null || age.kind === 'live' ? 'quiet' : 'warn';
  const late = age?.kind === 'live' && age.seconds >= 3;
  return [
    seg(' '.repeat(before)),
    seg(text, late ? 'text' : token),
    seg(' '.repeat(room - before - width(text))),
    seg(`${ui.theme.text(p.clock)} `),
  ];
}

/** Health at the left, never dropped; traffic at the right, dropped from its right end. */
function healthRow(p: HeaderProps, ui: Ui): Row {
  const { say } = ui.theme;
  const wide = ui.width >= WIDE;
  const grey = p.age?.kind === 'stale';
  const left: Seg[] = [seg(' ')];
  if (p.health.length === 0) left.push(seg(`${ui.theme.sym.verdict.waiting} ${say('health.none')}`, 'quiet'));
  p.health.forEach((h, i) => {
    if (i > 0) left.push(seg(wide ? '   ' : '  '));
    const loud = isLoud(h.verdict) && !grey;
    const words = ` ${count(h.n)} ${say(`status.${h.word}`)}`;
    left.push(grey ? seg(ui.theme.sym.verdict[h.verdict], 'stale') : verdictSeg(h.verdict, ui));
    left.push(
      loud ? seg(words, verdictToken(h.verdict), { bold: true }) : seg(words, grey ? 'stale' : 'text'),
    );
  });
  if (p.aside !== undefined)
    return ends(left, [seg(`${ui.theme.text(p.aside)} `, 'quiet')], ui.width, ui.theme.sym.cut);
  if (p.traffic === null) return { segs: left };
  const items = wide ? wideTraffic(p.traffic, ui) : narrowTraffic(p.traffic, ui);
  const room = ui.width - segsWidth(left) - 1;
  while (items.length > 0 && trafficWidth(items) > room) items.pop();
  const right: Seg[] = [];
  items.forEach((item, i) => {
    if (i > 0) right.push(seg('  '));
    right.push(...(grey ? item.map((s) => seg(s.text, 'stale')) : item));
  });
  return ends(left, [...right, seg(' ')], ui.width, ui.theme.sym.cut);
}

function trafficWidth(items: readonly (readonly Seg[])[]): number {
  return items.reduce((w, i) => w + segsWidth(i) + 2, 0);
}

function wideTraffic(t: NonNullable<HeaderProps['traffic']>, ui: Ui): Seg[][] {
  const { say } = ui.theme;
  return [
    [seg(count(t.streams)), seg(` ${say('unit.streams')}`, 'quiet')],
    [seg(count(t.rps)), seg(` ${say('unit.rps')}`, 'quiet')],
    [seg('TTFT95 ', 'quiet'), seg(count(t.ttft95Ms)), seg(' ms', 'quiet')],
    [seg('P99 ', 'quiet'), seg(count(t.p99Ms)), seg(' ms', 'quiet')],
    [seg(`${say('unit.err')} `, 'quiet'), seg(fixed(t.errPct, 2)), seg(' %', 'quiet')],
  ];
}

function narrowTraffic(t: NonNullable<HeaderProps['traffic']>, ui: Ui): Seg[][] {
  const { say } = ui.theme;
  return [
    [seg(count(t.streams)), seg(` ${say('unit.streams')}`, 'quiet')],
    [seg('TTFT95 ', 'quiet'), seg(count(t.ttft95Ms))],
    [seg(`${say('unit.err')} `, 'quiet'), seg(fixed(t.errPct, 2)), seg('%', 'quiet')],
  ];
}

function noticeRow(n: Notice, ui: Ui): Row {
  const { say, text } = ui.theme;
  const wide = ui.width >= WIDE;
  const line = (v: Verdict | null, words: string): Row => {
    const token = v === null ? 'strong' : verdictToken(v);
    const loud = v !== null && isLoud(v) ? { bold: true } : {};
    const sign = v === null ? '' : `${ui.theme.sym.verdict[v]} `;
    return row(' ', seg(sign + words, token, loud));
  };
  const pick = (key: WordKey & `${string}.short`, long: WordKey): WordKey => (wide ? long : key);
  switch (n.kind) {
    case 'no-master':
      return line(
        'wrong',
        say(pick('notice.nomaster.short', 'notice.nomaster'), {
          age: spoken(n.seconds),
          reason: text(n.reason),
          n: n.attempt,
          next: spoken(n.nextInSeconds),
        }),
      );
    case 'reconnecting':
      return line('changing', say('notice.reconnecting', { n: n.attempt }));
    case 'back': {
      const values = { age: spoken(n.afterSeconds), n: count(n.changes) };
      return n.whole
        ? line('warning', say('notice.whole', values))
        : line('well', say(n.changes === 1 ? 'notice.back.one' : 'notice.back', values));
    }
    case 'degraded':
      return line('wrong', say('notice.degraded', { reason: text(n.reason) }));
    case 'read-only':
      return line(null, say('notice.readonly'));
    case 'unlocked': {
      const s = Math.max(0, Math.floor(n.leftSeconds));
      const left = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
      return line('warning', say('notice.unlocked', { left, by: text(n.by), reason: text(n.reason) }));
    }
    case 'slow-link':
      return line('warning', say('notice.slow', { age: spoken(n.seconds) }));
    case 'text':
      return line(n.verdict, text(wide ? n.text : (n.short ?? n.text)));
  }
}
