import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { Ui } from './ui.ts';

export interface AlertRow {
  readonly rule: string;
  readonly on: string;
  readonly verdict: Verdict;
  /** `firing`, `pending`, `suppressed`, `resolved`. */
  readonly state: 'firing' | 'pending' | 'suppressed' | 'resolved';
  readonly forMs: number;
  readonly value: string;
  /** `silenced_by S-41, 5h47m left` */
  readonly next: string;
  readonly quiet: boolean;
}

export interface SilenceRow {
  readonly id: string;
  readonly state: 'active' | 'pending' | 'expired';
  readonly matchers: string;
  /** Suppressed now; `null` when it is not active. */
  readonly alerts: number | null;
  readonly nodes: number;
  /** `HH:MM` */
  readonly ends: string;
  /** `5h47m`, `from 05:00`, `32m ago` */
  readonly left: string;
  readonly by: string;
  readonly comment: string;
}

export interface AlertDetail {
  readonly rule: string;
  readonly on: string;
  readonly severity: string;
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
  /** `HH:MM:SS` */
  readonly pendingAt: string;
  readonly firingAt: string | null;
  readonly silencedBy: readonly string[];
}

export interface AlertsProps {
  readonly counts: {
    readonly firing: number;
    readonly pending: number;
    readonly acknowledged: number;
    readonly suppressed: number;
  };
  readonly alerts: readonly AlertRow[];
  readonly resolved: readonly (Omit<AlertRow, 'forMs'> & { readonly at: string })[];
  readonly silences: readonly SilenceRow[];
  /** Which table has the cursor, and where. */
  readonly focus: 'alerts' | 'silences';
  readonly cursor: number;
  readonly detail: AlertDetail | null;
  /** Shown when nothing fires: proof of silence. */
  readonly watched: { readonly heard: number; readonly total: number };
  readonly stale: boolean;
  /** Replaces the right end of the title while a sheet is open: `S-45, not yet made`. */
  readonly aside?: string;
}

/** Row 4 and the body. */
export declare function alertsRows(p: AlertsProps, ui: Ui): readonly Row[];
