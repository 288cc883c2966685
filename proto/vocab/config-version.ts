import type { BodyHash, Millis, NodeName, Revision, RolloutId, VersionLabel } from './ids.ts';
import type { NodeType } from './node.ts';

/**
 * Who should run a version. An empty target is everybody. All given parts must hold (and), a list is one of (or).
 * Which version a node gets: node > label > type + region > type > everybody; newest publication first within a rank.
 */
export interface Target {
  readonly nodes?: readonly NodeName[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly nodeType?: NodeType;
  readonly regions?: readonly string[];
}

export interface Publication {
  readonly target: Target;
  readonly publishedBy: string;
  readonly publishedAt: Millis;
  readonly reason: string;
  /** The commit that published it; orders publications. */
  readonly revision: Revision;
  /** The rollout that carries it out. Absent: of a release that had none. */
  readonly rollout?: RolloutId;
  /** The rollout is not over: it stands for those it has released, the others have what stands without it. */
  readonly open?: true;
  /** The rollout ended before it was complete: it stands for these and no others, ever. */
  readonly only?: readonly NodeName[];
}

/** Immutable and content-addressed but for `publications`, which only grow. The body is a blob by `bodyHash`. */
export interface ConfigVersion {
  readonly label: VersionLabel;
  readonly description: string;
  readonly bodyHash: BodyHash;
  readonly parent: VersionLabel | null;
  /** A rollback is a new version with old content: the label whose content this repeats. */
  readonly rollbackOf: VersionLabel | null;
  /** Whom it was made for: what a publication is to that does not say. Absent: nobody was named. */
  readonly target?: Target;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly publications: readonly Publication[];
  readonly modRevision: Revision;
}
