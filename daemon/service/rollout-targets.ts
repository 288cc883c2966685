import type { NodeName, RolloutId } from '../../proto/vocab/ids.ts';
import { OVER, type Rollout, type RolloutTarget } from '../../proto/vocab/rollout.ts';
import type { Snapshot } from './ports.ts';
import { targetKey } from './published.ts';

interface Stretch {
  readonly all: readonly RolloutTarget[];
  readonly from: number;
  readonly targets: readonly RolloutTarget[];
}

/**
 * The targets of each rollout, without a walk over those of all: they were put in one commit, so they stand in one stretch
 * of the list, and stay where they are when they change.
 */
export class RolloutTargets {
  /** Of those that are not over. */
  private readonly last = new Map<RolloutId, Stretch>();

  of(view: Snapshot, id: RolloutId): readonly RolloutTarget[] {
    // While no target has changed the list is the very same one.
    const all = view.list('target');
    const known = this.last.get(id);
    if (known?.all === all) return known.targets;
    const targets = (known && again(all, id, known)) ?? all.filter((t) => t.rollout === id);
    if (known === undefined) {
      for (const other of this.last.keys()) if (isOver(view.get('rollout', other))) this.last.delete(other);
    }
    const [first] = targets;
    if (first && !isOver(view.get('rollout', id))) {
      this.last.set(id, { all, from: all.indexOf(first), targets });
    } else this.last.delete(id);
    return targets;
  }

  /** How many there are. */
  size(view: Snapshot, id: RolloutId): number {
    return this.of(view, id).length;
  }

  has(view: Snapshot, id: RolloutId, name: NodeName): boolean {
    return view.get('target', targetKey(id, name)) !== undefined;
  }
}

/** The same stretch of a newer list, or `null`: others were forgotten, or the disk refused them and the id is another's. */
function again(
  all: readonly RolloutTarget[],
  id: RolloutId,
  { from, targets }: Stretch,
): readonly RolloutTarget[] | null {
  const to = from + targets.length;
  if (all.length < to || all[from - 1]?.rollout === id || all[to]?.rollout === id) return null;
  for (let i = from; i < to; i++) if (all[i]?.rollout !== id) return null;
  return all.slice(from, to);
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
