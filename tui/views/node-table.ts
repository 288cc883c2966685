import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { StatusWord } from './header.ts';
import type { Ui } from './ui.ts';

export const NODE_COLUMNS = [
  'name',
  'region',
  'type',
  'status',
  'seen',
  'config',
  'streams',
  'rps',
  'ttft95',
  'p99',
  'err',
  'cpu',
  'mem',
  'bar',
  'note',
  'gap99',
  'aborted',
  'engine',
  'agent',
  'labels',
] as const;
export type NodeColumn = (typeof NODE_COLUMNS)[number];

/** Fields that can stand over a limit: they take `warn` for as long as they do. */
export type Figure = 'ttft95' | 'p99' | 'err' | 'cpu' | 'mem';

/** The one reason, of a fixed form, or words already chosen. */
export interface NodeNote {
  readonly verdict: Verdict;
  readonly text: string;
  /** Suppressed or acknowledged: grey. */
  readonly quiet?: boolean;
}

export interface NodeRow {
  readonly name: string;
  readonly region: string;
  readonly type: 'edge' | 'core';
  /** Over all axes and alerts. */
  readonly verdict: Verdict;
  readonly status: StatusWord;
  /** Since the last sign of life; `null`: never seen. */
  readonly seenMs: number | null;
  /** Version the node runs, or `null`. */
  readonly version: string | null;
  /** Beside the version; `null` when in sync. */
  readonly sync: Verdict | null;
  readonly streams: number | null;
  readonly rps: number | null;
  readonly ttft95Ms: number | null;
  readonly p99Ms: number | null;
  readonly errPct: number | null;
  readonly cpuPct: number | null;
  readonly memPct: number | null;
  /** P99 by minute, oldest first, the last ten are drawn; `null` is a gap. */
  readonly p99Minutes: readonly (number | null)[];
  readonly note: NodeNote | null;
  readonly over: readonly Figure[];
  readonly marked: boolean;
  /** Last data of a lost node: figures stay, grey. */
  readonly stale: boolean;
  readonly gap99Ms?: number | null;
  readonly abortedPct?: number | null;
  readonly engine?: string;
  readonly agent?: string;
  readonly labels?: string;
}

export interface NodeTableProps {
  /** Only the rows on screen, in order. */
  readonly rows: readonly NodeRow[];
  /** Index into `rows`; `null`: no cursor. */
  readonly cursor: number | null;
  readonly sort: { readonly column: NodeColumn; readonly down: boolean };
  /** SEEN says `<10s` within it. */
  readonly heartbeatMs: number;
  /** Everything grey: no master. */
  readonly stale: boolean;
  /** From `measureNodes`, on entry and on resize. */
  readonly measured?: MeasuredNodes;
}

/** Widest content, so that columns are set once. Cells. */
export interface MeasuredNodes {
  readonly name: number;
  readonly region: number;
  readonly config: number;
}

export declare function measureNodes(
  rows: Iterable<Pick<NodeRow, 'name' | 'region' | 'version' | 'sync'>>,
): MeasuredNodes;

/** Rows for nodes between the column heads and the foot: what `rows` should hold. */
export declare function visibleNodes(ui: Ui): number;

/** Column heads and one row a node; blank rows are the frame's. */
export declare function nodeTableRows(p: NodeTableProps, ui: Ui): readonly Row[];

export interface NodesTitleProps {
  /** As typed, with its slash; `null`: no filter. */
  readonly filter: string | null;
  readonly shown: number;
  readonly total: number;
  /** Of the shown ones, worst first, zeroes left out. */
  readonly verdicts: readonly { readonly verdict: Verdict; readonly n: number }[];
  readonly marked: number;
  /** `HH:MM:SS` of the last data, when it is old. */
  readonly asOf: string | null;
  /** Rows that would move if the order were applied. */
  readonly orderHeld: number;
  /** 1-based, inclusive; `null` when there is nothing. */
  readonly range: { readonly from: number; readonly to: number } | null;
}

/** Row 4. */
export declare function nodesTitleRow(p: NodesTitleProps, ui: Ui): Row;
