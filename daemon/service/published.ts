import type { ConfigVersion, Publication, Target } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName, RolloutId } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { Rollout, RolloutTarget } from '../../proto/vocab/rollout.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { ALL_RELEASED, type Released, undo, winner } from '../core/config-version/select.ts';
import { targets } from '../core/config-version/target.ts';
import type { Kind, Kinds, Snapshot } from './ports.ts';
import type { Templates } from './templates.ts';

// What publishing asks of a snapshot.

/**
 * Nodes this very publication wins once it and all that is being carried out is complete: not those that something
 * closer is published to.
 */
export function winnersOf(templates: Templates, after: Snapshot, publication: Publication): readonly Node[] {
  const stands = templates.standing(after);
  return after
    .list('node')
    .filter((n) => n.identity === 'accepted' && winner(stands, n, ALL_RELEASED)?.publication === publication);
}

/** Key of a rollout's target in the store. */
export function targetKey(rollout: RolloutId, node: NodeName): string {
  return `${rollout}/${node}`;
}

/** What the rollouts of this state have released. */
export function releasedIn(view: Snapshot): Released {
  return (rollout, node) => view.get('target', targetKey(rollout, node))?.released ?? false;
}

/** @throws AppError `precondition`: why there is nothing to take back */
export function undone(
  view: Snapshot,
  args: { label: string; target: Target },
): { from: ConfigVersion; target: Target } {
  const { label } = must(view, args.label);
  const ran = (l: string): boolean => view.get('meta', ranKey(l)) !== undefined;
  const u = undo(view.list('version'), label, args.target, ran, view.list('node'));
  if (!u.ok) throw new AppError('precondition', u.why);
  return { from: must(view, u.to), target: u.target };
}

/** Key of the mark on a version that a node was in sync with once. */
export function ranKey(label: string): string {
  return `ran ${label}`;
}

/** Those of a target whose version it is. */
export function targetOf(view: Snapshot, label: string, target: Target): NodeName[] {
  const nodes = view.list('node').filter((n) => n.target?.version === label && targets(target, n));
  return nodes.map((n) => n.name);
}

/** @throws AppError `conflict`: the caller saw another count than there is */
export function confirmed(seen: number | null, is: number): void {
  if (seen === null || seen === is) return;
  throw new AppError('conflict', `${is} nodes would be hit now, not ${seen}; look again`);
}

export function must(view: Snapshot, label: string): ConfigVersion {
  const version = view.get('version', label);
  if (!version)
    throw new AppError(
      'not_found',
      `there is no config version ${JSON.stringify(safeText(label, { max: 64 }))}`,
    );
  return version;
}

/** The state as it will be with these in it. Lists of targets and rollouts stay as they are: nobody decides by them. */
export function overlay(view: Snapshot, { versions = [], targets, rollouts = [] }: Overlaid): Snapshot {
  const put: { readonly [K in Kind]?: ReadonlyMap<string, unknown> } = {
    version: new Map(versions.map((v) => [v.label, v])),
    ...(targets ? { target: targets } : {}),
    rollout: new Map(rollouts.map((r) => [r.id, r])),
  };
  const changed = new Set(versions.map((v) => v.label));
  const all =
    versions.length === 0
      ? view.list('version')
      : [...view.list('version').filter((v) => !changed.has(v.label)), ...versions];
  return {
    revision: view.revision,
    get: (kind, key) => (put[kind]?.get(key) ?? view.get(kind, key)) as never,
    list: (kind) => (kind === 'version' ? (all as never) : view.list(kind)),
    count: (kind) => view.count(kind),
  };
}

export interface Overlaid {
  readonly versions?: readonly ConfigVersion[];
  /** By key. */
  readonly targets?: ReadonlyMap<string, Omit<RolloutTarget, 'modRevision'>>;
  readonly rollouts?: readonly Omit<Rollout, 'modRevision'>[];
}

/** The state as it will be with this entity under its key; lists stay as they are. */
export function withEntity<K extends Kind>(view: Snapshot, kind: K, key: string, value: Kinds[K]): Snapshot {
  return {
    revision: view.revision,
    get: (k, name) => ((k as Kind) === kind && name === key ? (value as never) : view.get(k, name)),
    list: (k) => view.list(k),
    count: (k) => view.count(k),
  };
}
