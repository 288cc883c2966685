import type { Millis } from '../../proto/vocab/ids.ts';
import type { Draft, Snapshot } from './ports.ts';
import { targetKey } from './published.ts';
import type { Writer } from './write.ts';

const DAY_MS = 86_400_000;

/** What is kept for how long; the newest `most` whatever their age. */
const KEEP = {
  event: { ms: 30 * DAY_MS, most: 10_000 },
  command: { ms: 7 * DAY_MS, most: 5000 },
  token: { ms: 7 * DAY_MS, most: 10_000 },
  request: { ms: DAY_MS, most: 10_000 },
  alert: { ms: DAY_MS / 2, most: 10_000 },
  silence: { ms: 30 * DAY_MS, most: 10_000 },
  removed: { ms: 0, most: 100_000 },
  session: { ms: 0, most: 10_000 },
  denied: { ms: 0, most: 100_000 },
  apikey: { ms: 30 * DAY_MS, most: 10_000 },
  rollout: { ms: 90 * DAY_MS, most: 500 },
  target: { ms: 30 * DAY_MS, most: 50_000 },
} as const;

/** Deletions a commit: a long journal line would hold up the writes behind it. */
const A_COMMIT = 500;

/** Forgets what is past its time, in bounded commits. */
export function prune(writer: Writer): Promise<unknown> {
  return writer.write('master', 'tick', (view, now) => {
    const ops = expired(view, now).slice(0, A_COMMIT);
    return ops.length === 0 ? null : { ops, events: [], result: null };
  });
}

export function expired(view: Snapshot, now: Millis): Draft[] {
  const out: Draft[] = [];
  const sweep = <T>(
    kind: keyof typeof KEEP,
    list: readonly T[],
    key: (t: T) => string,
    /** When it was over; `null` while it is not. */
    over: (t: T) => Millis | null,
  ): void => {
    const { ms, most } = KEEP[kind];
    let surplus = list.length - most;
    for (const t of list) {
      const at = over(t);
      if (at === null) continue;
      if (now - at > ms || surplus > 0) {
        out.push({ op: 'del', kind, key: key(t) });
        surplus -= 1;
      }
    }
  };
  sweep(
    'event',
    view.list('event'),
    (e) => e.id,
    (e) => e.at,
  );
  sweep(
    'command',
    view.list('command'),
    (c) => c.id,
    (c) => c.endedAt,
  );
  sweep(
    'token',
    view.list('token'),
    (t) => t.id,
    (t) => t.usedAt ?? t.revokedAt ?? (now >= t.expiresAt ? t.expiresAt : null),
  );
  sweep(
    'request',
    view.list('request'),
    (r) => r.id,
    (r) => r.at,
  );
  sweep(
    'alert',
    view.list('alert'),
    (a) => a.fingerprint,
    (a) => (a.state === 'resolved' ? a.resolvedAt : null),
  );
  sweep(
    'silence',
    view.list('silence'),
    (s) => s.id,
    (s) => (now >= s.endsAt ? s.endsAt : null),
  );
  sweep(
    'removed',
    view.list('removed'),
    (r) => r.name,
    (r) => (now >= r.until ? r.until : null),
  );
  sweep(
    'session',
    view.list('session'),
    (s) => s.id,
    (s) => (now > s.expiresAt ? s.expiresAt : null),
  );
  sweep(
    'denied',
    view.list('denied'),
    (d) => d.id,
    (d) => (now > d.until ? d.until : null),
  );
  // One that is over stays to be seen for a while.
  sweep(
    'apikey',
    view.list('apikey'),
    (k) => k.id,
    (k) => k.revokedAt ?? (now > k.expiresAt ? k.expiresAt : null),
  );
  sweep(
    'rollout',
    view.list('rollout'),
    (r) => r.id,
    (r) => r.endedAt,
  );
  // One a node of every publication: the newest are looked at.
  sweep(
    'target',
    view.list('target'),
    (t) => targetKey(t.rollout, t.node),
    (t) => {
      const rollout = view.get('rollout', t.rollout);
      return rollout ? rollout.endedAt : 0;
    },
  );
  return out;
}
