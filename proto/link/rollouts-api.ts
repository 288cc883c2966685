import type { Revision, RolloutId } from '../vocab/ids.ts';
import type { LegalVerb, RevertPreview, Rollout, RolloutTarget, RolloutVerb } from '../vocab/rollout.ts';
import type { MutationArgs } from './console-api.ts';

/** Rollouts, as the console and aicdnctl ask for them; errors as in `ConsoleApi`. */
export interface RolloutsApi {
  /** Newest first; `before` is the `next` of an earlier answer. `open`: those that are not over, or those that are. */
  listRollouts(args: {
    readonly limit: number;
    readonly before: string | null;
    readonly open?: boolean;
  }): Promise<{ readonly rollouts: readonly Rollout[]; readonly next: string | null }>;
  /** @param args.targets so many at most, worst first */
  getRollout(args: { readonly id: RolloutId; readonly targets: number }): Promise<{
    readonly rollout: Rollout;
    readonly targets: readonly RolloutTarget[];
    readonly legal: readonly LegalVerb[];
  }>;
  /**
   * The answer is the rollout as it is then; for `undo` of one that succeeded, the new one that takes it back.
   * @param args.confirmNodes refused with `conflict` when so many are not hit; `null`: not said
   */
  rolloutVerb(
    m: MutationArgs,
    args: { readonly id: RolloutId; readonly verb: RolloutVerb; readonly confirmNodes: number | null },
  ): Promise<{ readonly revision: Revision; readonly rollout: Rollout }>;
  /** What taking back the newest publication would do. `precondition`: there is nothing to take back. */
  previewRevert(): Promise<RevertPreview>;
  revertLast(
    m: MutationArgs,
    args: { readonly confirmNodes: number | null },
  ): Promise<{ readonly revision: Revision; readonly rollout: Rollout }>;
}
