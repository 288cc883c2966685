import type { BlastRadius } from '../../../proto/vocab/blast.ts';
import type { ConfigVersion, Target } from '../../../proto/vocab/config-version.ts';
import type { Millis, VersionLabel } from '../../../proto/vocab/ids.ts';
import { lookedAt, publishChoices, targetWords } from '../configs-view.ts';
import type { Effect } from '../effect.ts';
import { cursorRegion } from '../regions-view.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { type Words, words } from '../words.ts';
import { base, next, open, PLAIN, type SheetBase, type SheetRules } from './base.ts';

/** `null`: as the master's settings have it. `revert` is for taking back. */
export const STRATEGIES = [null, 'standard', 'unattended', 'quick', 'at-once'] as const;
type StrategyName = (typeof STRATEGIES)[number];

const FIELDS = ['to', 'strategy', 'base', 'reason', 'type'] as const;
type PublishField = (typeof FIELDS)[number];

/** What some of the nodes run now: a diff can be read against it. */
export interface DiffBase {
  readonly label: VersionLabel;
  readonly nodes: number;
}

/** What differs from the chosen base; `lines` is `null` until the master has said it. */
export interface PublishDiff {
  readonly from: VersionLabel;
  readonly lines: readonly string[] | null;
  readonly added: number;
  readonly removed: number;
}

/** A version to where it is chosen to go, in which steps: who is hit is asked of the master again for each choice. */
export interface PublishSheet extends SheetBase {
  readonly kind: 'publish';
  readonly label: VersionLabel;
  readonly choices: readonly Target[];
  /** Index into `choices`. */
  readonly chosen: number;
  /** Index into `STRATEGIES`. */
  readonly pace: number;
  readonly reason: string;
  readonly typed: string;
  readonly focus: PublishField;
  readonly preview: BlastRadius | null;
  readonly askedAt: Millis;
  readonly bases: readonly DiffBase[];
  readonly diff: PublishDiff | null;
  readonly scroll: number;
}

export function strategyOf(s: PublishSheet): StrategyName {
  return STRATEGIES[s.pace] ?? null;
}

/** Who would be hit, by the target and the strategy that are chosen. */
const ask = (s: PublishSheet): Effect => ({
  kind: 'preview-publish',
  sheet: s.id,
  chosen: s.chosen,
  pace: s.pace,
  label: s.label,
  target: s.choices[s.chosen] ?? {},
  strategy: strategyOf(s),
});

const askDiff = (s: PublishSheet, from: VersionLabel): Effect => ({
  kind: 'preview-diff',
  sheet: s.id,
  from,
  label: s.label,
});

const fresh = (from: VersionLabel): PublishDiff => ({ from, lines: null, added: 0, removed: 0 });

function turn(at: number, by: number, all: number): number {
  return all === 0 ? 0 : (at + by + all) % all;
}

export const publishRules: SheetRules<PublishSheet> = {
  ...PLAIN,
  yesNo: () => false,
  takesText: (s) => s.focus === 'reason' || s.focus === 'type',
  edited(s, edit) {
    if (s.focus === 'reason') return { ...s, reason: edit(s.reason) };
    return s.focus === 'type' ? { ...s, typed: edit(s.typed) } : s;
  },
  nextField: (s, by) => ({ ...s, focus: next(FIELDS, s.focus, by) }),
  /** Another target or pace: what was typed was about the one before. Another base is only looked at. */
  choose(s, by, state) {
    if (s.focus === 'base') {
      const at = s.bases.findIndex((b) => b.label === s.diff?.from);
      const to = s.bases[turn(at, by, s.bases.length)];
      if (to === undefined || to.label === s.diff?.from) return { sheet: s, effects: [] };
      return { sheet: { ...s, diff: fresh(to.label), scroll: 0 }, effects: [askDiff(s, to.label)] };
    }
    const anew = { preview: null, typed: '', askedAt: state.now } as const;
    const sheet: PublishSheet =
      s.focus === 'strategy'
        ? { ...s, ...anew, pace: turn(s.pace, by, STRATEGIES.length) }
        : { ...s, ...anew, chosen: turn(s.chosen, by, s.choices.length) };
    return { sheet, effects: [ask(sheet)] };
  },
  missing(s) {
    if (s.preview === null) return words('the master has not said yet who is hit', '主控尚未给出影响范围');
    return s.reason.trim() === '' ? words('a reason is wanted', '必须填写原因') : null;
  },
  wanted: (s) => (s.preview === null ? null : String(s.preview.nodes.length)),
  effect(s) {
    const target = s.choices[s.chosen];
    if (target === undefined) return null;
    const reason = s.reason.trim();
    return { kind: 'publish', sheet: s.id, label: s.label, target, reason, strategy: strategyOf(s) };
  },
  ask,
};

