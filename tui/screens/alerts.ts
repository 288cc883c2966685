import type { Millis } from '../../proto/vocab/ids.ts';
import { alertIndex, cursorAlert, silenceIndex } from '../store/alerts-view.ts';
import { type AlertItem, countAlerts, inhibitors, type SilenceItem } from '../store/select-alerts.ts';
import { isStale } from '../store/select-header.ts';
import { masterNow } from '../store/select-nodes.ts';
import type { State } from '../store/state.ts';
import type { Row } from '../theme/row.ts';
import {
  type AlertDetail,
  type AlertRow,
  type AlertsProps,
  alertsRows,
  type SilenceRow,
} from '../views/alerts.ts';
import type { FrameParts } from '../views/frame.tsx';
import type { Ui } from '../views/ui.ts';
import { keybar, messageOrPrompt } from './foot.ts';
import { ago, wholeSeconds } from './node.ts';
import { clock, hourMinute } from './words.ts';

/** What comes next for it, or by whom it is held. */
function next(i: AlertItem, state: State, ui: Ui): string {
  const zh = ui.theme.lang === 'zh';
  if (i.state !== 'suppressed') return '';
  const now = masterNow(state.picture);
  const parts = i.alert.silencedBy.map((id) => {
    const s = state.picture.facts.silence.get(id);
    if (s === undefined) return id;
    return zh ? `${id}，剩 ${ago(s.endsAt, now)}` : `${id}, ${ago(s.endsAt, now)} left`;
  });
  const by = inhibitors(i.alert, state.picture);
  return [
    ...(parts.length > 0 ? [`silenced_by ${parts.join('; ')}`] : []),
    ...(by.length > 0 ? [`inhibited_by ${by.join('; ')}`] : []),
  ].join('; ');
}

function alertRow(i: AlertItem, state: State, ui: Ui, now: Millis): AlertRow {
  return {
    rule: i.alert.rule,
    on: i.on,
    verdict: i.verdict,
    state: i.state,
    forMs: wholeSeconds(now - i.since),
    value: i.alert.value,
    next: next(i, state, ui),
    quiet: i.state === 'suppressed',
  };
}

function silenceRow(i: SilenceItem, now: Millis, ui: Ui): SilenceRow {
  const { silence: s } = i;
  const zh = ui.theme.lang === 'zh';
  const left = {
    active: () => ago(s.endsAt, now),
    pending: () => (zh ? `${hourMinute(s.startsAt)} 起` : `from ${hourMinute(s.startsAt)}`),
    expired: () => (zh ? `${ago(now, s.endsAt)}前` : `${ago(now, s.endsAt)} ago`),
  }[i.state]();
  return {
    id: s.id,
    state: i.state,
    matchers: i.matchers,
    alerts: i.alerts,
    nodes: i.nodes,
    ends: hourMinute(s.endsAt),
    left,
    by: s.createdBy.replace(/\(\d+\)$/, ''),
    comment: s.comment,
  };
}

function detail(i: AlertItem | null): AlertDetail | null {
  if (i === null) return null;
  const a = i.alert;
  return {
    rule: a.rule,
    on: i.on,
    severity: a.severity,
    fingerprint: a.fingerprint,
    labels: a.labels,
    value: a.value,
    pendingAt: clock(a.pendingAt),
    firingAt: a.state === 'pending' ? null : clock(a.firingAt),
    silencedBy: a.silencedBy,
  };
}

/** Heard: sent figures within ten seconds. Silence is proven, not assumed. */
function watched(state: State): AlertsProps['watched'] {
  const now = masterNow(state.picture);
  let heard = 0;
  for (const v of state.picture.vitals.values()) {
    if (v.lastSeen !== null && now - v.lastSeen <= 10_000) heard += 1;
  }
  return { heard, total: state.picture.facts.node.size };
}

export function alertsParts(state: State, ui: Ui, header: readonly Row[]): FrameParts {
  const now = masterNow(state.picture);
  const { alerts: v } = state;
  const counts = countAlerts(state.picture);
  const focus = v.focus;
  const props: AlertsProps = {
    counts: {
      firing: counts.firing,
      pending: counts.pending,
      acknowledged: 0,
      suppressed: counts.suppressed,
    },
    alerts: v.lists.live.map((i) => alertRow(i, state, ui, now)),
    resolved: v.lists.resolved.map((i) => {
      const { forMs: _, ...row } = alertRow(i, state, ui, now);
      return { ...row, at: clock(i.since) };
    }),
    silences: v.silences.map((i) => silenceRow(i, now, ui)),
    focus,
    cursor: Math.max(0, focus === 'alerts' ? alertIndex(v) : silenceIndex(v)),
    detail: detail(cursorAlert(v)),
    watched: watched(state),
    stale: isStale(state),
  };
  return { header, body: alertsRows(props, ui), foot: [messageOrPrompt(state, ui), keybar(state, ui)] };
}
