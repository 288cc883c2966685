import type { Alert, AlertView } from '../../proto/vocab/alert.ts';
import type { Fingerprint, Millis, SilenceId } from '../../proto/vocab/ids.ts';
import { compileMatcher } from '../../proto/vocab/matcher.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { type Silence, silenceState } from '../../proto/vocab/silence.ts';
import {
  type AlertDraft,
  alertLabels,
  evaluateNodeDown,
  fingerprint,
  NODE_DOWN,
} from '../core/alert/node-down.ts';
import type { AlertsService as Api } from './api.ts';
import type { Clock, Draft, Snapshot } from './ports.ts';
import type { Sessions } from './sessions.ts';
import type { EventDraft, Writer } from './write.ts';

export interface AlertSettings {
  readonly nodeDownForMs: number;
}

interface Needs {
  readonly writer: Writer;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

export class AlertsService implements Api {
  private readonly settings: AlertSettings;
  private readonly needs: Needs;
  private readonly keys = new Map<string, Fingerprint>();

  constructor(settings: AlertSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
  }

  list(): readonly AlertView[] {
    const view = this.needs.writer.view();
    return alertViews(view.list('alert'), view.list('silence'), this.needs.clock.now());
  }

  /** One evaluation of every rule over every node. Writes only what changed. */
  evaluate(): Promise<unknown> {
    const { clock, writer } = this.needs;
    // Looked at outside the queue first: nearly every tick has nothing to write.
    if (this.changes(writer.view(), clock.now()).ops.length === 0) return Promise.resolve(null);
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
    const { sessions } = this.needs;
    const rule = { forMs: this.settings.nodeDownForMs };
    const nodes = view.list('node');
    const alerted = alertedNodes(view.list('alert'));
    for (const node of nodes) {
      // One that was revoked is to be away.
      if (node.identity !== 'accepted') continue;
      const status = sessions.status(node, now, nodes.length);
      // Nearly all of them, each second: nothing is wrong with it and nothing was.
      if (status !== 'down' && !alerted.has(node.name)) continue;
      const { lastSeen } = sessions.presence(node.name);
      const key = this.keyOf(node);
      const old = view.get('alert', key) ?? null;
      const next = evaluateNodeDown(rule, node, { status, lastSeen }, old, now);
      if (next === null) continue;
      if (next === 'gone') ops.push({ op: 'del', kind: 'alert', key });
      else {
        ops.push({ op: 'put', kind: 'alert', key, value: next });
        events.push(eventOf(next, node.name));
      }
    }
    return { ops, events };
  }
}

/** By the list itself: it is the same while no alert has changed. */
const alertedBy = new WeakMap<readonly Alert[], ReadonlySet<string>>();

function alertedNodes(alerts: readonly Alert[]): ReadonlySet<string> {
  const known = alertedBy.get(alerts) ?? new Set(alerts.map((a) => a.labels['node'] ?? ''));
  alertedBy.set(alerts, known);
  return known;
}

/** With the silences active on each now. */
export function alertViews(
  alerts: readonly Alert[],
  silences: readonly Silence[],
  now: Millis,
): readonly AlertView[] {
  const active = silences
    .filter((s) => silenceState(s, now) === 'active')
    .map((s) => ({ id: s.id, matches: s.matchers.map(compileMatcher) }));
  return alerts.map((a) => {
    const silencedBy: SilenceId[] = active
      .filter((s) => s.matches.every((m) => m(a.labels)))
      .map((s) => s.id);
    return { ...a, silencedBy };
  });
}

function eventOf(a: AlertDraft, node: string): EventDraft {
  const level = a.state === 'firing' ? 'error' : a.state === 'pending' ? 'warn' : 'info';
  return {
    kind: 'alert',
    who: 'master',
    subject: node,
    level,
    text: `${a.rule} ${node} ${a.state}, ${a.value}`,
  };
}
