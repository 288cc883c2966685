import type { ConfigVersion, Publication, Target } from '../../../proto/vocab/config-version.ts';
import type { NodeName, RolloutId, VersionLabel } from '../../../proto/vocab/ids.ts';
import { covers, intersect, rank, type Subject, targets } from './target.ts';

type Published = Pick<ConfigVersion, 'label' | 'parent' | 'publications'>;

export interface Standing {
  readonly label: VersionLabel;
  readonly publication: Publication;
  /** Those of its target that it stands for; `null`: all of them. */
  readonly only: ReadonlySet<NodeName> | null;
}

/** Whether a rollout that is not over has released its version to a node. */
export type Released = (rollout: RolloutId, node: NodeName) => boolean;

/** As if every rollout had been carried to its end. */
export const ALL_RELEASED: Released = () => true;

/**
 * What stands, newest first: a publication is history once a newer one of its rank covers its whole target and stands
 * for all of it. One whose rollout is not over is tried beside what stood before it.
 */
export function standing(versions: readonly Published[]): readonly Standing[] {
  const all = versions
    .flatMap((v) => v.publications.map((publication) => ({ label: v.label, publication })))
    .filter(({ publication }) => publication.only?.length !== 0)
    .sort((a, b) => b.publication.revision - a.publication.revision);
  const kept: Standing[] = [];
  const whole: Target[] = [];
  for (const { label, publication } of all) {
    const { target, open, only } = publication;
    if (whole.some((w) => rank(w) === rank(target) && covers(w, target))) continue;
    kept.push({ label, publication, only: only ? new Set(only) : null });
    if (!open && !only) whole.push(target);
  }
  return kept;
}

/** The one version a node gets: the closest target wins, then the newest. A joiner is asked the same. */
export function winner(stands: readonly Standing[], node: Subject, released: Released): Standing | null {
  let best: Standing | null = null;
  for (const s of stands) {
    if (!targets(s.publication.target, node) || !standsFor(s, node, released)) continue;
    if (best === null || rank(s.publication.target) > rank(best.publication.target)) best = s;
  }
  return best;
}

function standsFor({ publication, only }: Standing, node: Subject, released: Released): boolean {
  if (only) return only.has(node.name);
  const { open, rollout } = publication;
  return !open || rollout === undefined || released(rollout, node.name);
}

/**
 * A standing publication of another version, equally close, that shares only a part of its nodes with `target`: which of
 * the two a node there gets would be chance, so publish refuses it. Where one covers the other, the newer one is meant.
 */
export function tieWith(stands: readonly Standing[], label: VersionLabel, target: Target): Standing | null {
  return (
    stands.find((s) => {
      const other = s.publication.target;
      return (
        s.label !== label &&
        rank(other) === rank(target) &&
        intersect(other, target) !== null &&
        !covers(other, target) &&
        !covers(target, other)
      );
    }) ?? null
  );
}

export type Undo =
  | { readonly ok: true; readonly to: VersionLabel; readonly target: Target }
  | { readonly ok: false; readonly why: string };

/**
 * What a rollback of `label` on `target` brings back: the content that ran there before it was published.
 * An empty target is the one it was published to last; another must lie within it.
 * @param ran whether any node was ever in sync with a version: one that every node refused is passed over
 * @param nodes the fleet: where no earlier target covers this one by its words (a node's name says nothing of its
 *   type), what each of its nodes had before decides, if it is the same on all of them
 */
export function undo(
  versions: readonly Published[],
  label: VersionLabel,
  target: Target,
  ran: (label: VersionLabel) => boolean,
  nodes: readonly Subject[],
): Undo {
  const own = versions.find((v) => v.label === label);
  const last = own?.publications.at(-1);
  if (!own || !last) return { ok: false, why: `${label} has not been published: there is nothing to undo` };
  const all = rank(target) === 0;
  const mine = all ? last : own.publications.findLast((p) => intersect(p.target, target) !== null);
  const where = mine && (all ? mine.target : intersect(mine.target, target));
  if (!mine || !where) return { ok: false, why: `${label} has not been published to any of these nodes` };
  const over = versions
    .flatMap((v) => v.publications.map((publication) => ({ label: v.label, publication })))
    .find(
      ({ label: other, publication: p }) =>
        other !== label &&
        p.only?.length !== 0 &&
        p.revision > mine.revision &&
        rank(p.target) >= rank(mine.target) &&
        covers(p.target, where),
    );
  if (over)
    return { ok: false, why: `${over.label} was published there after it: roll back ${over.label} first` };
  const before = versions
    .filter((v) => v.label !== label && ran(v.label))
    .map((v) => ({ ...v, publications: v.publications.filter((p) => p.revision < mine.revision) }));
  const stood = standing(before);
  const inPart = stood.some((s) => s.only !== null && intersect(s.publication.target, where) !== null);
  const found = stood
    .filter((s) => covers(s.publication.target, where))
    .sort((a, b) => rank(b.publication.target) - rank(a.publication.target))[0];
  // What stood for some of them only is asked of the nodes themselves.
  if (found && !inPart) return { ok: true, to: found.label, target: where };
  const had = new Set(
    nodes.filter((n) => targets(where, n)).map((n) => winner(stood, n, ALL_RELEASED)?.label ?? null),
  );
  const [only = null] = had;
  if (had.size === 1 && only !== null) return { ok: true, to: only, target: where };
  const why =
    had.size > 1
      ? `its nodes had different versions before ${label}: roll back one at a time`
      : `nothing ran there before ${label}: publish another version`;
  return { ok: false, why };
}

/** The next free `vN`: one above the highest there is. */
export function nextLabel(labels: Iterable<string>): VersionLabel {
  let highest = 0;
  for (const l of labels) {
    const n = /^v(\d{1,9})$/.exec(l)?.[1];
    if (n) highest = Math.max(highest, Number(n));
  }
  return `v${highest + 1}` as VersionLabel;
}
