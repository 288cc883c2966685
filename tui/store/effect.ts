import type { Target } from '../../proto/vocab/config-version.ts';
import type {
  Fingerprint,
  Millis,
  NodeName,
  RolloutId,
  SilenceId,
  VersionLabel,
} from '../../proto/vocab/ids.ts';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import type { RegionSeries } from '../../proto/vocab/metrics.ts';
import type { RolloutVerb } from '../../proto/vocab/rollout.ts';
import type { OrderWord } from './sheets/order.ts';

/** What the reducer wants done outside. One executor a kind; answers come back as events. */
export type Effect =
  /** `paced`: a few at a time. */
  | { readonly kind: 'reload'; readonly target: Target; readonly paced: boolean }
  | { readonly kind: 'preview-reload'; readonly sheet: number; readonly target: Target }
  | { readonly kind: 'order'; readonly type: OrderWord; readonly target: Target }
  | {
      readonly kind: 'fetch-diff';
      readonly from: VersionLabel;
      readonly label: VersionLabel;
    }
  | {
      readonly kind: 'preview-publish';
      readonly sheet: number;
      readonly chosen: number;
      readonly pace: number;
      readonly label: VersionLabel;
      readonly target: Target;
      readonly strategy: string | null;
    }
  | {
      readonly kind: 'preview-diff';
      readonly sheet: number;
      readonly from: VersionLabel;
      readonly label: VersionLabel;
    }
  | {
      readonly kind: 'publish';
      readonly sheet: number;
      readonly label: VersionLabel;
      readonly target: Target;
      readonly reason: string;
      readonly strategy: string | null;
    }
  | { readonly kind: 'fetch-rollout'; readonly id: RolloutId; readonly targets: number }
  | {
      readonly kind: 'rollout-verb';
      readonly sheet: number | null;
      readonly id: RolloutId;
      readonly verb: RolloutVerb;
      readonly reason: string;
      readonly confirmNodes: number | null;
    }
  | { readonly kind: 'preview-revert'; readonly sheet: number }
  | {
      readonly kind: 'revert-last';
      readonly sheet: number;
      readonly reason: string;
      readonly confirmNodes: number;
    }
  | { readonly kind: 'preview-silence'; readonly sheet: number; readonly matchers: readonly Matcher[] }
  | {
      readonly kind: 'create-silence';
      readonly sheet: number;
      readonly matchers: readonly Matcher[];
      readonly alert: Fingerprint | null;
      readonly forMs: Millis;
      readonly comment: string;
    }
  | { readonly kind: 'expire-silence'; readonly sheet: number; readonly id: SilenceId }
  | {
      readonly kind: 'preview-rollback';
      readonly sheet: number;
      readonly label: VersionLabel;
      readonly target: Target;
    }
  | {
      readonly kind: 'roll-back';
      readonly sheet: number;
      readonly label: VersionLabel;
      readonly target: Target;
      readonly reason: string;
      readonly confirmNodes: number;
    }
  | { readonly kind: 'fetch-node'; readonly name: NodeName }
  | {
      readonly kind: 'fetch-regions';
      /** Index into `WINDOWS`. */
      readonly window: number;
      readonly places: readonly RegionSeries['place'][];
      readonly windowMs: Millis;
      readonly stepMs: Millis;
    }
  /** The empty fleet's first join token. */
  | { readonly kind: 'make-token' }
  /** The stream from the start of what is missing, now. */
  | { readonly kind: 'resubscribe' }
  | { readonly kind: 'quit' };
