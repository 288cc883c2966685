import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { Ui } from './ui.ts';

export interface AxisRow {
  readonly axis: 'status' | 'eligibility' | 'drain' | 'config_sync' | 'identity';
  readonly verdict: Verdict;
  /** The vocabulary's word; the translation is put before it. */
  readonly word: string;
  /** `v42`, a phase. */
  readonly extra?: string;
}

export interface SeriesRow {
  readonly label: string;
  /** One value a minute, oldest first; `null` is a gap. */
  readonly values: readonly (number | null)[];
  readonly decimals: 0 | 2;
  readonly limit?: number;
  readonly regionNow?: number | null;
  /** `▲ limit 100`, `▲ hk ×3.4` */
  readonly over?: { readonly wide: string; readonly narrow: string };
}

export interface DescribeProps {
  readonly name: string;
  readonly region: string;
  readonly verdict: Verdict;
  readonly status: string;
  readonly firing: number;
  readonly labels: Readonly<Record<string, string>>;
  /** 1-based place in the list it was opened from. */
  readonly place: { readonly at: number; readonly of: number } | null;
  readonly seenMs: number | null;
  readonly instance: string | null;
  readonly axes: readonly AxisRow[];
  /** Why config_sync is failed: the refusal, whole, one line an entry (place, message, hint, the engine's own log). */
  readonly failure: readonly string[];
  readonly engine: {
    readonly kind: string;
    readonly version: string;
    readonly pid: number;
    readonly upMs: number | null;
    readonly generation: number;
    readonly reason: string;
    readonly listeners: readonly { readonly addr: string; readonly type: string }[];
  } | null;
  readonly agentVersion: string;
  readonly certificates: readonly {
    readonly name: string;
    readonly leftMs: number;
    /** `renews in 2d 14h` */
    readonly note?: string;
  }[];
  readonly series: readonly SeriesRow[];
  /** Marks under their minute: `minutesAgo` 0 is the last cell. */
  readonly marks: readonly {
    readonly minutesAgo: number;
    readonly letter: string;
    readonly legend: string;
  }[];
  /** `HH:MM` under cells 0, 15, 30 and 45. */
  readonly axis: readonly string[];
  readonly alerts: readonly {
    readonly rule: string;
    readonly verdict: Verdict;
    readonly state: string;
    readonly forMs: number;
    readonly text: string;
    readonly quiet: boolean;
  }[];
  readonly commands: readonly {
    readonly at: string;
    readonly what: string;
    readonly who: string;
    readonly verdict: Verdict;
    readonly word: string;
    readonly tookMs: number | null;
    readonly text: string;
  }[];
  /** Newest first. `null`: not fetched yet. */
  readonly log: readonly { readonly at: string; readonly level: string; readonly text: string }[] | null;
  readonly stale: boolean;
  /** First row of the body that is shown. */
  readonly scroll: number;
}

/** Row 4 and the body, cut to what fits between header and a two-row foot. */
export declare function describeRows(p: DescribeProps, ui: Ui): readonly Row[];

/** How far `scroll` may go. */
export declare function describeMaxScroll(p: DescribeProps, ui: Ui): number;
