import { formatDuration } from '../../proto/vocab/duration.ts';
import { BLANK, ends, type Row, row, type Seg, seg } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import { cutEnd, cutMiddle } from '../theme/width.ts';
import { count } from './format.ts';
import { heads, type Place, place } from './table.ts';
import { type Ui, WIDE } from './ui.ts';
import { verdictSeg } from './verdict.ts';

export interface AlertRow {
  readonly rule: string;
  readonly on: string;
  readonly verdict: Verdict;
  /** `firing`, `pending`, `suppressed`, `resolved`. */
  readonly state: 'firing' | 'pending' | 'suppressed' | 'acknowledged' | 'resolved';
  readonly forMs: number;
  readonly value: string;
  /** `silenced_by S-41, 5h47m left` */
  readonly next: string;
  readonly quiet: boolean;
}

export interface SilenceRow {
  readonly id: string;
  readonly state: 'active' | 'pending' | 'expired';
  readonly matchers: string;
  /** Suppressed now; `null` when it is not active. */
  readonly alerts: number | null;
  readonly nodes: number;
  /** `HH:MM` */
  readonly ends: string;
  /** `5h47m`, `from 05:00`, `32m ago` */
  readonly left: string;
  readonly by: string;
  readonly comment: string;
}

export interface AlertDetail {
  readonly rule: string;
  readonly on: string;
  readonly severity: string;
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
  /** `HH:MM:SS` */
  readonly pendingAt: string;
  readonly firingAt: string | null;
  readonly silencedBy: readonly string[];
}

export interface AlertsProps {
  readonly counts: {
    readonly firing: number;
    readonly pending: number;
    readonly acknowledged: number;
    readonly suppressed: number;
  };
  readonly alerts: readonly AlertRow[];
  readonly resolved: readonly (Omit<AlertRow, 'forMs'> & { readonly at: string })[];
  readonly silences: readonly SilenceRow[];
  /** Which table has the cursor, and where. */
  readonly focus: 'alerts' | 'silences';
  readonly cursor: number;
  readonly detail: AlertDetail | null;
  /** Shown when nothing fires: proof of silence. */
  readonly watched: { readonly heard: number; readonly total: number };
  readonly stale: boolean;
  /** Replaces the right end of the title while a sheet is open: `S-45, not yet made`. */
  readonly aside?: string;
}

/** Three of header, the title, message and keys. */
const AROUND = 6;

/** Row 4 and the body: what does not fit is scrolled so that the cursor's row is in view. */
export function alertsRows(p: AlertsProps, ui: Ui): readonly Row[] {
  const body: Row[] = [];
  let at = 0;
  if (p.alerts.length === 0) body.push(...quietRows(p, ui));
  else {
    body.push(alertHeads(ui));
    p.alerts.forEach((a, i) => {
      const here = p.focus === 'alerts' && p.cursor === i;
      if (here) at = body.length;
      body.push(alertRow(a, here, ui));
    });
  }
  if (p.resolved.length > 0) {
    body.push(BLANK, row(' ', seg(ui.theme.say('alerts.resolved'), 'strong')));
    for (const a of p.resolved) body.push(resolvedRow(a, ui));
  }
  body.push(BLANK, silencesTitle(p, ui));
  if (p.silences.length > 0) body.push(silenceHeads(ui));
  p.silences.forEach((s, i) => {
    const here = p.focus === 'silences' && p.cursor === i;
    if (here) at = body.length;
    body.push(silenceRow(s, here, ui));
  });
  if (p.detail !== null) body.push(BLANK, ...detailRows(p.detail, ui));
  const room = Math.max(0, ui.height - AROUND);
  const from = Math.max(0, Math.min(at - room + 2, body.length - room));
  const rows = body.slice(from, from + room);
  return [titleRow(p, ui), ...(p.stale ? rows.map(greyed) : rows)];
}

function greyed(r: Row): Row {
  const segs = r.segs.map((s) => seg(s.text, 'stale'));
  return r.accent === true ? { segs, accent: true } : { segs };
}

function titleRow(p: AlertsProps, ui: Ui): Row {
  const { say, text } = ui.theme;
  const wide = ui.width >= WIDE;
  const left: Seg[] = [seg(' '), seg(say('tab.alerts'), 'strong'), seg(`  ${count(p.alerts.length)}`)];
  const c = p.counts;
  const parts = [
    c.firing > 0 ? say('alerts.firing', { n: c.firing }) : '',
    c.pending > 0 ? say('alerts.pending', { n: c.pending }) : '',
    c.acknowledged > 0 ? say(wide ? 'alerts.acked' : 'alerts.acked.short', { n: c.acknowledged }) : '',
    c.suppressed > 0 ? say('alerts.suppressed', { n: c.suppressed }) : '',
  ].filter((s) => s !== '');
  if (parts.length > 0) left.push(seg(`   ${parts.join('  ')}`));
  const right = p.aside ?? (p.alerts.length > 0 ? say('alerts.sorted') : '');
  return ends(left, right === '' ? [] : [seg(`${text(right)} `, 'quiet')], ui.width, ui.theme.sym.cut);
}

