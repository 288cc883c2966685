import type { AlertView } from '../../../proto/vocab/alert.ts';
import type { Fingerprint, Millis, NodeName } from '../../../proto/vocab/ids.ts';
import type { Matcher } from '../../../proto/vocab/matcher.ts';
import { cursorAlert } from '../alerts-view.ts';
import type { Effect } from '../effect.ts';
import { hit } from '../hit.ts';
import { cursorRegion } from '../regions-view.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { words } from '../words.ts';
import { base, next, open, type SheetBase, type SheetRules } from './base.ts';

export interface SilencePreview {
  readonly wouldSilence: readonly AlertView[];
  readonly wouldNotSilence: readonly AlertView[];
  readonly nodes: readonly NodeName[];
  readonly totalNodes: number;
  /** Over half the fleet: the count is typed as well. */
  readonly asksTwice: boolean;
}

export const SILENCE_DURATIONS: readonly { readonly word: string; readonly ms: Millis }[] = [
  { word: '15m', ms: 15 * 60_000 },
  { word: '1h', ms: 3_600_000 },
  { word: '4h', ms: 4 * 3_600_000 },
  { word: '8h', ms: 8 * 3_600_000 },
  { word: '24h', ms: 24 * 3_600_000 },
];

type SilenceField = 'for' | 'comment' | 'count';

export interface SilenceSheet extends SheetBase {
  readonly kind: 'silence';
  /** Whose alert, or `null` when a node or several are silenced whole. */
  readonly rule: string | null;
  readonly on: string;
  readonly alert: Fingerprint | null;
  readonly matchers: readonly Matcher[];
  /** Index into `SILENCE_DURATIONS`. */
  readonly chosen: number;
  readonly comment: string;
  readonly typed: string;
  readonly focus: SilenceField;
  readonly preview: SilencePreview | null;
  /** When the master was last asked what it would match. */
  readonly askedAt: Millis;
}

function fields(s: SilenceSheet): readonly SilenceField[] {
  return s.preview?.asksTwice === true ? ['for', 'comment', 'count'] : ['for', 'comment'];
}

const ask = (s: SilenceSheet): Effect => ({ kind: 'preview-silence', sheet: s.id, matchers: s.matchers });

export const silenceRules: SheetRules<SilenceSheet> = {
  yesNo: () => false,
  takesText: (s) => s.focus !== 'for',
  edited(s, edit) {
    if (s.focus === 'comment') return { ...s, comment: edit(s.comment) };
    return s.focus === 'count' ? { ...s, typed: edit(s.typed) } : s;
  },
  nextField: (s, by) => ({ ...s, focus: next(fields(s), s.focus, by) }),
  choose(s, by) {
    const most = SILENCE_DURATIONS.length - 1;
    return { sheet: { ...s, chosen: Math.min(most, Math.max(0, s.chosen + by)) }, effects: [] };
  },
  missing(s) {
    if (s.preview === null)
      return words('the master has not said yet what it would match', '主控尚未给出匹配结果');
    return s.comment.trim() === '' ? words('a comment is wanted', '必须填写说明') : null;
  },
  wanted: (s) => (s.preview?.asksTwice === true ? String(s.preview.nodes.length) : null),
  effect: (s) => ({
    kind: 'create-silence',
    sheet: s.id,
    matchers: s.matchers,
    alert: s.alert,
    forMs: SILENCE_DURATIONS[s.chosen]?.ms ?? 3_600_000,
    comment: s.comment.trim(),
  }),
  closes: false,
  ask,
};

function equals(name: string, value: string): Matcher {
  return { name, value, isRegex: false, isEqual: true };
}

/** Node names hold letters, digits and `-`: nothing of a regular expression but what is escaped here. */
function literal(name: string): string {
  return name.replace(/[^\p{L}\p{M}\p{N}-]/gu, (c) => `\\${c}`);
}

/** On the alerts screen the alert under the cursor, by its exact labels; elsewhere the node or the marked ones. */
export function openSilence(state: State): Step {
  const at = {
    ...base(state),
    kind: 'silence' as const,
    chosen: 1,
    comment: '',
    typed: '',
    focus: 'comment' as const,
    preview: null,
    askedAt: state.now,
  };
  const asked = (sheet: SilenceSheet): Step => open(state, sheet, ask(sheet));
  if (state.place.kind === 'screen' && state.place.screen === 'alerts') {
    const alert = cursorAlert(state.alerts);
    if (alert === null) return stay(state);
    const { labels, rule, fingerprint } = alert.alert;
    const matchers = Object.entries(labels).map(([k, v]) => equals(k, v));
    if (!Object.hasOwn(labels, 'alertname')) matchers.unshift(equals('alertname', rule));
    return asked({ ...at, rule, on: alert.on, alert: fingerprint, matchers });
  }
  if (state.place.kind === 'screen' && state.place.screen === 'regions') {
    const item = cursorRegion(state.regions);
    if (item === null) return stay(state);
    const matchers = [equals('region', item.region), equals('type', item.nodeType)];
    return asked({ ...at, rule: null, on: `${item.region} ${item.nodeType}`, alert: null, matchers });
  }
  const names = hit(state);
  if (names.length === 0) return stay(state);
  const one = names.length === 1;
  const matchers = [
    one
      ? equals('node', names[0] ?? '')
      : { name: 'node', value: names.map(literal).join('|'), isRegex: true, isEqual: true },
  ];
  const on = one ? (names[0] ?? '') : `${names.length} nodes`;
  return asked({ ...at, rule: null, on, alert: null, matchers });
}
