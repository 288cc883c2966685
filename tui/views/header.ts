import type { Row } from '../theme/row.ts';
import type { Verdict } from '../theme/symbols.ts';
import type { Ui } from './ui.ts';

export type ScreenId = 'nodes' | 'regions' | 'rollouts' | 'alerts' | 'incidents' | 'pulses';

/** A count under a symbol: `✗1`. */
export interface Badge {
  readonly verdict: Verdict;
  readonly n: number;
}

export type DataAge =
  | { readonly kind: 'live'; readonly seconds: number }
  | { readonly kind: 'stale'; readonly seconds: number }
  | { readonly kind: 'frozen'; readonly seconds: number };

export interface HeaderProps {
  readonly context: string;
  readonly open: ScreenId;
  readonly badges: Readonly<Partial<Record<ScreenId, readonly Badge[]>>>;
  readonly person: string;
  readonly role: 'admin' | 'operator' | 'read-only';
  /** `null`: nothing was received yet. */
  readonly age: DataAge | null;
  /** `HH:MM:SS`, local. */
  readonly clock: string;
  /** Nodes by how they stand, worst first as given, zeroes left out: `{wrong, 1, 'status.down'}`. */
  readonly health: readonly { readonly verdict: Verdict; readonly n: number; readonly word: StatusWord }[];
  /** `null`: not known (stale before the first data, empty fleet). */
  readonly traffic: {
    readonly streams: number | null;
    readonly rps: number | null;
    readonly ttft95Ms: number | null;
    readonly p99Ms: number | null;
    readonly errPct: number | null;
  } | null;
  /** Instead of the traffic: the empty fleet's `master 203.0.113.5   CA 9f2b7c40`. */
  readonly aside?: string;
  /** Row 3; `null` is blank. */
  readonly notice: Notice | null;
}

export type StatusWord = 'initializing' | 'ready' | 'disconnected' | 'down' | 'unknown' | 'refused';

export type Notice =
  | {
      readonly kind: 'no-master';
      readonly seconds: number;
      readonly reason: string;
      readonly attempt: number;
      readonly nextInSeconds: number;
    }
  | { readonly kind: 'reconnecting'; readonly attempt: number }
  | {
      readonly kind: 'back';
      readonly afterSeconds: number;
      readonly changes: number;
      readonly whole: boolean;
    }
  | { readonly kind: 'degraded'; readonly reason: string }
  | { readonly kind: 'read-only' }
  | { readonly kind: 'unlocked'; readonly leftSeconds: number; readonly by: string; readonly reason: string }
  | { readonly kind: 'slow-link'; readonly seconds: number }
  /** Anything else: already in words. */
  | { readonly kind: 'text'; readonly verdict: Verdict; readonly text: string };

/** Three rows, always. */
export declare function headerRows(p: HeaderProps, ui: Ui): readonly Row[];
