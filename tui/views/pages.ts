import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { ScreenId } from './header.ts';
import type { Ui } from './ui.ts';

/** The keys of one screen, from the key table. */
export interface HelpProps {
  readonly screen: string;
  /** What the acts would hit; `null`: nothing under the cursor. */
  readonly on: string | null;
  readonly marked: number;
  readonly sections: readonly {
    readonly title: string;
    readonly rows: readonly { readonly keys: string; readonly text: string; readonly off?: string }[];
  }[];
  readonly scroll: number;
}
/** Row 4, the body, and its own last row. */
export declare function helpRows(p: HelpProps, ui: Ui): readonly Row[];
export declare function helpMaxScroll(p: HelpProps, ui: Ui): number;

/** The whole frame below 60x15. */
export interface TooSmallProps {
  readonly health: readonly { readonly verdict: Verdict; readonly n: number; readonly word: string }[];
  readonly alerts: readonly { readonly verdict: Verdict; readonly n: number }[];
  readonly age: string;
  readonly clock: string;
}
export declare function tooSmallRows(p: TooSmallProps, ui: Ui): readonly Row[];
export declare function isTooSmall(size: { readonly width: number; readonly height: number }): boolean;

export interface FirstRunProps {
  /** The join command, or `null` while it is being made. */
  readonly command: string | null;
  readonly leftMs: number;
  readonly type: 'edge' | 'core';
  readonly region: string;
  readonly published: string | null;
  /** `host:port` a node must reach. */
  readonly advertise: string;
  readonly error: string | null;
}
/** Row 4 and the body. */
export declare function firstRunRows(p: FirstRunProps, ui: Ui): readonly Row[];

/** `2 Regions is not here yet: …`, in its place. */
export declare function notHereRows(screen: ScreenId, ui: Ui): readonly Row[];

/** Row 4 while `o` waits for a letter. */
export declare function orderByRow(
  p: {
    readonly screen: string;
    readonly count: number;
    readonly keys: readonly { key: string; label: string }[];
  },
  ui: Ui,
): Row;

/** The message row while `/` or `:` is typed. `error`: why the expression does not stand. */
export declare function promptRow(
  p: {
    readonly sign: '/' | ':';
    readonly typed: string;
    readonly error: string | null;
    readonly hint: string;
  },
  ui: Ui,
): Row;
