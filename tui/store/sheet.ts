import type { AlertView } from '../../proto/vocab/alert.ts';
import type { BlastRadius, Target } from '../../proto/vocab/config-version.ts';
import type { ErrorCode } from '../../proto/vocab/errors.ts';
import type { Fingerprint, Millis, NodeName, SilenceId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import type { Words } from './words.ts';

interface SheetBase {
  readonly id: number;
  /** Its frame has been written and 150 ms have passed: only now do keys reach it. */
  readonly armed: boolean;
  /** Sent; the answer is awaited. */
  readonly sending: boolean;
  readonly error: Words | null;
}

export interface SilencePreview {
  readonly wouldSilence: readonly AlertView[];
  readonly wouldNotSilence: readonly AlertView[];
  readonly nodes: readonly NodeName[];
  readonly totalNodes: number;
  /** Over half the fleet: the count is typed as well. */
  readonly asksTwice: boolean;
}

export interface RollbackPreview {
  readonly toLabel: VersionLabel;
  readonly newLabel: VersionLabel;
  readonly nodes: readonly NodeName[];
  readonly streams: number;
}

export const SILENCE_DURATIONS: readonly { readonly word: string; readonly ms: Millis }[] = [
  { word: '15m', ms: 15 * 60_000 },
  { word: '1h', ms: 3_600_000 },
  { word: '4h', ms: 4 * 3_600_000 },
  { word: '8h', ms: 8 * 3_600_000 },
  { word: '24h', ms: 24 * 3_600_000 },
];

export type SilenceField = 'for' | 'comment' | 'count';

export interface SilenceSheet extends SheetBase {
  readonly kind: 'silence';
  /** Whose alert, or `null` when a node or several are silenced whole. */
  readonly rule: string | null;
  readonly on: string;
  readonly alert: Fingerprint | null;
  readonly matchers: readonly Matcher[];
  /** Index into `SILENCE_DURATIONS`. */
  readonly chosen: number;
  readonly comment: string;
  readonly typed: string;
  readonly focus: SilenceField;
  readonly preview: SilencePreview | null;
  /** When the master was last asked what it would match. */
  readonly askedAt: Millis;
}

export interface RollbackSheet extends SheetBase {
  readonly kind: 'rollback';
  readonly label: VersionLabel;
  readonly target: Target;
  readonly reason: string;
  readonly typed: string;
  readonly focus: 'reason' | 'type';
  readonly preview: RollbackPreview | null;
  /** When the master was last asked who is hit. */
  readonly askedAt: Millis;
}

/** A version to where it is chosen to go: who is hit is asked of the master again for each choice. */
export interface PublishSheet extends SheetBase {
  readonly kind: 'publish';
  readonly label: VersionLabel;
  readonly choices: readonly Target[];
  /** Index into `choices`. */
  readonly chosen: number;
  readonly reason: string;
  readonly typed: string;
  readonly focus: 'to' | 'reason' | 'type';
  readonly preview: BlastRadius | null;
  readonly askedAt: Millis;
}

export const ORDER_WORDS = ['restart', 'drain', 'undrain'] as const;
export type OrderWord = (typeof ORDER_WORDS)[number];

/** What cuts streams or turns them away: one node asks as well. */
export interface OrderSheet extends SheetBase {
  readonly kind: 'order';
  readonly type: OrderWord;
  readonly nodes: readonly NodeName[];
  readonly typed: string;
}

/** A marked set; from `TYPE_OVER` nodes on the count is typed instead of `y`. */
export interface ReloadSheet extends SheetBase {
  readonly kind: 'reload';
  readonly nodes: readonly NodeName[];
  readonly typed: string;
}

export interface ExpireSheet extends SheetBase {
  readonly kind: 'expire';
  readonly silence: SilenceId;
}

/** The master's answer to something refused, until Esc. */
export interface ErrorSheet extends SheetBase {
  readonly kind: 'error';
  readonly title: Words;
  readonly at: Millis;
  readonly code: ErrorCode;
  readonly message: string;
  readonly refusals: readonly Refusal[];
}

export type Sheet =
  | SilenceSheet
  | RollbackSheet
  | PublishSheet
  | OrderSheet
  | ReloadSheet
  | ExpireSheet
  | ErrorSheet;

/** More nodes than this: the count is typed. */
export const TYPE_OVER = 10;

export function wantsCount(sheet: ReloadSheet | OrderSheet): boolean {
  return sheet.nodes.length > TYPE_OVER;
}

/** What must be typed before Enter acts; `null`: nothing. */
export function wantedWord(sheet: Sheet): string | null {
  switch (sheet.kind) {
    case 'rollback':
      return sheet.preview === null ? null : String(sheet.preview.nodes.length);
    case 'publish':
      return sheet.preview === null ? null : String(sheet.preview.nodes.length);
    case 'order':
    case 'reload':
      return wantsCount(sheet) ? String(sheet.nodes.length) : null;
    case 'silence':
      return sheet.preview?.asksTwice === true ? String(sheet.preview.nodes.length) : null;
    case 'expire':
    case 'error':
      return null;
  }
}
