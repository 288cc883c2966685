import type { AlertView } from '../../proto/vocab/alert.ts';
import type { Caller } from '../../proto/vocab/can.ts';
import type { Millis, NodeName, Revision } from '../../proto/vocab/ids.ts';
import type { NodeVitals } from '../../proto/vocab/node.ts';
import type { Entity, EntityKey, WatchBegin, WatchEvent } from '../../proto/vocab/watch.ts';
import { alertViews } from './alerts.ts';
import type { WatchService as Api, WatchSink } from './api.ts';
import type { NodesService } from './nodes.ts';
import type { AgentLink, Clock, Op, Random, Snapshot } from './ports.ts';
import { type Change, mergeChanges, Subscriber } from './watch-subscriber.ts';
import { authorise, type Published, type Writer } from './write.ts';

export interface WatchSettings {
  readonly storeId: string;
  readonly context: string;
  readonly masterVersion: string;
  readonly heartbeatIntervalMs: number;
  readonly advertise: () => string;
  readonly caPin: string;
  /** How often a node reports that nobody looks at, and one that somebody does. */
  readonly reportMs: number;
  readonly lookMs: number;
}

interface Needs {
  readonly writer: Writer;
  readonly nodes: NodesService;
  readonly link: AgentLink;
  readonly clock: Clock;
  readonly random: Random;
}

/** Changes kept for those who come back; an older revision gets a snapshot. */
const KEPT_CHANGES = 10_000;
const VITALS_A_MESSAGE = 500;
const MOST_LOOKED_AT = 500;

/** The console's stream: a snapshot, then every commit as a change, without a gap; figures once a second beside it. */
export class WatchService implements Api {
  private readonly settings: WatchSettings;
  private readonly needs: Needs;
  private readonly subscribers = new Map<string, Subscriber>();
  private readonly looking = new Map<string, readonly NodeName[]>();
  private looked = new Set<NodeName>();
  private readonly ring: Change[] = [];
  /**
   * As last published, to see of which something else holds it back now. Nothing was, when the master begins: those who come back to it
   * learn what time has done meanwhile with its first commit.
   */
  private heldBack = new Map<string, string>();
  private ticks = 0;

  constructor(settings: WatchSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
    needs.writer.onPublish((p) => this.publish(p));
  }

  subscribe(
    caller: Caller,
    args: { sinceRevision: Revision | null; storeId: string | null; client: string },
    sink: WatchSink,
  ): { watchId: string; drained(): void; close(): void } {
    authorise(caller, 'watch');
    const watchId = this.needs.random.hex(8);
    const view = this.needs.writer.view();
    const begin: WatchBegin = {
      ...this.settings,
      advertise: this.settings.advertise(),
      watchId,
      revision: view.revision,
      caller: { actor: caller.actor, role: caller.role },
    };
    const subscriber = new Subscriber(sink, {
      clock: this.needs.clock,
      anew: (s) => this.anew(s, begin),
      missed: (since) => this.since(since),
    });
    this.subscribers.set(watchId, subscriber);
    const missed = this.missed(args, view.revision);
    if (missed) subscriber.resume({ kind: 'resumed', ...begin }, missed, args.sinceRevision ?? 0);
    else {
      if (args.sinceRevision !== null) subscriber.tell(this.compacted());
      subscriber.snapshot({ kind: 'begin', ...begin }, this.entities(view), view.revision);
    }
    for (const v of this.vitals(this.needs.clock.now())) subscriber.tell(v);
    return {
      watchId,
      drained: () => subscriber.drained(),
      close: () => {
        subscriber.close();
        this.subscribers.delete(watchId);
        this.look(watchId, []);
      },
    };
  }

  look(watchId: string, nodes: readonly NodeName[]): void {
    if (nodes.length > 0 && this.subscribers.has(watchId)) {
      this.looking.set(watchId, nodes.slice(0, MOST_LOOKED_AT));
    } else this.looking.delete(watchId);
    const now = new Set<NodeName>([...this.looking.values()].flat());
    const { link } = this.needs;
    for (const n of now) if (!this.looked.has(n)) link.setReportInterval(n, this.settings.lookMs);
    for (const n of this.looked) if (!now.has(n)) link.setReportInterval(n, this.settings.reportMs);
    this.looked = now;
  }

  /** A node that (re)connects is told again how often to report. */
  greeted(name: NodeName): void {
    if (this.looked.has(name)) this.needs.link.setReportInterval(name, this.settings.lookMs);
  }

  /** Once a second: what time alone decides, and the figures. Never journalled, under no revision. */
  tick(now: Millis): void {
    this.ticks += 1;
    if (this.subscribers.size === 0) return;
    const vitals = this.vitals(now);
    for (const [id, s] of this.subscribers) {
      if (s.expired(now)) {
        s.end('too slow: this console did not read for half a minute');
        this.subscribers.delete(id);
        this.look(id, []);
      } else for (const v of vitals) s.figures(v);
    }
  }

  endAll(reason: string): void {
    for (const s of this.subscribers.values()) s.end(reason);
    this.subscribers.clear();
    this.looking.clear();
  }

