import type { Fingerprint, Millis, Revision, SilenceId } from './ids.ts';

export type Severity = 'critical' | 'warning';

interface AlertBase {
  readonly fingerprint: Fingerprint;
  /** `NodeDown`; also the label `alertname`. */
  readonly rule: string;
  readonly severity: Severity;
  readonly labels: Readonly<Record<string, string>>;
  /** What was seen, in words: `last seen 03:07:48Z`. */
  readonly value: string;
  readonly pendingAt: Millis;
  readonly modRevision: Revision;
}

/** inactive -> pending -> firing -> resolved. Inactive alerts do not exist. Suppression is derived from silences. */
export type Alert =
  | (AlertBase & { readonly state: 'pending' })
  | (AlertBase & { readonly state: 'firing'; readonly firingAt: Millis })
  | (AlertBase & { readonly state: 'resolved'; readonly firingAt: Millis; readonly resolvedAt: Millis });

/** As a console shows it: the stored alert, and what holds it back at the moment. */
export type AlertView = Alert & {
  readonly silencedBy: readonly SilenceId[];
  /** Alerts that say it already: NodeDown of a region that is down. */
  readonly inhibitedBy: readonly Fingerprint[];
};

/** Somebody silenced it, or another alert says it already: nobody is told of it. */
export function isSuppressed(a: AlertView): boolean {
  return a.silencedBy.length > 0 || a.inhibitedBy.length > 0;
}
