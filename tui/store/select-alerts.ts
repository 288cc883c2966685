import { type AlertView, isSuppressed } from '../../proto/vocab/alert.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import { formatMatcher } from '../../proto/vocab/matcher.ts';
import { type Silence, type SilenceState, silenceMatches, silenceState } from '../../proto/vocab/silence.ts';
import type { Fleet } from './fleet.ts';
import { alertNode, masterNow } from './select-nodes.ts';
import { compareNames } from './sort.ts';
import { type Verdict, verdictRank } from './verdict.ts';

export type ShownAlertState = 'firing' | 'pending' | 'suppressed' | 'resolved';

export interface AlertItem {
  readonly alert: AlertView;
  readonly on: string;
  readonly state: ShownAlertState;
  readonly verdict: Verdict;
  /** Since when it is in this state, at the master's clock. */
  readonly since: Millis;
}

/** Suppression is an overlay: a firing or pending alert under an active silence, or under an alert that says it already. */
export function alertItem(a: AlertView): AlertItem {
  const on = alertNode(a) ?? a.labels['region'] ?? '';
  if (a.state === 'resolved') {
    return { alert: a, on, state: 'resolved', verdict: 'well', since: a.resolvedAt };
  }
  const since = a.state === 'firing' ? a.firingAt : a.pendingAt;
  if (isSuppressed(a)) return { alert: a, on, state: 'suppressed', verdict: 'aside', since };
  if (a.state === 'pending') return { alert: a, on, state: 'pending', verdict: 'waiting', since };
  const verdict = a.severity === 'critical' ? 'wrong' : 'warning';
  return { alert: a, on, state: 'firing', verdict, since };
}

/** The alerts that say it already, as a person knows them: `RegionDown hk`. */
export function inhibitors(a: AlertView, fleet: Fleet): readonly string[] {
  return a.inhibitedBy.map((id) => {
    const by = fleet.facts.alert.get(id);
    return by === undefined ? id : `${by.rule} ${alertNode(by) ?? by.labels['region'] ?? ''}`.trim();
  });
}

const STATE_RANK: Readonly<Record<ShownAlertState, number>> = {
  firing: 0,
  pending: 1,
  suppressed: 2,
  resolved: 3,
};

function compareAlerts(a: AlertItem, b: AlertItem): number {
  return (
    STATE_RANK[a.state] - STATE_RANK[b.state] ||
    verdictRank(a.verdict) - verdictRank(b.verdict) ||
    a.since - b.since ||
    compareNames(a.on, b.on) ||
    compareNames(a.alert.fingerprint, b.alert.fingerprint)
  );
}

const RESOLVED_SHOWN_MS = 12 * 3_600_000;
const RESOLVED_SHOWN = 20;

export interface AlertLists {
  /** By state, then severity, then the longest first. */
  readonly live: readonly AlertItem[];
  /** Newest first, of the last 12 h. */
  readonly resolved: readonly AlertItem[];
}

export function alertLists(fleet: Fleet): AlertLists {
  const now = masterNow(fleet);
  const live: AlertItem[] = [];
  const resolved: AlertItem[] = [];
  for (const a of fleet.facts.alert.values()) {
    const i = alertItem(a);
    if (i.state !== 'resolved') live.push(i);
    else if (now - i.since < RESOLVED_SHOWN_MS) resolved.push(i);
  }
  resolved.sort((a, b) => b.since - a.since || compareNames(a.on, b.on));
  return { live: live.sort(compareAlerts), resolved: resolved.slice(0, RESOLVED_SHOWN) };
}

export interface SilenceItem {
  readonly silence: Silence;
  readonly state: SilenceState;
  readonly matchers: string;
  /** Alerts it suppresses now; `null` when it is not active. */
  readonly alerts: number | null;
  readonly nodes: number;
}

const SILENCE_RANK: Readonly<Record<SilenceState, number>> = { active: 0, pending: 1, expired: 2 };

/** The labels a silence is held against for a node that has no alert now. */
function nodeLabels(n: {
  readonly name: string;
  readonly region: string;
  readonly nodeType: string;
  readonly labels: object;
}): Readonly<Record<string, string>> {
  return { ...n.labels, node: n.name, region: n.region, type: n.nodeType };
}

/** Our copy of the master's clock is a tick behind: what begins now has begun. */
const CLOCK_BEHIND_MS = 2_000;

/** A malformed expression from elsewhere must not take the screen down: it matches nothing here. */
function matches(s: Silence, labels: Readonly<Record<string, string>>): boolean {
  try {
    return silenceMatches(s, labels);
  } catch {
    return false;
  }
}

export function silenceItems(fleet: Fleet): readonly SilenceItem[] {
  const now = masterNow(fleet);
  const out: SilenceItem[] = [];
  for (const silence of fleet.facts.silence.values()) {
    const coming = silence.startsAt > now && silence.startsAt - now > CLOCK_BEHIND_MS;
    const state = silenceState(silence, coming ? now : Math.max(now, silence.startsAt));
    let alerts = 0;
    for (const a of fleet.facts.alert.values()) {
      if (a.state !== 'resolved' && a.silencedBy.includes(silence.id)) alerts += 1;
    }
    // Which nodes it could ever touch: its matchers on labels of nodes alone.
    const onNodes = silence.matchers.filter((m) => m.name !== 'alertname' && m.name !== 'severity');
    let nodes = 0;
    if (state !== 'expired') {
      for (const n of fleet.facts.node.values()) {
        nodes += Number(matches({ ...silence, matchers: onNodes }, nodeLabels(n)));
      }
    }
    out.push({
      silence,
      state,
      matchers: silence.matchers.map(formatMatcher).join(' '),
      alerts: state === 'active' ? alerts : null,
      nodes,
    });
  }
  return out.sort(
    (a, b) =>
      SILENCE_RANK[a.state] - SILENCE_RANK[b.state] ||
      (a.state === 'expired' ? b.silence.endsAt - a.silence.endsAt : a.silence.endsAt - b.silence.endsAt) ||
      compareNames(a.silence.id, b.silence.id),
  );
}

export interface AlertCounts {
  readonly firing: number;
  readonly pending: number;
  readonly suppressed: number;
  readonly firingCritical: number;
  readonly firingWarning: number;
}

export function countAlerts(fleet: Fleet): AlertCounts {
  const n = { firing: 0, pending: 0, suppressed: 0, firingCritical: 0, firingWarning: 0 };
  for (const a of fleet.facts.alert.values()) {
    const i = alertItem(a);
    if (i.state === 'resolved') continue;
    n[i.state] += 1;
    if (i.state === 'firing') n[a.severity === 'critical' ? 'firingCritical' : 'firingWarning'] += 1;
  }
  return n;
}