  private compacted(): WatchEvent {
    return { kind: 'compacted', oldest: this.ring[0]?.revision ?? this.needs.writer.view().revision };
  }

  /** Too much for one message: the whole state is read anew, in parts. */
  private anew(s: Subscriber, begin: WatchBegin): void {
    const view = this.needs.writer.view();
    s.tell(this.compacted());
    s.snapshot({ kind: 'begin', ...begin, revision: view.revision }, this.entities(view), view.revision);
  }

  private publish({ commit, view }: Published): void {
    const put: Entity[] = [];
    const deleted: EntityKey[] = [];
    for (const op of commit.ops) {
      if (op.op === 'del') {
        if (isShown(op.kind)) deleted.push({ kind: op.kind, key: op.key });
      } else if (op.kind !== 'alert') {
        const e = entityOf(op);
        if (e) put.push(e);
      }
    }
    put.push(...this.changedAlerts(commit.ops, view));
    const change: Change = { revision: commit.rev, put, deleted, conflated: false };
    this.ring.push(change);
    if (this.ring.length > KEPT_CHANGES) this.ring.splice(0, this.ring.length - KEPT_CHANGES);
    for (const s of this.subscribers.values()) s.change(change);
  }

  /** Alerts put by this commit, and those that something else holds back now, by this commit or by time. */
  private changedAlerts(ops: readonly Op[], view: Snapshot): Entity[] {
    const touched = new Set(ops.filter((o) => o.kind === 'alert').map((o) => o.key));
    const views = this.views(view);
    const heldBack = heldBackOf(views);
    const out: Entity[] = [];
    for (const a of views) {
      if (touched.has(a.fingerprint) || heldBack.get(a.fingerprint) !== this.heldBack.get(a.fingerprint)) {
        out.push({ kind: 'alert', key: a.fingerprint, value: a });
      }
    }
    this.heldBack = heldBack;
    return out;
  }

  private views(view: Snapshot): readonly AlertView[] {
    return alertViews(view.list('alert'), view.list('silence'), this.needs.clock.now());
  }

  /** The changes behind `sinceRevision`, or `null` when they are not all there: another store, or too long ago. */
  private missed(
    args: { sinceRevision: Revision | null; storeId: string | null },
    revision: Revision,
  ): Change | null {
    const { sinceRevision: since } = args;
    if (since === null || args.storeId !== this.settings.storeId || since > revision) return null;
    return this.since(since);
  }

  /** What is kept of the changes behind this revision, as one; `null` when it is not all there. */
  private since(since: Revision): Change | null {
    const first = this.ring[0]?.revision ?? since + 1;
    if (since < first - 1) return null;
    return mergeChanges(
      since,
      this.ring.filter((c) => c.revision > since),
    );
  }

  private *entities(view: Snapshot): Generator<Entity> {
    for (const n of view.list('node')) yield { kind: 'node', key: n.name, value: n };
    for (const v of view.list('version')) yield { kind: 'version', key: v.label, value: v };
    for (const s of view.list('silence')) yield { kind: 'silence', key: s.id, value: s };
    for (const a of this.views(view)) yield { kind: 'alert', key: a.fingerprint, value: a };
    for (const r of view.list('rollout').slice(-200)) yield { kind: 'rollout', key: r.id, value: r };
    for (const c of view.list('command').slice(-200)) yield { kind: 'command', key: c.id, value: c };
    for (const e of view.list('event').slice(-200)) yield { kind: 'event', key: e.id, value: e };
  }

  private vitals(now: Millis): WatchEvent[] {
    const { nodes, writer } = this.needs;
    const fleet = nodes.fleet(now);
    const regions = nodes.regions(now);
    const all: NodeVitals[] = writer
      .view()
      .list('node')
      .map((n) => nodes.vitals(n, now));
    const out: WatchEvent[] = [];
    for (let i = 0; i === 0 || i < all.length; i += VITALS_A_MESSAGE) {
      out.push({
        kind: 'vitals',
        tick: this.ticks,
        at: now,
        nodes: all.slice(i, i + VITALS_A_MESSAGE),
        fleet,
        regions: i === 0 ? regions : [],
      });
    }
    return out;
  }
}

const SHOWN = ['node', 'version', 'alert', 'silence', 'command', 'rollout', 'event'] as const;
type Shown = (typeof SHOWN)[number];

function isShown(kind: Op['kind']): kind is Shown {
  return (SHOWN as readonly string[]).includes(kind);
}

function entityOf(op: Extract<Op, { op: 'put' }>): Entity | null {
  switch (op.kind) {
    case 'node':
    case 'version':
    case 'silence':
    case 'command':
    case 'rollout':
    case 'event':
      return { kind: op.kind, key: op.key, value: op.value } as Entity;
    default:
      return null;
  }
}

function heldBackOf(views: readonly AlertView[]): Map<string, string> {
  return new Map(views.map((a) => [a.fingerprint, [...a.silencedBy, ...a.inhibitedBy].join(',')]));
}
