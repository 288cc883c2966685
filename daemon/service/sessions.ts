import type { CommandId, Millis, NodeName, Revision } from '../../proto/vocab/ids.ts';
import type { DrainView, Node, NodeStatus, Standing } from '../../proto/vocab/node.ts';
import {
  downAt,
  nodeStatus,
  type Presence,
  type PresenceTiming,
  stretchedHeartbeat,
} from '../core/node/status.ts';
import type { Snapshot } from './ports.ts';

export interface Session extends Presence {
  readonly connected: boolean;
  readonly lastSeen: Millis;
  readonly since: Millis;
  readonly remote: string;
  readonly health: 'ok' | 'engine_lost' | 'degraded';
}

type Known = { -readonly [K in keyof Session]: Session[K] } & {
  /** By how much its clock was ahead, as its last heartbeats said. */
  readonly clocks: number[];
  /** Readings in a row that are not what is known. */
  odd: number;
  drains: readonly DrainView[];
  /** It, as it was stored at that revision: nearly always nothing was since. */
  node: Node | undefined;
  revision: Revision;
};

/** A tick comes each second. */
const LATE_MS = 2500;
/** Heartbeats that a node's clock is judged by: one that was held up says nothing of its clock. */
const READINGS = 5;
const NONE: readonly DrainView[] = [];
const NEVER: Presence = { connected: false, lastSeen: null };

/** Who is here and when each was last heard of. In memory only: a heartbeat never touches the disk. */
export class Sessions {
  private readonly timing: PresenceTiming;
  /** Changed in place: each is heard of some hundred times an hour. */
  private readonly byName = new Map<NodeName, Known>();
  private listeningSince: Millis;
  private at: Millis;
  private readonly commands = new Map<CommandId, Map<NodeName, Millis>>();

  constructor(timing: PresenceTiming) {
    this.timing = timing;
    this.listeningSince = timing.masterStartedAt;
    this.at = timing.masterStartedAt;
  }

  /** Since it began, or since it last did not run for a while. */
  get listensSince(): Millis {
    return this.listeningSince;
  }

  /** @param fleet how many nodes there are: a large fleet is offered a longer interval */
  status(node: Node, now: Millis, fleet: number): NodeStatus {
    this.passes(now);
    return nodeStatus(node, this.heardOf(node.name, now), now, this.timingOf(fleet));
  }

  /** When it will be down if nothing more is heard of it. */
  downAt(node: Node, now: Millis, fleet: number): Millis {
    this.passes(now);
    return downAt(node, this.heardOf(node.name, now), now, this.timingOf(fleet));
  }

  private timingOf(fleet: number): PresenceTiming {
    const heartbeatMs = stretchedHeartbeat(this.timing.heartbeatMs, fleet);
    return { heartbeatMs, masterStartedAt: this.listeningSince };
  }

  private heardOf(name: NodeName, now: Millis): Presence {
    const p = this.presence(name);
    // Later than now: heard of by a clock that was wrong.
    const heard = p.lastSeen !== null && p.lastSeen >= this.listeningSince && p.lastSeen <= now + LATE_MS;
    return heard ? p : NEVER;
  }

  /**
   * Time passes. What is later than the next tick would be, or earlier than before, says that the master did not run
   * meanwhile (a stopped process, a suspended host) or that its clock was set: nobody was listened to, as after a start.
   * @returns by how much, in ms, or 0
   */
  passes(now: Millis): number {
    const step = now - this.at;
    this.at = now;
    if (Math.abs(step) <= LATE_MS) return 0;
    this.listeningSince = now;
    return step;
  }

  presence(name: NodeName): Presence {
    return this.byName.get(name) ?? NEVER;
  }

  get(name: NodeName): Session | undefined {
    return this.byName.get(name);
  }

  /** How far its clock is ahead of ours: the middle one of its last heartbeats; `null`: it has not said. */
  skew(name: NodeName): number | null {
    const sorted = [...(this.byName.get(name)?.clocks ?? [])].sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
  }

  began(name: NodeName, remote: string, now: Millis): void {
    const drains = this.drains(name);
    const fresh = { connected: true, lastSeen: now, since: now, remote, health: 'ok' } as const;
    this.byName.set(name, { ...fresh, clocks: [], odd: 0, drains, node: undefined, revision: -1 });
  }

  /** The node as it is stored, for what comes from it all the time. */
  nodeOf(name: NodeName, view: Snapshot): Node | undefined {
    const s = this.byName.get(name);
    if (!s) return view.get('node', name);
    if (s.revision !== view.revision) {
      s.node = view.get('node', name);
      s.revision = view.revision;
    }
    return s.node;
  }

  heard(name: NodeName, now: Millis): void {
    const s = this.byName.get(name);
    if (s) s.lastSeen = now;
  }

  /** A heartbeat. @param sentAt by its own clock: how far that is ahead, less the time it was under way */
  beat(name: NodeName, now: Millis, health: Session['health'], sentAt?: Millis): void {
    const s = this.byName.get(name);
    if (!s) return;
    s.lastSeen = now;
    s.health = health;
    if (sentAt === undefined) return;
    if (s.clocks.length >= READINGS) s.clocks.shift();
    s.clocks.push(sentAt - now);
  }

  ended(name: NodeName): void {
    const s = this.byName.get(name);
    if (!s) return;
    s.connected = false;
    s.drains = NONE;
  }

  stands(name: NodeName, standing: Standing): void {
    const s = this.byName.get(name);
    if (s) s.drains = standing.drains;
  }

  /** What it drains, as it said last; nothing is known of one that is not here. */
  drains(name: NodeName): readonly DrainView[] {
    return this.byName.get(name)?.drains ?? NONE;
  }

  /** It was removed. */
  forget(name: NodeName): void {
    this.byName.delete(name);
  }

  /** Counts readings in a row that are not what is known. */
  oddReading(name: NodeName, odd: boolean): number {
    const s = this.byName.get(name);
    if (!s) return 0;
    s.odd = odd ? s.odd + 1 : 0;
    return s.odd;
  }

  /** A node said that it has a command: its time to carry it out runs. */
  tookCommand(name: NodeName, id: CommandId, now: Millis): void {
    const taken = this.commands.get(id) ?? new Map<NodeName, Millis>();
    if (!taken.has(name)) taken.set(name, now);
    this.commands.set(id, taken);
  }

  /** When it did; where that is not known, since the master began, it has its whole time again. */
  commandTakenAt(name: NodeName, id: CommandId, createdAt: Millis): Millis {
    return this.commands.get(id)?.get(name) ?? Math.max(createdAt, this.timing.masterStartedAt);
  }

  forgetCommand(id: CommandId): void {
    this.commands.delete(id);
  }
}
