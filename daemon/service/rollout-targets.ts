import type { Millis, NodeName, RolloutId } from '../../proto/vocab/ids.ts';
import { OVER, type Rollout, type RolloutTarget } from '../../proto/vocab/rollout.ts';
import type { Snapshot } from './ports.ts';
import { targetKey } from './published.ts';

/** The targets of each rollout, without a walk over those of all. Who they are is fixed when it begins. */
export class RolloutTargets {
  private readonly open = new Map<
    RolloutId,
    { readonly createdAt: Millis; readonly names: readonly NodeName[] }
  >();

  private readonly last = new Map<
    RolloutId,
    { readonly all: readonly RolloutTarget[]; readonly targets: readonly RolloutTarget[] }
  >();

  of(view: Snapshot, id: RolloutId): readonly RolloutTarget[] {
    // While no target has changed the list is the very same one.
    const all = view.list('target');
    const known = this.last.get(id);
    if (known?.all === all) return known.targets;
    const targets = this.namesOf(view, id).flatMap((name) => view.get('target', targetKey(id, name)) ?? []);
    if (this.open.has(id)) this.last.set(id, { all, targets });
    return targets;
  }

  /** How many there are. */
  size(view: Snapshot, id: RolloutId): number {
    return this.namesOf(view, id).length;
  }

  has(view: Snapshot, id: RolloutId, name: NodeName): boolean {
    return view.get('target', targetKey(id, name)) !== undefined;
  }

  private namesOf(view: Snapshot, id: RolloutId): readonly NodeName[] {
    const rollout = view.get('rollout', id);
    const known = this.open.get(id);
    // One that the disk refused has left its id to another.
    if (known && known.createdAt === rollout?.createdAt) return known.names;
    const names = view.list('target').flatMap((t) => (t.rollout === id ? [t.node] : []));
    for (const other of this.open.keys()) {
      if (!isOver(view.get('rollout', other))) continue;
      this.open.delete(other);
      this.last.delete(other);
    }
    if (rollout && !isOver(rollout)) this.open.set(id, { createdAt: rollout.createdAt, names });
    return names;
  }
}

function isOver(rollout: Rollout | undefined): boolean {
  return rollout === undefined || OVER.includes(rollout.state.kind);
}

/** Those that are not over, oldest first. */
export function openRollouts(view: Snapshot): readonly Rollout[] {
  return view.list('rollout').filter((r) => !isOver(r));
}

/** They count up; one that was forgotten has left its id in its publication. */
export function nextRolloutId(view: Snapshot): RolloutId {
  let highest = 0;
  const see = (id: RolloutId): void => {
    highest = Math.max(highest, Number(id));
  };
  for (const r of view.list('rollout')) see(r.id);
  for (const v of view.list('version')) for (const p of v.publications) if (p.rollout) see(p.rollout);
  return `${highest + 1}` as RolloutId;
}
