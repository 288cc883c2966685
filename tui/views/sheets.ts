import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { KeyHint } from './foot.ts';
import type { Ui } from './ui.ts';

// Sheets rise from the bottom under one rule and end with their own key row. Every function gives all its rows.

export interface SilenceSheetProps {
  readonly rule: string;
  readonly on: string;
  readonly durations: readonly string[];
  readonly chosen: number;
  /** `Tue 04:12 +08` */
  readonly ends: string;
  readonly comment: string;
  readonly focus: 'for' | 'comment' | 'match' | 'count';
  readonly matchers: readonly { readonly name: string; readonly op: string; readonly value: string }[];
  /** From the master; `null` while it is asked. */
  readonly preview: {
    readonly alerts: readonly {
      readonly verdict: Verdict;
      readonly rule: string;
      readonly on: string;
      readonly text: string;
    }[];
    readonly spared: readonly { readonly rule: string; readonly on: string }[];
    readonly nodes: number;
    readonly total: number;
    /** Figures of the last days, where the master keeps them. */
    readonly past?: { readonly days: number; readonly alerts: number; readonly text: string };
  } | null;
  /** Asked when it covers over half the fleet. */
  readonly count?: { readonly want: string; readonly typed: string };
  readonly error: string | null;
}
export declare function silenceSheetRows(p: SilenceSheetProps, ui: Ui): readonly Row[];

/** A question whose answer is a typed word: reload of a set, roll back. */
export interface TypedSheetProps {
  readonly title: string;
  /** `dry run 03:12:10, again every 5 s` */
  readonly aside: string;
  /** Label and text; an empty label continues the one before. `loud`: what is cut. */
  readonly facts: readonly { readonly label: string; readonly text: string; readonly loud?: boolean }[];
  readonly reason: { readonly label: string; readonly typed: string } | null;
  readonly type: { readonly want: string; readonly what: string; readonly typed: string };
  readonly focus: 'reason' | 'type';
  readonly error: string | null;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export declare function typedSheetRows(p: TypedSheetProps, ui: Ui): readonly Row[];

/** A question answered by one letter: Enter and Esc say no. */
export interface ConfirmSheetProps {
  readonly title: string;
  readonly aside: string;
  readonly lines: readonly { readonly text: string; readonly loud?: boolean }[];
  readonly question: string;
  readonly yes: string;
  readonly no: string;
  readonly keys: readonly KeyHint[];
}
export declare function confirmSheetRows(p: ConfirmSheetProps, ui: Ui): readonly Row[];

/** The result of an act, node by node: failures first as given. */
export interface ResultSheetProps {
  readonly title: string;
  readonly aside: { readonly verdict: Verdict; readonly text: string };
  readonly counts: readonly { readonly verdict: Verdict; readonly n: number; readonly word: string }[];
  readonly settled: number;
  readonly total: number;
  readonly rows: readonly {
    readonly name: string;
    readonly verdict: Verdict;
    readonly state: string;
    readonly tookMs: number | null;
    readonly output: string;
  }[];
  readonly cursor: number;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export declare function resultSheetRows(p: ResultSheetProps, ui: Ui): readonly Row[];

/** An error from the master: what, where with the line it is about, what to do. */
export interface RefusalSheetProps {
  readonly title: string;
  readonly at: string;
  readonly code: string;
  readonly what: string;
  /** `line 63, column 106: hops[0]…` */
  readonly where: string | null;
  /** The line it is about, with its number. */
  readonly source: { readonly line: number; readonly column: number; readonly text: string } | null;
  readonly todo: string;
  readonly trace: string | null;
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}
export declare function refusalSheetRows(p: RefusalSheetProps, ui: Ui): readonly Row[];
