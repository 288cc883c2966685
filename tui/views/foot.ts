import { formatDuration } from '../../proto/vocab/duration.ts';
import { BLANK, ends, type Row, row, type Seg, seg, segsWidth } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutMiddle } from '../theme/width.ts';
import { count, fixed, sparkFixed } from './format.ts';
import { BAR_TOP_MS, hasColumn } from './node-columns.ts';
import type { NodeRow } from './node-table.ts';
import { type Ui, WIDE } from './ui.ts';
import { verdictSeg } from './verdict.ts';

/** The cursor's node in words: whatever the width dropped is here. */
export interface PeekProps {
  readonly node: NodeRow;
  readonly engine: string | null;
  readonly engineUpMs: number | null;
  /** The region's own merged figure, to compare. */
  readonly regionGap99Ms: number | null;
  readonly alerts: readonly { readonly rule: string; readonly forMs: number }[];
}

/** `null`: blank. What does not fit goes from the least important on; the bar, where it was dropped, stays. */
export function peekRow(p: PeekProps | null, ui: Ui): Row {
  if (p === null) return BLANK;
  const name = cutMiddle(ui.theme.text(p.node.name), 40, ui.theme.sym.cut);
  const bar = hasColumn('bar', ui)
    ? ''
    : `   P99 0-${BAR_TOP_MS} ${sparkFixed(p.node.p99Minutes, 10, BAR_TOP_MS, ui.theme.sym.spark)} 10m`;
  const facts = hasColumn('bar', ui) ? wideFacts(p, ui) : narrowFacts(p, ui);
  const room = ui.width - segsWidth([seg(` ${name}${bar}`)]);
  const line = () => facts.map((f) => f.gap + f.text).join('');
  while (facts.length > 0 && segsWidth([seg(line())]) > room) facts.pop();
  const grey = p.node.stale ? 'stale' : 'text';
  return row(' ', seg(name, 'strong'), seg(line() + bar, grey));
}

interface Fact {
  readonly gap: string;
  readonly text: string;
}

function wideFacts(p: PeekProps, ui: Ui): Fact[] {
  const { say, text } = ui.theme;
  const out: Fact[] = [];
  if (p.engine !== null) out.push({ gap: '  ', text: text(p.engine) });
  if (p.engineUpMs !== null)
    out.push({ gap: '  ', text: say('peek.up', { age: formatDuration(p.engineUpMs) }) });
  if (p.node.gap99Ms !== undefined && p.node.gap99Ms !== null) {
    const values = { n: count(p.node.gap99Ms), m: count(p.regionGap99Ms), region: text(p.node.region) };
    out.push({ gap: '   ', text: say(p.regionGap99Ms === null ? 'peek.gap.alone' : 'peek.gap', values) });
  }
  if (p.node.abortedPct !== undefined && p.node.abortedPct !== null)
    out.push({ gap: '   ', text: say('peek.aborted', { n: fixed(p.node.abortedPct, 2) }) });
  p.alerts.forEach((a, i) => {
    out.push({ gap: i === 0 ? '   ' : '  ', text: `${text(a.rule)} ${formatDuration(a.forMs)}` });
  });
  return out;
}

function narrowFacts(p: PeekProps, ui: Ui): Fact[] {
  const { say } = ui.theme;
  const n = p.node;
  const out = [say(`type.${n.type}`), say('peek.rps', { n: count(n.rps) })];
  out.push(say('peek.cpu', { n: count(n.cpuPct) }), say('peek.mem', { n: count(n.memPct) }));
  if (n.gap99Ms !== undefined && n.gap99Ms !== null) out.push(say('peek.gap.short', { n: count(n.gap99Ms) }));
  return out.map((text) => ({ gap: '  ', text }));
}

export type Message =
  /** The newest event, when no result of yours is young enough. */
  | { readonly kind: 'event'; readonly at: string; readonly verdict: Verdict | null; readonly text: string }
  /** What became of a key you pressed. `more`: errors waiting behind this one. */
  | {
      readonly kind: 'own';
      readonly at: string;
      readonly verdict: Verdict | null;
      readonly text: string;
      readonly more?: number;
    }
  /** A key that is off, and why. */
  | {
      readonly kind: 'off';
      readonly at: string;
      readonly key: string;
      readonly what: string;
      readonly why: string;
    };

export function messageRow(m: Message | null, ui: Ui): Row {
  if (m === null) return BLANK;
  const { say, text } = ui.theme;
  const at = seg(` ${text(m.at)}  `, 'quiet');
  if (m.kind === 'off')
    return row(at, seg(say('message.off', { key: text(m.key), what: text(m.what), why: text(m.why) })));
  const token = m.kind === 'event' ? 'quiet' : 'strong';
  const sign = m.verdict === null ? [] : [signOf(m.verdict, m.kind === 'event', ui), seg(' ')];
  const left = [at, ...sign, seg(text(m.text), token)];
  const more = m.kind === 'own' ? (m.more ?? 0) : 0;
  return more > 0 ? ends(left, [seg(`(${more}) `, 'strong')], ui.width, ui.theme.sym.cut) : { segs: left };
}

function signOf(v: Verdict, quiet: boolean, ui: Ui): Seg {
  return quiet ? seg(ui.theme.sym.verdict[v], 'quiet') : verdictSeg(v, ui);
}

export interface KeyHint {
  /** As printed: `Enter`, `r`, `/`. */
  readonly key: string;
  readonly label: string;
  /** Below 100 cells; default `label`. */
  readonly short?: string;
  /** Nodes it would hit, when more than the cursor's. */
  readonly count?: number;
  readonly off?: boolean;
  /** Left out first where the row is too narrow. */
  readonly spare?: boolean;
}

/** `last` stands at the right end (`? all keys`). */
export interface KeybarProps {
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
  /** Three cells between keys at any width, while they fit: sheets have few. */
  readonly roomy?: boolean;
}

/** A key that is off stays in its place, greyed. Too narrow: spare keys go first, then from the right. */
export function keybarRow(p: KeybarProps, ui: Ui): Row {
  const wide = ui.width >= WIDE;
  const last = p.last === null ? [seg(' ')] : [...hint(p.last, ui), seg(' ')];
  const keys = p.keys.filter((k) => wide || k.spare !== true);
  const line = (gap = wide ? '   ' : '  '): Seg[] => {
    const out: Seg[] = [seg(' ')];
    keys.forEach((k, i) => {
      if (i > 0) out.push(seg(gap));
      out.push(...hint(k, ui));
    });
    return out;
  };
  const fits = (segs: readonly Seg[]) => segsWidth(segs) + segsWidth(last) < ui.width;
  if (p.roomy === true && fits(line('   '))) return ends(line('   '), last, ui.width, ui.theme.sym.cut);
  while (keys.length > 1 && !fits(line())) dropOne(keys);
  return ends(line(), last, ui.width, ui.theme.sym.cut);
}

function dropOne(keys: KeyHint[]): void {
  const spare = keys.findLastIndex((k) => k.spare === true);
  keys.splice(spare >= 0 ? spare : keys.length - 1, 1);
}

function hint(k: KeyHint, ui: Ui): Seg[] {
  const wide = ui.width >= WIDE;
  const label = wide ? k.label : (k.short ?? k.label);
  const many = wide && k.count !== undefined && k.count > 0 ? ` ${k.count}` : '';
  const words = `${label === '' ? '' : ' '}${ui.theme.text(label)}${many}`;
  if (k.off === true) return [seg(`${k.key}${words} (${ui.theme.say('key.off')})`, 'quiet')];
  return [seg(k.key, 'strong'), seg(words)];
}
