import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { NodeRow } from './node-table.ts';
import type { Ui } from './ui.ts';

/** The cursor's node in words: whatever the width dropped is here. */
export interface PeekProps {
  readonly node: NodeRow;
  readonly engine: string | null;
  readonly engineUpMs: number | null;
  /** The region's own merged figure, to compare. */
  readonly regionGap99Ms: number | null;
  readonly alerts: readonly { readonly rule: string; readonly forMs: number }[];
}

/** `null`: blank. */
export declare function peekRow(p: PeekProps | null, ui: Ui): Row;

export type Message =
  /** The newest event, when no result of yours is young enough. */
  | { readonly kind: 'event'; readonly at: string; readonly verdict: Verdict | null; readonly text: string }
  /** What became of a key you pressed. `more`: errors waiting behind this one. */
  | {
      readonly kind: 'own';
      readonly at: string;
      readonly verdict: Verdict | null;
      readonly text: string;
      readonly more?: number;
    }
  /** A key that is off, and why. */
  | {
      readonly kind: 'off';
      readonly at: string;
      readonly key: string;
      readonly what: string;
      readonly why: string;
    };

export declare function messageRow(m: Message | null, ui: Ui): Row;

export interface KeyHint {
  /** As printed: `Enter`, `r`, `/`. */
  readonly key: string;
  readonly label: string;
  /** Below 100 cells; default `label`. */
  readonly short?: string;
  /** Nodes it would hit, when more than the cursor's. */
  readonly count?: number;
  readonly off?: boolean;
  /** Left out first where the row is too narrow. */
  readonly spare?: boolean;
}

/** `last` stands at the right end (`? all keys`). */
export interface KeybarProps {
  readonly keys: readonly KeyHint[];
  readonly last: KeyHint | null;
}

export declare function keybarRow(p: KeybarProps, ui: Ui): Row;
