import type { Fingerprint, Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { BUFFERING, buffering, type Flow } from '../core/alert/buffering.ts';
import { type AlertDraft, type Condition, evaluate, fingerprint } from '../core/alert/machine.ts';
import { alertLabels } from '../core/alert/node-down.ts';
import type { MetricsRings, Place, Snapshot } from './ports.ts';

/** What a rule makes of one of its subjects: an alert to store, or one to forget. */
export interface Verdict {
  readonly key: Fingerprint;
  readonly subject: string;
  readonly next: AlertDraft | 'gone';
}

/** A rule of the alerts. `look` comes once a tick; `verdicts` may be asked more than once and only reads. */
export interface AlertRule {
  look(view: Snapshot, now: Millis): void;
  verdicts(view: Snapshot, now: Millis): Iterable<Verdict>;
}

const MINUTE = 60_000;
const TEN_MINUTES = 10 * MINUTE;
const NOW_MS = 5 * MINUTE;
/** What was before is read until so long ago, and not more often than that. */
const BEFORE_MS = 60 * MINUTE;
/** Nodes looked at in a second: of a small fleet each every ten seconds, of 10,000 each within two minutes. */
const MOST_A_LOOK = 100;
const LOOKS = 10;

interface Known {
  readonly key: Fingerprint;
  readonly labels: Readonly<Record<string, string>>;
  condition: Condition;
  /** When there was enough to say something. */
  saidAt: Millis;
  before: Flow | null;
  beforeAt: Millis;
}

/** Answers that are held back by something on their way: each node beside its own last hour, or that of its like. */
export class BufferingRule implements AlertRule {
  private readonly words: { readonly name: string; readonly severity: 'warning'; readonly forMs: number };
  private readonly rings: MetricsRings;
  private readonly known = new Map<NodeName, Known>();
  private readonly holding = new Set<NodeName>();
  private readonly places = new Map<string, { readonly at: Millis; readonly flow: Flow | null }>();
  private next = 0;

  constructor(settings: { readonly forMs: number }, needs: { readonly rings: MetricsRings }) {
    this.words = { name: BUFFERING, severity: 'warning', forMs: settings.forMs };
    this.rings = needs.rings;
  }

  look(view: Snapshot, now: Millis): void {
    const nodes = view.list('node');
    if (this.known.size > nodes.length) {
      const here = new Set(nodes.map((n) => n.name));
      for (const name of this.known.keys()) if (!here.has(name)) this.forget(name);
    }
    const many = Math.min(nodes.length, MOST_A_LOOK, Math.ceil(nodes.length / LOOKS));
    for (let i = 0; i < many; i++) {
      const node = nodes[(this.next + i) % nodes.length];
      if (node) this.lookAt(node, now);
    }
    this.next = nodes.length === 0 ? 0 : (this.next + many) % nodes.length;
  }

  *verdicts(view: Snapshot, now: Millis): Generator<Verdict> {
    // Of ten thousand next to none: those that it holds for, and those that there is an alert of.
    const subjects = new Set<string>(this.holding);
    for (const a of view.list('alert')) if (a.rule === BUFFERING) subjects.add(a.labels['node'] ?? '');
    for (const subject of subjects) {
      const known = this.known.get(subject as NodeName);
      if (!known) continue;
      const { key, labels, condition } = known;
      const old = view.get('alert', key) ?? null;
      const next = evaluate(this.words, labels, condition, old, now);
      if (next !== null) yield { key, subject, next };
    }
  }

  private lookAt(node: Node, now: Millis): void {
    const k = this.knownOf(node, now);
    // What it was compared with stays while it holds: else it would be the usual after an hour.
    const holds = k.condition !== 'unknown' && k.condition.holds;
    if (!holds && (k.before === null || now - k.beforeAt >= TEN_MINUTES || now < k.beforeAt)) {
      k.before = this.rings.window(node.name, now - BEFORE_MS, now - TEN_MINUTES);
      k.beforeAt = now;
    }
    const is = this.rings.window(node.name, now - NOW_MS, now);
    const own = buffering(node.nodeType, is, k.before);
    const found = own === 'unknown' ? buffering(node.nodeType, is, this.ofItsLike(node, now)) : own;
    if (found !== 'unknown') k.saidAt = now;
    // Nobody asks any more: nothing is held back either.
    k.condition = found === 'unknown' && now - k.saidAt >= TEN_MINUTES ? { holds: false } : found;
    if (k.condition !== 'unknown' && k.condition.holds) this.holding.add(node.name);
    else this.holding.delete(node.name);
  }

  private forget(name: NodeName): void {
    this.known.delete(name);
    this.holding.delete(name);
  }

  private knownOf(node: Node, now: Millis): Known {
    const labels = alertLabels(BUFFERING, node);
    const known = this.known.get(node.name);
    // One that is joined anew may stand elsewhere.
    if (known && known.labels['region'] === node.region && known.labels['type'] === node.nodeType)
      return known;
    const nothing = { condition: 'unknown', saidAt: now, before: null, beforeAt: 0 } as const;
    const made: Known = { key: fingerprint(labels), labels, ...nothing };
    this.forget(node.name);
    this.known.set(node.name, made);
    return made;
  }

  /** The last hour of its region's nodes of its type. */
  private ofItsLike({ region, nodeType }: Place, now: Millis): Flow | null {
    const key = `${region} ${nodeType}`;
    const known = this.places.get(key);
    if (known && now >= known.at && now - known.at < TEN_MINUTES) return known.flow;
    const end = Math.floor((now - TEN_MINUTES) / TEN_MINUTES) * TEN_MINUTES;
    const start = end - 5 * TEN_MINUTES;
    const args = { service: null, start, end, stepMs: end - start, now };
    const flow = this.rings.rangeOf({ region, nodeType }, args)[0]?.buckets ?? null;
    this.places.set(key, { at: now, flow });
    return flow;
  }
}
