import { createHash } from 'node:crypto';
import type { Alert } from '../../../proto/vocab/alert.ts';
import type { Fingerprint, Millis } from '../../../proto/vocab/ids.ts';

/** An alert before its revision is known. */
export type AlertDraft = Alert extends infer A ? (A extends Alert ? Omit<A, 'modRevision'> : never) : never;

/** What a rule finds. `unknown` starts nothing and ends nothing. */
export type Condition =
  | { readonly holds: true; readonly value: string }
  | { readonly holds: false }
  | 'unknown';

export interface RuleWords {
  readonly name: string;
  readonly severity: Alert['severity'];
  /** How long it holds before it fires. */
  readonly forMs: Millis;
}

/** sha256 of the sorted labels, 16 hex digits [Alertmanager]. */
export function fingerprint(labels: Readonly<Record<string, string>>): Fingerprint {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16) as Fingerprint;
}

/**
 * One evaluation of a rule for one set of labels.
 * @param alert as stored; `null` when inactive
 * @returns the alert to store, `'gone'` when a pending one must be forgotten, `null` for no change
 */
export function evaluate(
  rule: RuleWords,
  labels: Readonly<Record<string, string>>,
  condition: Condition,
  alert: AlertDraft | null,
  now: Millis,
): AlertDraft | 'gone' | null {
  if (condition === 'unknown') return null;
  if (alert === null || alert.state === 'resolved') {
    // inactive | resolved -> pending
    if (!condition.holds) return null;
    return {
      state: 'pending',
      fingerprint: fingerprint(labels),
      rule: rule.name,
      severity: rule.severity,
      labels,
      value: condition.value,
      pendingAt: now,
    };
  }
  if (alert.state === 'pending') {
    // pending -> inactive
    if (!condition.holds) return 'gone';
    // pending -> firing
    return now - alert.pendingAt >= rule.forMs ? { ...alert, state: 'firing', firingAt: now } : null;
  }
  // firing -> resolved
  return condition.holds ? null : { ...alert, state: 'resolved', resolvedAt: now };
}