interface AlertPlaces {
  readonly rule: Place;
  readonly on: Place;
  readonly state: Place;
  readonly age: Place;
  readonly value: Place;
  readonly next: Place;
}

function alertPlaces(ui: Ui): AlertPlaces {
  return ui.width >= WIDE
    ? {
        rule: { x: 2, width: 17 },
        on: { x: 20, width: 12 },
        state: { x: 33, width: 16 },
        age: { x: 50, width: 7, align: 'right' },
        value: { x: 58, width: 23 },
        next: { x: 82, width: ui.width - 82 },
      }
    : {
        rule: { x: 2, width: 15 },
        on: { x: 18, width: 11 },
        state: { x: 30, width: 16 },
        age: { x: 47, width: 7, align: 'right' },
        value: { x: 55, width: ui.width - 55 },
        next: { x: ui.width, width: 0 },
      };
}

function alertHeads(ui: Ui): Row {
  const { say } = ui.theme;
  const at = alertPlaces(ui);
  return heads(
    [
      [at.rule, { label: say('alerts.col.alert') }],
      [at.on, { label: say('alerts.col.on') }],
      [at.state, { label: say('alerts.col.state'), sorted: 'down' }],
      [at.age, { label: say('alerts.col.for') }],
      [at.value, { label: say('alerts.col.value') }],
      [at.next, { label: say('alerts.col.next') }],
    ],
    ui,
  );
}

function gutter(here: boolean): readonly [Place, Seg] {
  return [{ x: 0, width: 2 }, seg(here ? '> ' : '  ', 'strong')];
}

function alertRow(a: AlertRow, here: boolean, ui: Ui): Row {
  return lineOf(a, formatDuration(a.forMs), here, ui);
}

function resolvedRow(a: AlertsProps['resolved'][number], ui: Ui): Row {
  return lineOf({ ...a, quiet: true }, cutEnd(ui.theme.text(a.at), 9, ui.theme.sym.cut), false, ui);
}

function lineOf(a: Omit<AlertRow, 'forMs'>, age: string, here: boolean, ui: Ui): Row {
  const { text, say, sym } = ui.theme;
  const at = alertPlaces(ui);
  // A clock time needs two cells more than a duration; it borrows them from STATE, whose word is short then.
  const wide = age.length > at.age.width;
  const state = wide ? { ...at.state, width: at.state.width - 2 } : at.state;
  const when = wide ? { ...at.age, x: at.age.x - 2, width: at.age.width + 2 } : at.age;
  const token = a.quiet ? 'quiet' : 'text';
  const word = say(`alerts.state.${a.state}`);
  const sign = a.quiet ? seg(sym.verdict[a.verdict], 'quiet') : verdictSeg(a.verdict, ui);
  const segs = place(
    [
      gutter(here),
      [at.rule, seg(text(a.rule), token)],
      [at.on, seg(cutMiddle(text(a.on), at.on.width, sym.cut), token)],
      [state, [sign, seg(` ${word}`, token)]],
      [when, seg(age, token)],
      [at.value, seg(text(a.value), token)],
      [at.next, seg(text(a.next), token)],
    ],
    ui,
  );
  return here ? { segs, accent: true } : { segs };
}

/** Silence is proven: what was watched, and whether anything is held back. */
function quietRows(p: AlertsProps, ui: Ui): readonly Row[] {
  const { say } = ui.theme;
  const active = p.silences.filter((s) => s.state === 'active').length;
  return [
    BLANK,
    row(' ', verdictSeg('well', ui), ` ${say('alerts.none')}`),
    row(`   ${say('alerts.none.silences', { n: active })}`),
    row(`   ${say('alerts.none.watched', { n: count(p.watched.heard), all: count(p.watched.total) })}`),
  ];
}

