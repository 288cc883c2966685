import { createHash } from 'node:crypto';
import type { Alert } from '../../../proto/vocab/alert.ts';
import type { Fingerprint, Millis } from '../../../proto/vocab/ids.ts';
import type { Node, NodeStatus } from '../../../proto/vocab/node.ts';

type Stored = Alert extends infer A ? (A extends Alert ? Omit<A, 'modRevision'> : never) : never;
export type AlertDraft = Stored;

export interface NodeDownRule {
  readonly forMs: number;
}

export function labelsOf(
  node: Pick<Node, 'name' | 'region' | 'nodeType' | 'labels'>,
): Record<string, string> {
  return {
    ...node.labels,
    alertname: 'NodeDown',
    node: node.name,
    region: node.region,
    type: node.nodeType,
    severity: 'critical',
  };
}

/** Hash of the sorted labels, 16 hex digits [Alertmanager]. */
export function fingerprint(labels: Readonly<Record<string, string>>): Fingerprint {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16) as Fingerprint;
}

/**
 * One evaluation of the rule for one node.
 * @param alert its alert as stored, pending or firing; `null` when inactive
 * @returns the alert to store, `'gone'` when a pending one must be forgotten, `null` for no change
 */
export function evaluate(
  rule: NodeDownRule,
  node: Pick<Node, 'name' | 'region' | 'nodeType' | 'labels'>,
  status: NodeStatus,
  lastSeen: Millis | null,
  alert: Stored | null,
  now: Millis,
): Stored | 'gone' | null {
  const down = status === 'down';
  if (alert === null || alert.state === 'resolved') {
    // inactive | resolved -> pending
    if (!down) return null;
    const labels = labelsOf(node);
    return {
      state: 'pending',
      fingerprint: fingerprint(labels),
      rule: 'NodeDown',
      severity: 'critical',
      labels,
      value: lastSeen === null ? 'not seen since the master began' : `last seen ${clock(lastSeen)}`,
      pendingAt: now,
    };
  }
  if (alert.state === 'pending') {
    // pending -> inactive; `unknown` (a master that has just begun) neither starts nor ends one
    if (!down) return status === 'unknown' ? null : 'gone';
    // pending -> firing
    if (now - alert.pendingAt >= rule.forMs) return { ...alert, state: 'firing', firingAt: now };
    return null;
  }
  // firing -> resolved
  if (down || status === 'unknown') return null;
  return { ...alert, state: 'resolved', resolvedAt: now };
}

/** `03:07:48Z`: the console shows it in the reader's own zone by the timestamps beside it. */
function clock(ms: Millis): string {
  return `${new Date(ms).toISOString().slice(11, 19)}Z`;
}
