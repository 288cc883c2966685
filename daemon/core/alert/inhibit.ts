import type { Alert } from '../../../proto/vocab/alert.ts';
import type { Fingerprint, Millis } from '../../../proto/vocab/ids.ts';
import { LOST_RULE, type LostRule, MASTER_SUSPECT, REGION_DOWN } from './lost.ts';
import { NODE_DOWN } from './node-down.ts';

type Live = Pick<Alert, 'fingerprint' | 'rule' | 'labels' | 'state' | 'pendingAt'> & {
  readonly firingAt?: Millis;
};

/**
 * Which alerts say already what this one would [Alertmanager]; asked of each alert, derived from `now`, never stored.
 * NodeDown of a node that went with its region; and for a while all that went when the master itself is in doubt.
 */
export function inhibitors(
  alerts: readonly Live[],
  now: Millis,
  rule: LostRule = LOST_RULE,
): (alert: Live) => readonly Fingerprint[] {
  const suspects = alerts.filter(
    (a) => a.rule === MASTER_SUSPECT && a.state === 'firing' && now < (a.firingAt ?? 0) + rule.holdMs,
  );
  const regions = new Map<string, Live>();
  for (const a of alerts) {
    if (a.rule === REGION_DOWN && a.state === 'firing') regions.set(a.labels['region'] ?? '', a);
  }
  const went = (a: Live, by: Live): boolean => a.pendingAt >= (by.firingAt ?? 0) - rule.withinMs;
  return (a) => {
    if (a.state === 'resolved' || (a.rule !== NODE_DOWN && a.rule !== REGION_DOWN)) return [];
    const by = suspects.filter((s) => went(a, s));
    if (a.rule === NODE_DOWN) {
      const region = regions.get(a.labels['region'] ?? '');
      if (region && went(a, region)) by.push(region);
    }
    return by.map((b) => b.fingerprint);
  };
}
