import type { AgentUp } from '../../proto/vocab/agent-link.ts';
import type { Millis } from '../../proto/vocab/ids.ts';

// What must reach the master, told again after every reconnect until a conversation has outlived it: the link has no
// receipts, all of it is idempotent there.

/** Statuses, results, events: what is said once and matters. */
export type Told = Extract<AgentUp, { kind: 'config_status' | 'command_status' | 'events' }>;

export interface Entry {
  /** The same key replaces: only the last word counts. */
  readonly key: string;
  readonly message: Told;
  readonly sentAt: Millis | null;
}

export interface Outbox {
  /** Of the message sent last. */
  readonly sequence: number;
  readonly entries: readonly Entry[];
}

export const EMPTY_OUTBOX: Outbox = { sequence: 0, entries: [] };

const MOST_ENTRIES = 1024;
/** A conversation that is still alive this long after a message has carried it. */
const SETTLED_MS = 30_000;

/** The oldest give way. */
export function put(o: Outbox, key: string, message: Told): Outbox {
  const others = o.entries.filter((e) => e.key !== key);
  return { ...o, entries: [...others, { key, message, sentAt: null }].slice(-MOST_ENTRIES) };
}

/** A new conversation: all is to be said again. The nonces of the old one mean nothing in it. */
export function reopened(o: Outbox): Outbox {
  return { ...o, entries: o.entries.map((e) => ({ ...e, sentAt: null, message: withoutNonce(e.message) })) };
}

function withoutNonce(m: Told): Told {
  return m.kind === 'config_status' ? { ...m, report: { ...m.report, nonce: '' } } : m;
}

export function unsent(o: Outbox): readonly Entry[] {
  return o.entries.filter((e) => e.sentAt === null);
}

export function sent(o: Outbox, key: string, now: Millis): Outbox {
  return { ...o, entries: o.entries.map((e) => (e.key === key ? { ...e, sentAt: now } : e)) };
}

/** Drops what the open conversation has outlived. */
export function settle(o: Outbox, now: Millis): { outbox: Outbox; settled: readonly string[] } {
  const done = o.entries.filter((e) => e.sentAt !== null && now - e.sentAt >= SETTLED_MS);
  if (done.length === 0) return { outbox: o, settled: [] };
  return {
    outbox: { ...o, entries: o.entries.filter((e) => !done.includes(e)) },
    settled: done.map((e) => e.key),
  };
}

/** One more message goes out. */
export function counted(o: Outbox): Outbox {
  return { ...o, sequence: o.sequence + 1 };
}
