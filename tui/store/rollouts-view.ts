import type { Millis, Revision } from '../../proto/vocab/ids.ts';
import {
  type LegalVerb,
  OVER,
  type Rollout,
  type RolloutTarget,
  type RolloutVerb,
  type TargetState,
} from '../../proto/vocab/rollout.ts';
import type { Facts } from './fleet.ts';
import { compareNames } from './sort.ts';
import { type Verdict, verdictRank } from './verdict.ts';
import type { Words } from './words.ts';

/** The targets of the rollout on screen: not in the stream, read while somebody looks. */
interface Got {
  readonly id: string;
  /** Of the rollout, when they were read. */
  readonly revision: Revision;
  /** As far as they were asked for, worst first. */
  readonly targets: readonly RolloutTarget[];
  readonly legal: readonly LegalVerb[];
}

/** Screen 3: one rollout and its targets, or the versions. The cursor belongs to a node. */
export interface RolloutsView {
  readonly pane: 'rollout' | 'versions';
  /** Which one is looked at; `null`: the newest that is open, else the newest. */
  readonly chosen: string | null;
  readonly got: Got | null;
  readonly error: Words | null;
  readonly asking: boolean;
  readonly askedAt: Millis | null;
  readonly cursor: string | null;
  /** Whose page is open. */
  readonly open: string | null;
  readonly scroll: number;
}

export const ROLLOUTS_VIEW: RolloutsView = {
  pane: 'rollout',
  chosen: null,
  got: null,
  error: null,
  asking: false,
  askedAt: null,
  cursor: null,
  open: null,
  scroll: 0,
};

export function isOver(r: Rollout): boolean {
  return OVER.includes(r.state.kind);
}

/** Newest first. */
export function rolloutsOf(facts: Facts): readonly Rollout[] {
  return [...facts.rollout.values()].sort((a, b) => b.createdAt - a.createdAt || compareNames(b.id, a.id));
}

export function openRollouts(facts: Facts): readonly Rollout[] {
  return rolloutsOf(facts).filter((r) => !isOver(r));
}

/** The one on screen; `null`: there never was one. */
export function shownRollout(v: RolloutsView, facts: Facts): Rollout | null {
  const chosen = v.chosen === null ? undefined : facts.rollout.get(v.chosen);
  return chosen ?? openRollouts(facts)[0] ?? rolloutsOf(facts)[0] ?? null;
}

const TARGET_VERDICT: Readonly<Record<TargetState, Verdict>> = {
  failed: 'wrong',
  deferred_offline: 'unseen',
  applying: 'changing',
  offered: 'changing',
  soaking: 'changing',
  held_by_streams: 'waiting',
  waiting: 'waiting',
  reverted: 'aside',
  excluded: 'aside',
  healthy: 'well',
};

export function targetVerdict(s: TargetState): Verdict {
  return TARGET_VERDICT[s];
}

/** What waits for streams is out of line, what waits its turn is not. */
const RANK: Readonly<Partial<Record<TargetState, number>>> = {
  failed: 0,
  deferred_offline: 1,
  held_by_streams: 2,
  reverted: 3,
  applying: 4,
  offered: 5,
  soaking: 6,
  waiting: 7,
  excluded: 8,
  healthy: 9,
};

/** Those of one of these states are told as one: what is said of one holds for all. */
const TOGETHER: readonly TargetState[] = ['soaking', 'waiting', 'reverted', 'healthy'];

export interface TargetItem {
  readonly target: RolloutTarget;
  /** Others in the same state, by name as far as they are known. */
  readonly others: readonly string[];
  readonly more: number;
}

function worstFirst(a: RolloutTarget, b: RolloutTarget): number {
  return (
    (RANK[a.state] ?? 0) - (RANK[b.state] ?? 0) ||
    verdictRank(TARGET_VERDICT[a.state]) - verdictRank(TARGET_VERDICT[b.state]) ||
    a.since - b.since ||
    compareNames(a.node, b.node)
  );
}

/** The targets as rows, worst first; those that go their way together are one row. */
export function targetItems(v: RolloutsView, r: Rollout): readonly TargetItem[] {
  if (v.got === null || v.got.id !== r.id) return [];
  const out: TargetItem[] = [];
  for (const target of [...v.got.targets].sort(worstFirst)) {
    const last = out.at(-1);
    if (last !== undefined && last.target.state === target.state && TOGETHER.includes(target.state)) {
      out[out.length - 1] = { ...last, others: [...last.others, target.node] };
    } else out.push({ target, others: [], more: 0 });
  }
  return out.map((i) => {
    const together = TOGETHER.includes(i.target.state);
    return { ...i, more: together ? Math.max(i.others.length, r.counts[i.target.state] - 1) : 0 };
  });
}

export function targetIndex(v: RolloutsView, items: readonly TargetItem[]): number {
  return items.findIndex((i) => i.target.node === v.cursor);
}

export function cursorTarget(v: RolloutsView, r: Rollout): RolloutTarget | null {
  const items = targetItems(v, r);
  return items[Math.max(0, targetIndex(v, items))]?.target ?? null;
}

export function moveTargets(v: RolloutsView, r: Rollout, by: number): RolloutsView {
  const items = targetItems(v, r);
  const at = Math.max(0, targetIndex(v, items));
  const to = items[Math.min(items.length - 1, Math.max(0, at + by))];
  return to === undefined ? v : { ...v, cursor: to.target.node };
}

/** Another rollout, newer or older; what was read is about the one before. */
export function shiftRollout(v: RolloutsView, facts: Facts, by: number): RolloutsView {
  const all = rolloutsOf(facts);
  const now = shownRollout(v, facts);
  const at = all.findIndex((r) => r.id === now?.id);
  const to = all[Math.min(all.length - 1, Math.max(0, at + by))];
  return to === undefined || to.id === now?.id ? v : chosen(v, to.id);
}

export function chosen(v: RolloutsView, id: string): RolloutsView {
  return { ...ROLLOUTS_VIEW, pane: 'rollout', chosen: id, askedAt: null, asking: v.asking };
}

/** What the master says of a verb for the one on screen; `null`: it has not said yet. */
export function legalVerb(v: RolloutsView, r: Rollout, verb: RolloutVerb): LegalVerb | null {
  if (v.got === null || v.got.id !== r.id) return null;
  return v.got.legal.find((l) => l.verb === verb) ?? null;
}

/** Nodes on the new version. */
export function onNew(r: Rollout): number {
  return r.counts.healthy + r.counts.soaking;
}

/** All its targets, where they are known whole. */
function wholeTargets(v: RolloutsView, r: Rollout): readonly RolloutTarget[] | null {
  const all = Object.values(r.counts).reduce((sum, n) => sum + n, 0);
  return v.got !== null && v.got.id === r.id && v.got.targets.length === all ? v.got.targets : null;
}

/** Nodes it was released to, and not taken back from; `exact`: counted one by one, not by their states. */
export function released(v: RolloutsView, r: Rollout): { readonly n: number; readonly exact: boolean } {
  const targets = wholeTargets(v, r);
  if (targets !== null) return { n: targets.filter((t) => t.released).length, exact: true };
  return { n: onNew(r) + r.counts.applying + r.counts.offered + r.counts.failed, exact: false };
}
