import type { Role } from '../../proto/vocab/can.ts';
import type { ScreenId } from '../store/intent.ts';
import {
  alertBadges,
  dataAge,
  type HeaderNotice,
  health,
  isStale,
  notice,
  rolloutBadges,
} from '../store/select-header.ts';
import type { State } from '../store/state.ts';
import { BLANK, type Row } from '../theme/row.ts';
import type { Theme } from '../theme/theme.ts';
import { type DataAge, type HeaderProps, headerRows, type Notice } from '../views/header.ts';
import type { Ui } from '../views/ui.ts';
import { clock, person, persons, speak } from './words.ts';

const seconds = (ms: number) => Math.floor(ms / 1000);

function noticeProps(n: HeaderNotice | null, state: State, theme: Theme): Notice | null {
  switch (n?.kind) {
    case undefined:
      return null;
    case 'no-master':
      return {
        kind: 'no-master',
        seconds: seconds(n.forMs),
        reason: shortReason(n.reason),
        attempt: n.attempt,
        nextInSeconds: Math.ceil(n.nextInMs / 1000),
      };
    case 'back': {
      const changes = n.whole ? state.picture.facts.node.size : n.changes;
      return { kind: 'back', afterSeconds: seconds(n.afterMs), changes, whole: n.whole };
    }
    case 'slow-link':
      return { kind: 'slow-link', seconds: seconds(n.ageMs) };
    case 'text':
      return {
        kind: 'text',
        verdict: n.verdict,
        text: persons(speak(n.text, theme)),
        short: persons(speak(n.short ?? n.text, theme)),
      };
    case 'dry-run': {
      const zh = theme.lang === 'zh';
      const at = n.at === null ? '' : zh ? `${clock(n.at)} 的` : ` of ${clock(n.at)}`;
      const text = zh ? `${at}试运行：尚未向任何节点下发` : `dry run${at}: nothing has been sent to any node`;
      return { kind: 'text', verdict: null, text };
    }
    case 'reconnecting':
    case 'degraded':
      return n;
  }
}

/** The notice says `no master` already, and the tries must not be cut off. */
function shortReason(reason: string): string {
  return reason.replace(/^no master answers at \S+: /, '');
}

/** A live picture says `1s` until it is 3 s old: a digit that flickers says nothing. */
function ageProps(state: State): DataAge | null {
  const age = dataAge(state);
  if (age === null) return null;
  const s = seconds(age.ageMs);
  if (age.kind === 'live') return { kind: 'live', seconds: s < 3 ? 1 : s };
  return { kind: age.kind, seconds: s };
}

function isEmpty(state: State): boolean {
  return state.picture.receivedAt !== null && state.picture.facts.node.size === 0;
}

function openTab(state: State): ScreenId {
  return state.place.kind === 'node' ? state.place.from : state.place.screen;
}

/** `shownAt`: the clock as it was last written; it runs only when something else is written too. */
export function headerProps(
  state: State,
  theme: Theme,
  a: { readonly context: string; readonly shownAt: number },
): HeaderProps {
  const { begin, figures } = state.picture;
  const badges = { rollouts: rolloutBadges(state), alerts: alertBadges(state) };
  const empty = isEmpty(state);
  const props: HeaderProps = {
    context: begin?.context ?? a.context,
    open: openTab(state),
    badges,
    person: person(begin?.caller.actor ?? ''),
    role: roleShown(begin?.caller.role ?? 'admin'),
    age: ageProps(state),
    clock: clock(a.shownAt),
    health: health(state).map((h) => ({ verdict: h.verdict, n: h.n, word: h.status })),
    traffic: figures === null || empty ? null : figures,
    notice: noticeProps(notice(state), state, theme),
  };
  if (!empty || begin === null || isStale(state)) return props;
  return { ...props, aside: `master ${begin.advertise}   CA ${begin.caPin.slice(0, 8)}` };
}

export function header(
  state: State,
  ui: Ui,
  a: { readonly context: string; readonly shownAt: number },
): readonly Row[] {
  const rows = headerRows(headerProps(state, ui.theme, a), ui);
  if (state.picture.figures !== null || isEmpty(state)) return rows;
  // Nothing is known yet: no nodes is not what that means.
  return rows.map((r, y) => (y === 1 ? BLANK : r));
}

function roleShown(role: Role): HeaderProps['role'] {
  return role === 'viewer' ? 'read-only' : role;
}
