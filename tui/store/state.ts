import type { BlastRadius } from '../../proto/vocab/blast.ts';
import type { ErrorCode } from '../../proto/vocab/errors.ts';
import type { CommandId, Millis, RolloutId } from '../../proto/vocab/ids.ts';
import type { RegionSeries } from '../../proto/vocab/metrics.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import type { NodeDetail } from '../../proto/vocab/node-detail.ts';
import type { RevertPreview } from '../../proto/vocab/rollout.ts';
import type { WatchEvent } from '../../proto/vocab/watch.ts';
import { ALERTS_VIEW, type AlertsView } from './alerts-view.ts';
import { CONFIGS_VIEW, type ConfigsView } from './configs-view.ts';
import { type Connection, type LinkEvent, startConnection } from './connection.ts';
import { EMPTY_FLEET, type Fleet } from './fleet.ts';
import type { Intent, ScreenId } from './intent.ts';
import { type Messages, NO_MESSAGES } from './message.ts';
import { NODES_VIEW, type NodesView } from './nodes-view.ts';
import type { GotRollout } from './reduce-rollouts.ts';
import { REGIONS_VIEW, type RegionsView } from './regions-view.ts';
import { ROLLOUTS_VIEW, type RolloutsView } from './rollouts-view.ts';
import type { Sheet } from './sheet.ts';
import type { ReloadPreview } from './sheets/reload.ts';
import type { RollbackPreview } from './sheets/rollback.ts';
import type { SilencePreview } from './sheets/silence.ts';
import type { Words } from './words.ts';

/** Where you are. Incidents and pulses stay in place and say that they are not here yet. */
export type Place =
  | { readonly kind: 'screen'; readonly screen: ScreenId }
  | { readonly kind: 'node'; readonly name: string; readonly from: ScreenId };

/** What was fetched of the node whose page is open. */
export interface DetailView {
  readonly name: string;
  readonly detail: NodeDetail | null;
  readonly error: Words | null;
  readonly asking: boolean;
  readonly askedAt: Millis | null;
  readonly scroll: number;
}

/** One row is taken by what you type. */
export type Prompt =
  | { readonly kind: 'filter'; readonly text: string; readonly before: string }
  | { readonly kind: 'order' }
  | { readonly kind: 'command'; readonly text: string; readonly error: Words | null };

/** What the screen can hold, told by whoever lays it out. */
export interface Room {
  readonly nodeRows: number;
  readonly detailMaxScroll: number;
  readonly helpMaxScroll: number;
  readonly targetMaxScroll: number;
  /** Below the smallest size keys that act are off. */
  readonly tooSmall: boolean;
}

export type FirstRun =
  | { readonly kind: 'unasked'; readonly emptySince: Millis | null }
  | { readonly kind: 'asking' }
  | { readonly kind: 'made'; readonly command: string; readonly expiresAt: Millis; readonly region: string }
  | { readonly kind: 'refused'; readonly why: Words };

export interface State {
  /** Our clock at the last event. */
  readonly now: Millis;
  readonly connection: Connection;
  /** What the stream told. */
  readonly fleet: Fleet;
  /** What is shown: the same, unless the picture is frozen. */
  readonly picture: Fleet;
  readonly frozenAt: Millis | null;
  readonly place: Place;
  readonly lastPlace: Place | null;
  readonly nodes: NodesView;
  readonly regions: RegionsView;
  readonly alerts: AlertsView;
  readonly configs: ConfigsView;
  readonly rollouts: RolloutsView;
  readonly detail: DetailView | null;
  readonly prompt: Prompt | null;
  readonly help: { readonly scroll: number } | null;
  readonly sheet: Sheet | null;
  readonly nextSheet: number;
  readonly messages: Messages;
  readonly lastKeyAt: Millis;
  readonly room: Room;
  readonly firstRun: FirstRun;
  /** `q` at the root was pressed once. */
  readonly quitAsked: Millis | null;
}

export function initialState(now: Millis): State {
  return {
    now,
    connection: startConnection(now),
    fleet: EMPTY_FLEET,
    picture: EMPTY_FLEET,
    frozenAt: null,
    place: { kind: 'screen', screen: 'nodes' },
    lastPlace: null,
    nodes: NODES_VIEW,
    regions: REGIONS_VIEW,
    alerts: ALERTS_VIEW,
    configs: CONFIGS_VIEW,
    rollouts: ROLLOUTS_VIEW,
    detail: null,
    prompt: null,
    help: null,
    sheet: null,
    nextSheet: 1,
    messages: NO_MESSAGES,
    lastKeyAt: 0,
    room: { nodeRows: 10, detailMaxScroll: 0, helpMaxScroll: 0, targetMaxScroll: 0, tooSmall: false },
    firstRun: { kind: 'unasked', emptySince: null },
    quitAsked: null,
  };
}

/** A refusal in the master's words, with the places it names. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly refusals: readonly Refusal[];
}

/** Everything that can happen here; the time it came in is our clock's. */
export type ConsoleEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'stream'; readonly events: readonly WatchEvent[] }
  | { readonly kind: 'link'; readonly event: LinkEvent }
  | { readonly kind: 'intent'; readonly intent: Intent }
  /** A key that is off was pressed. */
  | { readonly kind: 'off'; readonly key: string; readonly what: Words; readonly why: Words }
  /** Something to say that no key of the table caused. */
  | { readonly kind: 'say'; readonly text: Words }
  | { readonly kind: 'room'; readonly room: Room }
  | { readonly kind: 'sheet-armed'; readonly sheet: number }
  | { readonly kind: 'detail'; readonly name: string; readonly detail: NodeDetail }
  | { readonly kind: 'detail-failed'; readonly name: string; readonly failure: Failure }
  | { readonly kind: 'silence-preview'; readonly sheet: number; readonly preview: SilencePreview }
  | { readonly kind: 'rollback-preview'; readonly sheet: number; readonly preview: RollbackPreview }
  | { readonly kind: 'reload-preview'; readonly sheet: number; readonly preview: ReloadPreview }
  | {
      readonly kind: 'publish-preview';
      readonly sheet: number;
      /** Which of the sheet's targets it is about. */
      readonly chosen: number;
      readonly pace: number;
      readonly preview: BlastRadius;
    }
  | {
      readonly kind: 'publish-diff';
      readonly sheet: number;
      readonly from: string;
      readonly diff: { readonly unified: string; readonly added: number; readonly removed: number } | Words;
    }
  | { readonly kind: 'revert-preview'; readonly sheet: number; readonly preview: RevertPreview }
  | ({ readonly kind: 'rollout-got' } & GotRollout)
  | { readonly kind: 'rollout-failed'; readonly failure: Failure }
  | {
      readonly kind: 'diff';
      readonly label: string;
      readonly diff: { readonly unified: string; readonly added: number; readonly removed: number };
    }
  | { readonly kind: 'region-series'; readonly window: number; readonly series: readonly RegionSeries[] }
  | { readonly kind: 'diff-failed'; readonly label: string; readonly failure: Failure }
  | { readonly kind: 'command-taken'; readonly command: CommandId }
  | {
      readonly kind: 'done';
      readonly sheet: number | null;
      readonly text: Words;
      /** What it began: the screen goes there, if whoever asked still looks at the question. */
      readonly began?: RolloutId;
    }
  | {
      readonly kind: 'failed';
      readonly sheet: number | null;
      readonly what: Words;
      readonly failure: Failure;
    }
  | {
      readonly kind: 'token';
      readonly command: string;
      readonly expiresAt: Millis;
      readonly region: string;
    }
  | { readonly kind: 'token-failed'; readonly failure: Failure };
