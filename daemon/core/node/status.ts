import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Node, NodeStatus } from '../../../proto/vocab/node.ts';

/** What the registry knows of a node's presence, in memory only. `lastSeen` null: not heard of since the master began. */
export interface Presence {
  readonly connected: boolean;
  readonly lastSeen: Millis | null;
}

export interface PresenceTiming {
  readonly heartbeatMs: number;
  readonly masterStartedAt: Millis;
}

/** Heartbeats a node may miss, and the grace behind them, in intervals: 40 s at the default of 10 s. */
const MISSED = 3;
const GRACE = 1;
/** Agents that lost their master dial again up to 10 s apart: none is down before it had its turn. */
const BACK_WITHIN_MS = 15_000;
/** Heartbeats a second that a master takes. */
const MOST_HEARTBEATS = 500;

/** The interval large fleets are offered: stretched so that all of them together stay within 500 a second. */
export function stretchedHeartbeat(heartbeatMs: number, nodes: number): number {
  return Math.max(heartbeatMs, Math.ceil((nodes * 1000) / MOST_HEARTBEATS));
}

/** How long a silent node is given before it is `down`. */
export function downAfterMs(heartbeatMs: number): number {
  return (MISSED + GRACE) * heartbeatMs;
}

/**
 * The status axis: decided by time alone, never stored. A master that has just begun has heard of nobody, so nobody is
 * down before it had the time to come back: `unknown` for as long.
 */
export function nodeStatus(
  node: Pick<Node, 'initialized' | 'joinedAt'>,
  presence: Presence,
  now: Millis,
  timing: PresenceTiming,
): NodeStatus {
  const lastSeen = heardOf(node, presence, now, timing);
  if (now >= downAt(node, presence, now, timing)) return 'down';
  if (lastSeen === null) return 'unknown';
  const silentMs = now - lastSeen;
  // One late heartbeat is jitter; two are a disconnect, whatever TCP still believes.
  if (!presence.connected || silentMs >= 2 * timing.heartbeatMs) return 'disconnected';
  return node.initialized ? 'ready' : 'initializing';
}

/** When it will be `down` if nothing more is heard of it. */
export function downAt(
  node: Pick<Node, 'joinedAt'>,
  presence: Presence,
  now: Millis,
  timing: PresenceTiming,
): Millis {
  const within = downAfterMs(timing.heartbeatMs);
  const lastSeen = heardOf(node, presence, now, timing);
  return lastSeen === null ? timing.masterStartedAt + Math.max(within, BACK_WITHIN_MS) : lastSeen + within;
}

function heardOf(
  node: Pick<Node, 'joinedAt'>,
  presence: Presence,
  now: Millis,
  timing: PresenceTiming,
): Millis | null {
  if (presence.lastSeen !== null) return presence.lastSeen;
  // Joining is being heard of.
  return node.joinedAt >= timing.masterStartedAt && node.joinedAt <= now ? node.joinedAt : null;
}
