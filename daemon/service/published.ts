import type { ConfigVersion, Publication, Target } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { undo, winner } from '../core/config-version/select.ts';
import { targets } from '../core/config-version/target.ts';
import type { Kind, Kinds, Snapshot } from './ports.ts';
import type { Templates } from './rendering.ts';

// What publishing asks of a snapshot.

/** Nodes this very publication wins: not those that something closer is published to. */
export function winnersOf(templates: Templates, after: Snapshot, publication: Publication): readonly Node[] {
  const stands = templates.standing(after);
  return after
    .list('node')
    .filter((n) => n.identity === 'accepted' && winner(stands, n)?.publication === publication);
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

export function must(view: Snapshot, label: string): ConfigVersion {
  const version = view.get('version', label);
  if (!version)
    throw new AppError(
      'not_found',
      `there is no config version ${JSON.stringify(safeText(label, { max: 64 }))}`,
    );
  return version;
}

/** The state as it will be with this version in it. */
export function overlay(view: Snapshot, version: ConfigVersion): Snapshot {
  const versions = [...view.list('version').filter((v) => v.label !== version.label), version];
  const after = withEntity(view, 'version', version.label, version);
  return { ...after, list: (kind) => (kind === 'version' ? (versions as never) : view.list(kind)) };
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
