import type { Millis } from '../../proto/vocab/ids.ts';
import type { Rollout } from '../../proto/vocab/rollout.ts';
import { noticeWords, rolloutVerdict } from './rollout-words.ts';
import { openRollouts, rolloutsOf } from './rollouts-view.ts';
import { alertItem, countAlerts } from './select-alerts.ts';
import { countStatuses, masterNow, type StatusCount } from './select-nodes.ts';
import type { State } from './state.ts';
import { taskWords } from './task-words.ts';
import type { Verdict } from './verdict.ts';
import { type Words, words } from './words.ts';

/** The one notice that matters fleet-wide; one shows, the rest wait. */
export type HeaderNotice =
  | {
      readonly kind: 'no-master';
      readonly forMs: Millis;
      readonly reason: string;
      readonly attempt: number;
      readonly nextInMs: Millis;
    }
  | { readonly kind: 'reconnecting'; readonly attempt: number }
  | { readonly kind: 'back'; readonly afterMs: Millis; readonly changes: number; readonly whole: boolean }
  | { readonly kind: 'degraded'; readonly reason: string }
  | { readonly kind: 'slow-link'; readonly ageMs: Millis }
  /** `at`: when the master was asked; `null`: it has not answered. */
  | { readonly kind: 'dry-run'; readonly at: Millis | null }
  /** `short`: where the terminal is narrow. */
  | { readonly kind: 'text'; readonly verdict: Verdict | null; readonly text: Words; readonly short?: Words };

export type HeaderAge =
  | { readonly kind: 'live'; readonly ageMs: Millis }
  | { readonly kind: 'stale'; readonly ageMs: Millis }
  | { readonly kind: 'frozen'; readonly ageMs: Millis };

const SLOW_MS = 10_000;

/** The data is old and nothing says when it will be new: rows are grey, keys that act are off. */
export function isStale(state: State): boolean {
  return state.connection.kind !== 'live';
}

export function dataAge(state: State): HeaderAge | null {
  const { receivedAt } = state.fleet;
  if (receivedAt === null) return null;
  if (state.frozenAt !== null) return { kind: 'frozen', ageMs: Math.max(0, state.now - state.frozenAt) };
  const ageMs = Math.max(0, state.now - receivedAt);
  return { kind: isStale(state) ? 'stale' : 'live', ageMs };
}

/** Commands still running that no message line follows: hidden, not forgotten. */
function runningTask(state: State): HeaderNotice | null {
  for (const task of state.picture.facts.command.values()) {
    if (task.state !== 'running' && task.state !== 'queued') continue;
    const said = taskWords(task);
    if (said.total > 1)
      return { kind: 'text', verdict: said.wrong > 0 ? 'wrong' : 'changing', text: said.text };
  }
  return null;
}

function silencedAll(state: State): HeaderNotice | null {
  const hidden = [...state.picture.facts.alert.values()].filter(
    (a) => alertItem(a).state === 'suppressed' && a.severity === 'critical',
  );
  if (hidden.length === 0) return null;
  const n = hidden.length;
  return {
    kind: 'text',
    verdict: 'aside',
    text: words(`${n} critical ${n === 1 ? 'alert' : 'alerts'} silenced`, `${n} 个严重告警已静默`),
  };
}

/** So many are lost at a time that the master may be what is ill: nothing else that is said of nodes is sure. */
function suspectNotice(state: State): HeaderNotice | null {
  const suspect = [...state.picture.facts.alert.values()].find(
    (a) => a.rule === 'MasterSuspect' && alertItem(a).state === 'firing',
  );
  if (suspect === undefined) return null;
  const frozen = openRollouts(state.picture.facts).some(
    (r) => r.state.kind === 'paused' && r.state.reason === 'master_suspect',
  );
  // `31 of 120 nodes lost, in hk and sg; dialled 8, 8 answer: …; NodeDown held back`: its row in the alerts has all of it.
  const [lost = '', ...more] = suspect.value.split('; ');
  const few = lost.split(',')[0] ?? '';
  const held = more.includes('NodeDown held back');
  const dialled = more.find((t) => t.startsWith('dialled'));
  const hint = dialled === undefined || dialled.includes(':') ? null : dialled;
  const en = [...(held ? ['NodeDown held back'] : []), ...(frozen ? ['rollouts frozen'] : [])].join(', ');
  const zh = [...(held ? ['NodeDown 已压住'] : []), ...(frozen ? ['发布已冻结'] : [])].join('，');
  const text = (about: string, next: string) =>
    [`MasterSuspect: ${few}`, about, next].filter((t) => t !== '').join('.  ');
  return {
    kind: 'text',
    verdict: 'unseen',
    text: words(
      text(en, hint ?? "Look at this master's network first"),
      text(zh, hint ?? '先查主控自己的网络'),
    ),
    short: words(text(en, ''), text(zh, '')),
  };
}