function silencesTitle(p: AlertsProps, ui: Ui): Row {
  const { say } = ui.theme;
  const of = (state: SilenceRow['state']) => p.silences.filter((s) => s.state === state).length;
  const parts = (['active', 'pending', 'expired'] as const)
    .map((s) => ({ n: of(s), key: `silences.${s}` as const }))
    .filter((s) => s.n > 0)
    .map((s) => say(s.key, { n: s.n }));
  const left = [seg(' '), seg(say('silences.title'), 'strong'), seg(`  ${count(p.silences.length)}`)];
  if (parts.length > 0) left.push(seg(`   ${parts.join('  ')}`));
  const hint =
    p.silences.length === 0 ? '' : say(p.focus === 'alerts' ? 'silences.tab' : 'silences.tab.back');
  return ends(left, hint === '' ? [] : [seg(`${hint} `, 'quiet')], ui.width, ui.theme.sym.cut);
}

interface SilencePlaces {
  readonly id: Place;
  readonly state: Place;
  readonly matchers: Place;
  readonly alerts: Place;
  readonly nodes: Place;
  readonly ends: Place;
  readonly left: Place;
  readonly by: Place;
  readonly comment: Place;
}

function silencePlaces(ui: Ui): SilencePlaces {
  const gone: Place = { x: ui.width, width: 0 };
  return ui.width >= WIDE
    ? {
        id: { x: 2, width: 5 },
        state: { x: 8, width: 10 },
        matchers: { x: 19, width: 33 },
        alerts: { x: 53, width: 6, align: 'right' },
        nodes: { x: 60, width: 5, align: 'right' },
        ends: { x: 67, width: 5 },
        left: { x: 73, width: 14, align: 'right' },
        by: { x: 89, width: 4 },
        comment: { x: 94, width: ui.width - 94 },
      }
    : {
        id: { x: 2, width: 5 },
        state: { x: 8, width: 10 },
        matchers: { x: 19, width: ui.width - 19 - 31 },
        alerts: gone,
        nodes: { x: ui.width - 30, width: 5, align: 'right' },
        ends: { x: ui.width - 24, width: 5 },
        left: { x: ui.width - 18, width: 10, align: 'right' },
        by: { x: ui.width - 6, width: 6 },
        comment: gone,
      };
}

function silenceHeads(ui: Ui): Row {
  const { say } = ui.theme;
  const at = silencePlaces(ui);
  return heads(
    [
      [at.id, { label: say('silences.col.id') }],
      [at.state, { label: say('alerts.col.state') }],
      [at.matchers, { label: say('silences.col.matchers') }],
      [at.alerts, { label: say('silences.col.alerts') }],
      [at.nodes, { label: say('silences.col.nodes') }],
      [at.ends, { label: say('silences.col.ends') }],
      [at.left, { label: say('silences.col.left') }],
      [at.by, { label: say('silences.col.by') }],
      [at.comment, { label: say('silences.col.comment') }],
    ],
    ui,
  );
}

const SILENCE_VERDICT: Readonly<Record<SilenceRow['state'], Verdict>> = {
  active: 'aside',
  pending: 'waiting',
  expired: 'aside',
};

function silenceRow(s: SilenceRow, here: boolean, ui: Ui): Row {
  const { text, say } = ui.theme;
  const at = silencePlaces(ui);
  const token = s.state === 'expired' ? 'quiet' : 'text';
  const segs = place(
    [
      gutter(here),
      [at.id, seg(text(s.id), token)],
      [
        at.state,
        [verdictSeg(SILENCE_VERDICT[s.state], ui), seg(` ${say(`silences.state.${s.state}`)}`, token)],
      ],
      [at.matchers, seg(text(s.matchers), token)],
      [at.alerts, seg(count(s.alerts), token)],
      [at.nodes, seg(count(s.nodes), token)],
      [at.ends, seg(text(s.ends), token)],
      [at.left, seg(text(s.left), token)],
      [at.by, seg(text(s.by), token)],
      [at.comment, seg(text(s.comment), token)],
    ],
    ui,
  );
  return here ? { segs, accent: true } : { segs };
}

function detailRows(d: AlertDetail, ui: Ui): readonly Row[] {
  const { say, text } = ui.theme;
  const labels = Object.entries(d.labels).map(([k, v]) => `${text(k)}=${text(v)}`);
  const first = row(
    ' ',
    seg(text(d.rule), 'strong'),
    `  ${text(d.on)}   ${text(d.severity)}   ${say('alerts.fingerprint', { id: text(d.fingerprint) })}`,
    seg(`   ${say('describe.labels')} ${labels.join(' ')}`, 'quiet'),
  );
  const firing = d.firingAt === null ? '' : `   ${say('alerts.at.firing', { at: text(d.firingAt) })}`;
  const out = [
    first,
    row(`  ${text(d.value)}   ${say('alerts.at.pending', { at: text(d.pendingAt) })}${firing}`),
  ];
  if (d.silencedBy.length > 0)
    out.push(row(`  ${say('alerts.by', { ids: d.silencedBy.map(text).join(' ') })}`));
  return out;
}
