import { createHash } from 'node:crypto';
import type { Alert } from '../../../proto/vocab/alert.ts';
import type { Fingerprint, Millis } from '../../../proto/vocab/ids.ts';
import type { Node, NodeStatus } from '../../../proto/vocab/node.ts';

/** An alert before its revision is known. */
export type AlertDraft = Alert extends infer A ? (A extends Alert ? Omit<A, 'modRevision'> : never) : never;

export const NODE_DOWN = 'NodeDown';

type Subject = Pick<Node, 'name' | 'region' | 'nodeType'>;

/** What is fixed for a node's life, so that an alert keeps its fingerprint. */
export function alertLabels(rule: string, node: Subject): Record<string, string> {
  return { alertname: rule, node: node.name, region: node.region, type: node.nodeType };
}

/** sha256 of the sorted labels, 16 hex digits [Alertmanager]. */
export function fingerprint(labels: Readonly<Record<string, string>>): Fingerprint {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16) as Fingerprint;
}

/**
 * One evaluation of NodeDown for one node.
 * @param alert its alert as stored; `null` when inactive
 * @returns the alert to store, `'gone'` when a pending one must be forgotten, `null` for no change
 */
export function evaluateNodeDown(
  rule: { readonly forMs: number },
  node: Subject,
  seen: { readonly status: NodeStatus; readonly lastSeen: Millis | null },
  alert: AlertDraft | null,
  now: Millis,
): AlertDraft | 'gone' | null {
  const down = seen.status === 'down';
  if (alert === null || alert.state === 'resolved') {
    // inactive | resolved -> pending
    if (!down) return null;
    const labels = alertLabels(NODE_DOWN, node);
    return {
      state: 'pending',
      fingerprint: fingerprint(labels),
      rule: NODE_DOWN,
      severity: 'critical',
      labels,
      value: seen.lastSeen === null ? 'not seen since the master began' : `last seen ${clock(seen.lastSeen)}`,
      pendingAt: now,
    };
  }
  // A master that has just begun does not know: nothing starts, nothing ends.
  if (seen.status === 'unknown') return null;
  if (alert.state === 'pending') {
    // pending -> inactive
    if (!down) return 'gone';
    // pending -> firing
    return now - alert.pendingAt >= rule.forMs ? { ...alert, state: 'firing', firingAt: now } : null;
  }
  // firing -> resolved
  return down ? null : { ...alert, state: 'resolved', resolvedAt: now };
}

/** `03:07:48Z`: consoles show the timestamps beside it in the reader's own zone. */
function clock(ms: Millis): string {
  return `${new Date(ms).toISOString().slice(11, 19)}Z`;
}