/** While a publication is looked at: nothing has happened yet. */
function publishNotice(state: State): HeaderNotice | null {
  const { sheet } = state;
  if (sheet?.kind !== 'publish' || sheet.sending) return null;
  const at = sheet.preview === null ? null : sheet.askedAt;
  return { kind: 'dry-run', at };
}

/** What a person must do first, then what goes back, then what goes on. */
const URGENT = ['paused', 'aborting', 'reverting', 'progressing', 'validating', 'pending'];

/** One that went wrong is said for so long after its end. */
const WRONG_MS = 10 * 60_000;

/** The rollout that matters most. On its own screen only what wants a key is said twice. */
function rolloutNotice(state: State): HeaderNotice | null {
  const { facts } = state.picture;
  const now = masterNow(state.picture);
  const here = state.place.kind === 'screen' && state.place.screen === 'rollouts';
  const urgency = (r: Rollout) => URGENT.indexOf(r.state.kind);
  const open = [...openRollouts(facts)].sort((a, b) => urgency(a) - urgency(b));
  const ended = rolloutsOf(facts)[0];
  const wrong =
    ended !== undefined &&
    (ended.state.kind === 'rolled_back' || ended.state.kind === 'revert_failed') &&
    now - (ended.endedAt ?? 0) < WRONG_MS;
  const r = open[0] ?? (wrong ? ended : undefined);
  if (r === undefined || (here && state.rollouts.pane === 'rollout' && r.state.kind !== 'paused'))
    return null;
  const { text, short } = noticeWords(r, now, here);
  const more = open.length > 1 ? `   +${open.length - 1}` : '';
  return {
    kind: 'text',
    verdict: rolloutVerdict(r),
    text: words(text.en + more, text.zh + more),
    short: words(short.en + more, short.zh + more),
  };
}

/** By priority: no master, the master keeps nothing, back again, a slow link, a master in doubt, a rollout, a task, what is silenced. */
export function notice(state: State): HeaderNotice | null {
  const c = state.connection;
  if (c.kind === 'waiting') {
    return {
      kind: 'no-master',
      forMs: Math.max(0, state.now - c.lostAt),
      reason: c.reason,
      attempt: c.attempt,
      nextInMs: Math.max(0, c.retryAt - state.now),
    };
  }
  if (c.kind === 'connecting') {
    // The first second of the first attempt says nothing yet.
    if (c.reason === null && state.now - c.lostAt < 1_000) return null;
    return { kind: 'reconnecting', attempt: c.attempt };
  }
  const degraded = state.picture.figures?.degraded ?? null;
  if (degraded !== null) return { kind: 'degraded', reason: degraded };
  if (c.back !== null && state.now < c.back.until) {
    return { kind: 'back', afterMs: c.back.afterMs, changes: state.fleet.changes, whole: c.back.whole };
  }
  const age = dataAge(state);
  if (age?.kind === 'live' && age.ageMs >= SLOW_MS) return { kind: 'slow-link', ageMs: age.ageMs };
  return (
    suspectNotice(state) ??
    publishNotice(state) ??
    rolloutNotice(state) ??
    runningTask(state) ??
    silencedAll(state)
  );
}

export interface TabBadge {
  readonly verdict: Verdict;
  readonly n: number;
}

/** Those that go on, and those that wait for a person. */
export function rolloutBadges(state: State): readonly TabBadge[] {
  const open = openRollouts(state.picture.facts);
  const paused = open.filter((r) => r.state.kind === 'paused').length;
  const out: TabBadge[] = [];
  if (open.length > paused) out.push({ verdict: 'changing', n: open.length - paused });
  if (paused > 0) out.push({ verdict: 'paused', n: paused });
  return out;
}

/** Only what nobody took: suppressed alerts are on their screen, not on its tab. */
export function alertBadges(state: State): readonly TabBadge[] {
  const n = countAlerts(state.picture);
  const out: TabBadge[] = [];
  if (n.firingCritical > 0) out.push({ verdict: 'wrong', n: n.firingCritical });
  if (n.firingWarning > 0) out.push({ verdict: 'warning', n: n.firingWarning });
  return out;
}

export function health(state: State): readonly StatusCount[] {
  return countStatuses(state.nodes.items);
}
