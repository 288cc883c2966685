import type { Millis } from '../../proto/vocab/ids.ts';

// Commit confirmed [Junos]: a config that cuts the way to the master heals itself. Kept on disk, so that an agent that
// is killed in between still puts back what ran before.

export type Commit =
  | { readonly kind: 'none' }
  | { readonly kind: 'waiting'; readonly id: string; readonly deadline: Millis };

// none | waiting -> waiting
export function arm(
  commit: { readonly id: string; readonly rollbackMs: number } | null,
  switchedAt: Millis,
): Commit {
  return commit
    ? { kind: 'waiting', id: commit.id, deadline: switchedAt + commit.rollbackMs }
    : { kind: 'none' };
}

// waiting -> none, by the master's word on this very commit
export function confirmed(c: Commit, id: string): Commit {
  return c.kind === 'waiting' && c.id === id ? { kind: 'none' } : c;
}

// waiting -> waiting, due at once: the master takes it back
export function cancelled(c: Commit, id: string, now: Millis): Commit {
  return c.kind === 'waiting' && c.id === id ? { ...c, deadline: now } : c;
}

/** waiting -> none. A conversation that began after the switch shows the same: the master can be reached. */
export function reached(_: Commit): Commit {
  return { kind: 'none' };
}

export function isDue(c: Commit, now: Millis): boolean {
  return c.kind === 'waiting' && now >= c.deadline;
}
