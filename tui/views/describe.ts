import { formatDuration } from '../../proto/vocab/duration.ts';
import { ends, type Row, type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutMiddle } from '../theme/width.ts';
import { describeBody } from './describe-body.ts';
import { type Ui, WIDE } from './ui.ts';
import { verdictSeg } from './verdict.ts';

export interface AxisRow {
  readonly axis: 'status' | 'eligibility' | 'drain' | 'config_sync' | 'identity';
  readonly verdict: Verdict;
  /** The vocabulary's word; the translation is put before it. */
  readonly word: string;
  /** `v42`, a phase. */
  readonly extra?: string;
}

export interface SeriesRow {
  readonly label: string;
  /** One value a minute, oldest first; `null` is a gap. */
  readonly values: readonly (number | null)[];
  readonly decimals: 0 | 2;
  readonly limit?: number;
  readonly regionNow?: number | null;
  /** `▲ limit 100`, `▲ hk ×3.4` */
  readonly over?: { readonly wide: string; readonly narrow: string };
}

export interface DescribeProps {
  readonly name: string;
  readonly region: string;
  readonly verdict: Verdict;
  readonly status: string;
  readonly firing: number;
  readonly labels: Readonly<Record<string, string>>;
  /** 1-based place in the list it was opened from. */
  readonly place: { readonly at: number; readonly of: number } | null;
  readonly seenMs: number | null;
  readonly instance: string | null;
  readonly axes: readonly AxisRow[];
  /** Why config_sync is failed: the refusal, whole, one line an entry (place, message, hint, the engine's own log). */
  readonly failure: readonly string[];
  readonly engine: {
    readonly kind: string;
    readonly version: string;
    readonly pid: number;
    readonly upMs: number | null;
    readonly generation: number;
    readonly reason: string;
    readonly listeners: readonly { readonly addr: string; readonly type: string }[];
  } | null;
  readonly agentVersion: string;
  readonly certificates: readonly {
    readonly name: string;
    readonly leftMs: number;
    /** `renews in 2d 14h`: it renews itself. */
    readonly note?: string;
  }[];
  readonly series: readonly SeriesRow[];
  /** Marks under their minute: `minutesAgo` 0 is the last cell. */
  readonly marks: readonly {
    readonly minutesAgo: number;
    readonly letter: string;
    readonly legend: string;
  }[];
  /** `HH:MM` under cells 0, 15, 30 and 45. */
  readonly axis: readonly string[];
  readonly alerts: readonly {
    readonly rule: string;
    readonly verdict: Verdict;
    readonly state: string;
    readonly forMs: number;
    readonly text: string;
    readonly quiet: boolean;
  }[];
  readonly commands: readonly {
    readonly at: string;
    readonly what: string;
    readonly who: string;
    readonly verdict: Verdict;
    readonly word: string;
    readonly tookMs: number | null;
    readonly text: string;
  }[];
  /** Newest first. `null`: not fetched yet. */
  readonly log: readonly { readonly at: string; readonly level: string; readonly text: string }[] | null;
  readonly stale: boolean;
  /** First row of the body that is shown. */
  readonly scroll: number;
}

/** Three of header, the title, message and keys. */
const AROUND = 6;

/** Row 4 and the body, cut to what fits between header and a two-row foot. */
export function describeRows(p: DescribeProps, ui: Ui): readonly Row[] {
  const body = describeBody(p, ui);
  const room = Math.max(0, ui.height - AROUND);
  const from = Math.min(p.scroll, Math.max(0, body.length - room));
  const shown = body.slice(from, from + room);
  const range = body.length > room ? `${from + 1}-${from + shown.length}` : null;
  const rows = [titleRow(p, range === null ? null : { range, all: body.length }, ui), ...shown];
  return p.stale ? [...rows.slice(0, 1), ...rows.slice(1).map(greyed)] : rows;
}

/** How far `scroll` may go. */
export function describeMaxScroll(p: DescribeProps, ui: Ui): number {
  return Math.max(0, describeBody(p, ui).length - Math.max(0, ui.height - AROUND));
}

function greyed(r: Row): Row {
  return { segs: r.segs.map((s) => ({ text: s.text, token: 'stale' })) };
}

function titleRow(p: DescribeProps, scroll: { range: string; all: number } | null, ui: Ui): Row {
  const { say, text, sym } = ui.theme;
  const wide = ui.width >= WIDE;
  const left: Seg[] = [
    seg(` ${say('tab.nodes')} / `),
    seg(cutMiddle(text(p.name), 30, sym.cut), 'strong'),
    seg('   '),
  ];
  left.push(verdictSeg(p.verdict, ui), seg(` ${text(p.status)}`));
  if (p.firing > 0) left.push(seg(`   ${say('describe.firing', { n: p.firing })}`));
  const labels = Object.entries(p.labels).map(([k, v]) => `${text(k)}=${text(v)}`);
  if (wide && labels.length > 0) left.push(seg(`   ${say('describe.labels')} ${labels.join(' ')}`, 'quiet'));
  const right: string[] = [];
  if (wide && p.place !== null) right.push(say('title.of', { n: p.place.at, all: p.place.of }));
  if (p.seenMs !== null) right.push(say('describe.seen', { age: formatDuration(p.seenMs) }));
  if (wide && p.instance !== null) right.push(say('describe.instance', { id: text(p.instance).slice(0, 8) }));
  if (scroll !== null) right.push(say('title.of', { n: scroll.range, all: scroll.all }));
  return ends(left, [seg(` ${right.join('   ')} `, 'quiet')], ui.width, sym.cut);
}
