import type { Alert, AlertView } from '../../proto/vocab/alert.ts';
import type { Fingerprint, Millis, SilenceId } from '../../proto/vocab/ids.ts';
import { compileMatcher } from '../../proto/vocab/matcher.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { type Silence, silenceState } from '../../proto/vocab/silence.ts';
import { inhibitors } from '../core/alert/inhibit.ts';
import type { SeenNode } from '../core/alert/lost.ts';
import {
  type AlertDraft,
  alertLabels,
  evaluateNodeDown,
  fingerprint,
  NODE_DOWN,
} from '../core/alert/node-down.ts';
import type { AlertsService as Api } from './api.ts';
import type { AlertRule } from './buffering.ts';
import { Lookout } from './lookout.ts';
import type { Clock, Draft, Snapshot } from './ports.ts';
import type { Sessions } from './sessions.ts';
import { subjectOf, type WhoIsDown } from './who-is-down.ts';
import type { EventDraft, Writer } from './write.ts';

export interface AlertSettings {
  readonly nodeDownForMs: number;
}

interface Needs {
  readonly writer: Writer;
  readonly sessions: Sessions;
  readonly whoIsDown: WhoIsDown;
  /** Beside NodeDown, which knows who is here. */
  readonly rules: readonly AlertRule[];
  readonly clock: Clock;
}

export class AlertsService implements Api {
  private readonly settings: AlertSettings;
  private readonly needs: Needs;
  private readonly lookout: Lookout;
  private readonly keys = new Map<string, Fingerprint>();

  constructor(settings: AlertSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
    this.lookout = new Lookout(needs.sessions);
  }

  list(): readonly AlertView[] {
    const view = this.needs.writer.view();
    return alertViews(view.list('alert'), view.list('silence'), this.needs.clock.now());
  }

  /** One evaluation of every rule over every node. Writes only what changed. */
  evaluate(): Promise<unknown> {
    const { clock, writer, whoIsDown, rules } = this.needs;
    for (const rule of rules) rule.look(writer.view(), clock.now());
    // Looked at outside the queue first: nearly every tick has nothing to write.
    const changes = this.changes(writer.view(), clock.now()).ops.length;
    whoIsDown.look(writer.view(), clock.now());
    if (changes === 0) return Promise.resolve(null);
    return writer.write('master', 'tick', (view, now) => {
      const { ops, events } = this.changes(view, now);
      return ops.length === 0 ? null : { ops, events, result: null };
    });
  }

  /** Labels of an alert never change with its node, so neither does its key; one that is joined anew may be another. */
  private keyOf(node: Node): Fingerprint {
    const id = `${node.name} ${node.region} ${node.nodeType}`;
    const known = this.keys.get(id) ?? fingerprint(alertLabels(NODE_DOWN, node));
    this.keys.set(id, known);
    return known;
  }

  private changes(view: Snapshot, now: Millis): { ops: Draft[]; events: EventDraft[] } {
    const ops: Draft[] = [];
    const events: EventDraft[] = [];
    const { sessions, whoIsDown } = this.needs;
    const rule = { forMs: this.settings.nodeDownForMs };
    const alerted = alertedNodes(view.list('alert'));
    const { calm, doubtful } = this.lookout.look(view, alerted, now);
    const away: SeenNode[] = [];
    const fleet = view.count('node');
    for (const node of doubtful) {
      const status = sessions.status(node, now, fleet);
      const { lastSeen } = sessions.presence(node.name);
      const key = this.keyOf(node);
      const old = view.get('alert', key) ?? null;
      const next = evaluateNodeDown(rule, node, { status, lastSeen }, old, now);
      const is = next === 'gone' ? null : (next ?? old);
      const downSince = is === null || is.state === 'resolved' ? null : is.pendingAt;
      // One that was never ready cannot be lost.
      if (node.initialized) away.push({ name: node.name, region: node.region, status, downSince });
      if (next === null) continue;
      if (next === 'gone') ops.push({ op: 'del', kind: 'alert', key });
      else {
        ops.push({ op: 'put', kind: 'alert', key, value: next });
        events.push(eventOf(next));
      }
    }
    const seen = away.length === 0 ? calm : [...calm, ...away];
    for (const next of whoIsDown.evaluate(seen, view, now)) {
      ops.push({ op: 'put', kind: 'alert', key: next.fingerprint, value: next });
      // Figures in its words are no event.
      if (next.state !== view.get('alert', next.fingerprint)?.state) events.push(eventOf(next));
    }
    for (const measured of this.needs.rules) {
      for (const { key, next } of measured.verdicts(view, now)) {
        if (next === 'gone') ops.push({ op: 'del', kind: 'alert', key });
        else {
          ops.push({ op: 'put', kind: 'alert', key, value: next });
          events.push(eventOf(next));
        }
      }
    }
    return { ops, events };
  }
}

/** By the list itself: it is the same while no alert has changed. */
const alertedBy = new WeakMap<readonly Alert[], ReadonlySet<string>>();

function alertedNodes(alerts: readonly Alert[]): ReadonlySet<string> {
  // What was resolved begins anew, when its node is down again.
  const open = (): string[] =>
    alerts.filter((a) => a.state !== 'resolved').map((a) => a.labels['node'] ?? '');
  const known = alertedBy.get(alerts) ?? new Set(open());
  alertedBy.set(alerts, known);
  return known;
}

/** With the silences active on each now, and the alerts that say it already. */
export function alertViews(
  alerts: readonly Alert[],
  silences: readonly Silence[],
  now: Millis,
): readonly AlertView[] {
  const active = silences
    .filter((s) => silenceState(s, now) === 'active')
    .map((s) => ({ id: s.id, matches: s.matchers.map(compileMatcher) }));
  const inhibitedBy = inhibitors(alerts, now);
  return alerts.map((a) => {
    const silencedBy: SilenceId[] = active
      .filter((s) => s.matches.every((m) => m(a.labels)))
      .map((s) => s.id);
    return { ...a, silencedBy, inhibitedBy: inhibitedBy(a) };
  });
}

function eventOf(a: AlertDraft): EventDraft {
  const subject = subjectOf(a);
  const level = a.state === 'firing' ? 'error' : a.state === 'pending' ? 'warn' : 'info';
  return {
    kind: 'alert',
    who: 'master',
    subject,
    level,
    text: `${a.rule} ${subject} ${a.state}, ${a.value}`,
  };
}