/** What the nodes run that would get it, most of them first. */
function basesOf(p: BlastRadius): readonly DiffBase[] {
  const by = new Map<VersionLabel, number>();
  for (const n of p.nodes) {
    if (n.from !== null && n.from !== p.toLabel) by.set(n.from, (by.get(n.from) ?? 0) + 1);
  }
  return [...by].map(([label, nodes]) => ({ label, nodes })).sort((a, b) => b.nodes - a.nodes);
}

/** The master's answer; the diff is asked for against what most of them run. */
export function blasted(
  s: PublishSheet,
  preview: BlastRadius,
  parent: VersionLabel | null,
): { readonly sheet: PublishSheet; readonly effects: readonly Effect[] } {
  const found = basesOf(preview);
  const bases = found.length > 0 || parent === null ? found : [{ label: parent, nodes: 0 }];
  const sheet: PublishSheet = { ...s, preview, bases };
  const from = bases[0]?.label;
  if (from === undefined || bases.some((b) => b.label === s.diff?.from)) return { sheet, effects: [] };
  return { sheet: { ...sheet, diff: fresh(from), scroll: 0 }, effects: [askDiff(sheet, from)] };
}

/** What the version under the cursor of the versions would be; elsewhere the newest that was never published. */
function versionMeant(state: State): ConfigVersion | null {
  const { place, configs, rollouts } = state;
  if (
    place.kind === 'screen' &&
    place.screen === 'rollouts' &&
    (rollouts.pane === 'versions' || configs.diff !== null)
  ) {
    return lookedAt(configs)?.version ?? null;
  }
  const all = configs.items.map((i) => i.version);
  return all.find((v) => v.publications.length === 0) ?? all[0] ?? null;
}

/** On the regions' screen it goes to the region under the cursor first. */
function firstChoice(state: State): readonly Target[] {
  if (state.place.kind !== 'screen' || state.place.screen !== 'regions') return [];
  const item = cursorRegion(state.regions);
  return item === null ? [] : [{ regions: [item.region], nodeType: item.nodeType }];
}

/** @param to where it goes, if that was said */
export function openPublishOf(state: State, version: ConfigVersion, to: readonly Target[]): Step {
  const choices = [...to, ...publishChoices(version, state.picture.facts)];
  const seen = new Set<string>();
  const sheet: PublishSheet = {
    ...base(state),
    kind: 'publish',
    label: version.label,
    choices: choices.filter((t) => !seen.has(targetWords(t)) && seen.add(targetWords(t))),
    chosen: 0,
    pace: 0,
    reason: '',
    typed: '',
    focus: 'reason',
    preview: null,
    askedAt: state.now,
    bases: [],
    diff: null,
    scroll: 0,
  };
  return open(state, sheet, ask(sheet));
}

export function openPublish(state: State): Step {
  const version = versionMeant(state);
  return version === null ? stay(state) : openPublishOf(state, version, firstChoice(state));
}

/** Of the diff; the view keeps it within its rows. */
export function scrolled(s: PublishSheet, by: number): PublishSheet {
  const most = Math.max(0, (s.diff?.lines?.length ?? 0) - 1);
  return { ...s, scroll: Math.min(most, Math.max(0, s.scroll + by)) };
}

/** A diff that came, or why it did not. */
export function diffed(
  s: PublishSheet,
  from: string,
  got: { readonly unified: string; readonly added: number; readonly removed: number } | Words,
): PublishSheet {
  if (s.diff?.from !== from) return s;
  if ('en' in got) return { ...s, diff: { ...s.diff, lines: [got.en] } };
  const lines = got.unified.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return { ...s, diff: { ...s.diff, lines, added: got.added, removed: got.removed } };
}
