import type { Millis } from '../../proto/vocab/ids.ts';

/** How it stands with the master. Times are our clock's. */
export type Connection =
  | {
      readonly kind: 'connecting';
      readonly attempt: number;
      /** When we last had it, or began to try. */
      readonly lostAt: Millis;
      readonly reason: string | null;
    }
  | { readonly kind: 'live'; readonly since: Millis; readonly back: Back | null }
  | {
      readonly kind: 'waiting';
      readonly attempt: number;
      readonly lostAt: Millis;
      readonly reason: string;
      readonly retryAt: Millis;
    };

/** After a break: how long, and what was missed. `whole`: too old to resume, everything was read again. */
export interface Back {
  readonly afterMs: number;
  readonly whole: boolean;
  readonly until: Millis;
}

/** What the client says of the link. */
export type LinkEvent =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | {
      readonly kind: 'waiting';
      readonly attempt: number;
      readonly reason: string;
      readonly retryAt: Millis;
    };

const BACK_MS = 10_000;

export function startConnection(now: Millis): Connection {
  return { kind: 'connecting', attempt: 1, lostAt: now, reason: null };
}

function lostAt(c: Connection, now: Millis): Millis {
  return c.kind === 'live' ? now : c.lostAt;
}

/** live | waiting -> connecting | waiting */
export function linkChanged(c: Connection, event: LinkEvent, now: Millis): Connection {
  if (event.kind === 'waiting') {
    return {
      kind: 'waiting',
      attempt: event.attempt,
      lostAt: lostAt(c, now),
      reason: event.reason,
      retryAt: event.retryAt,
    };
  }
  const reason = c.kind === 'live' ? null : c.reason;
  return { kind: 'connecting', attempt: event.attempt, lostAt: lostAt(c, now), reason };
}

/** connecting | waiting -> live, once the data is whole again. `had`: something was on screen before. */
export function cameBack(c: Connection, a: { whole: boolean; had: boolean }, now: Millis): Connection {
  if (c.kind === 'live') return c;
  const back = a.had ? { afterMs: now - c.lostAt, whole: a.whole, until: now + BACK_MS } : null;
  return { kind: 'live', since: now, back };
}
