import { BLANK, type Row, row, type Seg, seg, segsWidth } from '../../theme/row.ts';
import type { Verdict } from '../../theme/symbols.ts';
import { padTo, width } from '../../theme/width.ts';
import { type KeyHint, keybarRow } from '../foot.ts';
import { count } from '../format.ts';
import type { Ui } from '../ui.ts';
import { verdictSeg } from '../verdict.ts';
import { errorRow, field, ruleRow, titleRow } from './parts.ts';

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
