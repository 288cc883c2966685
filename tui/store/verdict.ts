import { type AlertView, isSuppressed } from '../../proto/vocab/alert.ts';
import { formatDuration } from '../../proto/vocab/duration.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { Node, NodeVitals } from '../../proto/vocab/node.ts';
import type { TargetFact } from './fleet.ts';
import { type Words, words } from './words.ts';

/** What the symbol before a word says, over all axes and alerts. This is the order of *worst first*. */
export const VERDICTS = [
  'wrong',
  'unseen',
  'warning',
  'changing',
  'paused',
  'waiting',
  'aside',
  'well',
] as const;
export type Verdict = (typeof VERDICTS)[number];

const RANK: Readonly<Record<Verdict, number>> = {
  wrong: 0,
  unseen: 1,
  warning: 2,
  changing: 3,
  paused: 4,
  waiting: 5,
  aside: 6,
  well: 7,
};

/** 0 is the worst. */
export function verdictRank(v: Verdict): number {
  return RANK[v];
}

/** The one reason a row carries; `quiet`: suppressed or merely worth knowing. */
export interface Note {
  readonly verdict: Verdict;
  readonly text: Words;
  readonly quiet: boolean;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly note: Note | null;
}

function note(verdict: Verdict, en: string, zh: string): Judgement {
  return { verdict, note: { verdict, text: words(en, zh), quiet: false } };
}

function firingNote(verdict: Verdict, a: AlertView, now: Millis): Judgement {
  const since = a.state === 'firing' ? a.firingAt : a.pendingAt;
  const text = `${a.rule} ${formatDuration(Math.max(1_000, now - since))}`;
  return note(verdict, text, text);
}

/** Unsuppressed, worst first: critical before warning, then the longest firing. */
function loudest(alerts: readonly AlertView[], severity: AlertView['severity']): AlertView | null {
  let found: AlertView | null = null;
  for (const a of alerts) {
    if (a.state !== 'firing' || a.severity !== severity || isSuppressed(a)) continue;
    if (found === null || found.state !== 'firing' || a.firingAt < found.firingAt) found = a;
  }
  return found;
}

function target(node: Node): string {
  return node.target?.version ?? '?';
}

/** A deferred offer is worth more than the bare word: it says what happens when the node returns. */
function unseen(node: Node, status: 'disconnected' | 'unknown', rollout?: TargetFact): Judgement {
  if (rollout?.target.state === 'deferred_offline') {
    return note('unseen', `${rollout.version} deferred`, `${rollout.version} 已推迟`);
  }
  if (node.target !== null && node.effective !== null && node.target.hash !== node.effective.hash) {
    return note('unseen', `${target(node)} deferred`, `${target(node)} 已推迟`);
  }
  return status === 'unknown' ? note('unseen', 'unknown', '未知') : note('unseen', 'disconnected', '失联');
}

/** On its way with a version, or held back by what it carries; `null`: nothing that the node's own row does not say. */
function inRollout(
  { target: t, version, minHealthyMs }: TargetFact,
  streams: number | null,
  now: Millis,
): Judgement | null {
  switch (t.state) {
    case 'offered':
    case 'applying':
      return note('changing', `applying ${version}`, `应用中 ${version}`);
    case 'soaking': {
      const left = formatDuration(Math.max(1_000, minHealthyMs - (now - t.since)));
      return note('changing', `soaking ${left}`, `观察中 ${left}`);
    }
    case 'held_by_streams': {
      const n = streams === null ? '' : ` ${streams}`;
      return note('waiting', `held by${n} streams`, `等${n} 条流结束`);
    }
    default:
      return null;
  }
}

/**
 * The verdict on a node and its reason, the worst that holds. A silenced alert is no longer a verdict, and never
 * invisible: it stays as a quiet note on a node that is otherwise well.
 * @param vitals `undefined` before the first figures: the status is not known then, which is not a fault
 * @param alerts of this node, resolved ones included
 * @param now the master's clock
 * @param rollout what a rollout that goes on makes of it, where that is known
 */
export function judge(
  node: Node,
  vitals: NodeVitals | undefined,
  alerts: readonly AlertView[],
  now: Millis,
  rollout?: TargetFact,
): Judgement {
  const status = vitals?.status ?? (node.initialized ? 'unknown' : 'initializing');
  if (node.identity === 'revoked') return note('aside', 'revoked', '证书已吊销');

  // Wrong.
  const critical = loudest(alerts, 'critical');
  if (critical !== null) return firingNote('wrong', critical, now);
  if (status === 'down') {
    const silenced = alerts.find((a) => a.state !== 'resolved' && a.silencedBy.length > 0);
    if (silenced !== undefined) {
      const by = silenced.silencedBy[0] ?? '';
      const text = words(`${silenced.rule} ${by}`, `${silenced.rule} ${by}`);
      return { verdict: 'wrong', note: { verdict: 'aside', text, quiet: true } };
    }
    const gone = vitals?.lastSeen == null ? '' : ` ${formatDuration(Math.max(0, now - vitals.lastSeen))}`;
    return note('wrong', `down${gone}`, `宕机${gone}`);
  }
  if (node.configSync === 'failed') return note('wrong', `refused ${target(node)}`, `拒绝 ${target(node)}`);

  // Not seen.
  if (status === 'disconnected') return unseen(node, status, rollout);
  if (status === 'unknown' && vitals !== undefined) return unseen(node, status, rollout);

  // Warning.
  const warning = loudest(alerts, 'warning');
  if (warning !== null) return firingNote('warning', warning, now);
  if (node.configSync === 'drifted') return note('warning', 'drifted', '配置漂移');

  // Changing.
  if (status === 'initializing') return note('changing', 'initializing', '初始化');
  if (node.configSync === 'applying')
    return note('changing', `applying ${target(node)}`, `应用中 ${target(node)}`);
  if (node.drain === 'draining') {
    const left = vitals?.streams == null ? '' : ` ${vitals.streams}`;
    return note('changing', `draining${left}`, `排空中${left}`);
  }

  const going = rollout === undefined ? null : inRollout(rollout, vitals?.streams ?? null, now);
  if (going !== null) return going;

  // Waits its turn.
  if (node.identity === 'pending') return note('waiting', 'identity pending', '等待接纳');
  if (node.configSync === 'out_of_sync') {
    return note('waiting', `waits for ${target(node)}`, `等待 ${target(node)}`);
  }
  const pending = alerts.find((a) => a.state === 'pending' && !isSuppressed(a));
  if (pending !== undefined) return note('waiting', `${pending.rule} pending`, `${pending.rule} 待定`);

  // Set aside on purpose.
  if (node.drain === 'drained') return note('aside', 'drained', '已排空');
  if (node.eligibility === 'ineligible') return note('aside', 'ineligible', '不参与调度');

  const suppressed = alerts.find((a) => a.state !== 'resolved' && a.silencedBy.length > 0);
  if (suppressed !== undefined) {
    const text = words(`${suppressed.rule} silenced`, `${suppressed.rule} 已静默`);
    return { verdict: 'well', note: { verdict: 'aside', text, quiet: true } };
  }
  const warned = node.warnings[0];
  if (warned !== undefined) {
    return { verdict: 'well', note: { verdict: 'well', text: words(warned, warned), quiet: true } };
  }
  if (node.target === null) {
    return {
      verdict: 'well',
      note: { verdict: 'well', text: words('no config yet', '尚无配置'), quiet: true },
    };
  }
  return { verdict: 'well', note: null };
}
