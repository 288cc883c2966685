import type { ConfigVersion, Publication, Target } from '../../../proto/vocab/config-version.ts';
import type { VersionLabel } from '../../../proto/vocab/ids.ts';
import { rank, type Subject, sameTarget, targetKey, targets } from './target.ts';

export interface Standing {
  readonly label: VersionLabel;
  readonly publication: Publication;
}

/** What stands: the newest publication of each target, newest first. Earlier ones of the same target are history. */
export function standing(versions: readonly ConfigVersion[]): readonly Standing[] {
  const newest = new Map<string, Standing>();
  for (const v of versions) {
    for (const publication of v.publications) {
      const key = targetKey(publication.target);
      const other = newest.get(key);
      if (!other || other.publication.revision < publication.revision) {
        newest.set(key, { label: v.label, publication });
      }
    }
  }
  return [...newest.values()].sort((a, b) => b.publication.revision - a.publication.revision);
}

/** The one version a node gets: the closest target wins; publish has refused ties. A joiner is asked the same. */
export function winner(stands: readonly Standing[], node: Subject): Standing | null {
  let best: Standing | null = null;
  for (const s of stands) {
    if (!targets(s.publication.target, node)) continue;
    // `stands` is newest first, so an equal rank (let in before a node existed that both fit) goes to the newest.
    if (best === null || rank(s.publication.target) > rank(best.publication.target)) best = s;
  }
  return best;
}

export interface Tie {
  readonly label: VersionLabel;
  readonly target: Target;
  readonly node: Subject['name'];
}

/** A node that both this target and a standing one of equal rank name, with different versions: refused at publish. */
export function tieWith(
  stands: readonly Standing[],
  label: VersionLabel,
  target: Target,
  nodes: readonly Subject[],
): Tie | null {
  for (const s of stands) {
    if (s.label === label || rank(s.publication.target) !== rank(target)) continue;
    if (sameTarget(s.publication.target, target)) continue;
    const node = nodes.find((n) => targets(target, n) && targets(s.publication.target, n));
    if (node) return { label: s.label, target: s.publication.target, node: node.name };
  }
  return null;
}

/** What ran on this target before `label` was published to it: its content is what a rollback brings back. */
export function predecessor(
  versions: readonly ConfigVersion[],
  label: VersionLabel,
  target: Target,
): VersionLabel | null {
  const own = versions.find((v) => v.label === label);
  const at = own?.publications.filter((p) => sameTarget(p.target, target)).at(-1)?.revision;
  if (own === undefined || at === undefined) return own?.parent ?? null;
  let best: Standing | null = null;
  for (const v of versions) {
    if (v.label === label) continue;
    for (const publication of v.publications) {
      if (publication.revision >= at || !sameTarget(publication.target, target)) continue;
      if (!best || publication.revision > best.publication.revision) best = { label: v.label, publication };
    }
  }
  return best?.label ?? own.parent;
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
