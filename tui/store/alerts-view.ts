import type { Fleet } from './fleet.ts';
import {
  type AlertItem,
  type AlertLists,
  alertLists,
  type SilenceItem,
  silenceItems,
} from './select-alerts.ts';

/** The alerts screen: two tables, one cursor each, kept by identity. */
export interface AlertsView {
  readonly focus: 'alerts' | 'silences';
  readonly lists: AlertLists;
  readonly silences: readonly SilenceItem[];
  /** Fingerprint. */
  readonly alert: string | null;
  readonly silence: string | null;
}

export const ALERTS_VIEW: AlertsView = {
  focus: 'alerts',
  lists: { live: [], resolved: [] },
  silences: [],
  alert: null,
  silence: null,
};

function keep<T>(list: readonly T[], key: (t: T) => string, was: string | null, at: number): string | null {
  if (was !== null && list.some((t) => key(t) === was)) return was;
  const near = list[Math.min(Math.max(0, at), list.length - 1)];
  return near === undefined ? null : key(near);
}

const alertKey = (i: AlertItem): string => i.alert.fingerprint;
const silenceKey = (i: SilenceItem): string => i.silence.id;

export function alertIndex(v: AlertsView): number {
  return v.lists.live.findIndex((i) => alertKey(i) === v.alert);
}

export function silenceIndex(v: AlertsView): number {
  return v.silences.findIndex((i) => silenceKey(i) === v.silence);
}

export function cursorAlert(v: AlertsView): AlertItem | null {
  return v.focus === 'alerts' ? (v.lists.live[alertIndex(v)] ?? null) : null;
}

export function cursorSilence(v: AlertsView): SilenceItem | null {
  return v.focus === 'silences' ? (v.silences[silenceIndex(v)] ?? null) : null;
}

export function regroupAlerts(v: AlertsView, fleet: Fleet): AlertsView {
  const lists = alertLists(fleet);
  const silences = silenceItems(fleet);
  const alert = keep(lists.live, alertKey, v.alert, alertIndex(v));
  const silence = keep(silences, silenceKey, v.silence, silenceIndex(v));
  return { ...v, lists, silences, alert, silence };
}

export function moveAlerts(v: AlertsView, by: number): AlertsView {
  if (v.focus === 'alerts') {
    const at = Math.max(0, alertIndex(v));
    const to = v.lists.live[Math.min(v.lists.live.length - 1, Math.max(0, at + by))];
    return to === undefined ? v : { ...v, alert: alertKey(to) };
  }
  const at = Math.max(0, silenceIndex(v));
  const to = v.silences[Math.min(v.silences.length - 1, Math.max(0, at + by))];
  return to === undefined ? v : { ...v, silence: silenceKey(to) };
}
