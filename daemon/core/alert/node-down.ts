import type { Millis } from '../../../proto/vocab/ids.ts';
import type { Node, NodeStatus } from '../../../proto/vocab/node.ts';
import { type AlertDraft, type Condition, evaluate } from './machine.ts';

export { type AlertDraft, fingerprint } from './machine.ts';

export const NODE_DOWN = 'NodeDown';

type Subject = Pick<Node, 'name' | 'region' | 'nodeType'>;

/** What is fixed for a node's life, so that an alert keeps its fingerprint. */
export function alertLabels(rule: string, node: Subject): Record<string, string> {
  return { alertname: rule, node: node.name, region: node.region, type: node.nodeType };
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
  const words = { name: NODE_DOWN, severity: 'critical', forMs: rule.forMs } as const;
  return evaluate(words, alertLabels(NODE_DOWN, node), conditionOf(seen), alert, now);
}

/** A master that has just begun does not know: nothing starts, nothing ends. */
function conditionOf(seen: { readonly status: NodeStatus; readonly lastSeen: Millis | null }): Condition {
  if (seen.status === 'unknown') return 'unknown';
  if (seen.status !== 'down') return { holds: false };
  const { lastSeen } = seen;
  const value = lastSeen === null ? 'not seen since the master began' : `last seen ${clock(lastSeen)}`;
  return { holds: true, value };
}

/** `03:07:48Z`: consoles show the timestamps beside it in the reader's own zone. */
function clock(ms: Millis): string {
  return `${new Date(ms).toISOString().slice(11, 19)}Z`;
}
