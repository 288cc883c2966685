import type { NodeName, RolloutId } from '../../proto/vocab/ids.ts';
import type { StoredRollout } from '../core/rollout/facts.ts';
import type { Log } from './ports.ts';
import { type ChangeNeeds, RolloutChange } from './rollout-change.ts';
import { openRollouts } from './rollout-targets.ts';
import type { Published, Writer } from './write.ts';

interface Needs extends ChangeNeeds {
  readonly writer: Writer;
  readonly log: Log;
}

/** A larger rollout is looked at once a second, however often its nodes speak, and more often only as itself goes on. */
const SMALL = 500;
/** Arrows that follow each other, each in its own commit, before the next tick. */
const MOST_IN_A_ROW = 16;

/** Takes rollouts that are not over on: each second, and soon after one of their nodes has changed. */
export class RolloutRunner {
  private readonly needs: Needs;
  private readonly running = new Set<RolloutId>();
  private readonly again = new Set<RolloutId>();

  constructor(needs: Needs) {
    this.needs = needs;
    needs.writer.onPublish((p) => this.saw(p));
  }

  /** Once a second. */
  async tick(): Promise<void> {
    await Promise.all(openRollouts(this.needs.writer.view()).map((r) => this.run(r.id)));
  }

  private saw({ commit, view }: Published): void {
    const { targets } = this.needs;
    const names: NodeName[] = [];
    for (const op of commit.ops) if (op.kind === 'node') names.push(op.key as NodeName);
    if (names.length === 0) return;
    for (const r of openRollouts(view)) {
      if (targets.size(view, r.id) > SMALL) continue;
      if (!names.some((n) => targets.has(view, r.id, n))) continue;
      if (this.running.has(r.id)) this.again.add(r.id);
      else void this.run(r.id).catch(() => {}); // The next tick tries again.
    }
  }

  /** Until nothing more follows. */
  private async run(id: RolloutId): Promise<void> {
    if (this.running.has(id)) return;
    this.running.add(id);
    try {
      for (let i = 0; i < MOST_IN_A_ROW; i++) {
        this.again.delete(id);
        if (!(await this.step(id)) && !this.again.has(id)) return;
      }
    } catch (e) {
      this.needs.log.debug('rollout', { id, error: String(e) });
    } finally {
      this.running.delete(id);
    }
  }

  /** Whether something may follow at once. */
  private async step(id: RolloutId): Promise<boolean> {
    let follows = false;
    await this.needs.writer.write('master', 'rollout', (view, now) => {
      const rollout = view.get('rollout', id);
      if (!rollout) return null;
      const change = new RolloutChange(this.needs, view, now);
      change.go(rollout);
      const decision = change.decision();
      const small = this.needs.targets.size(view, id) <= SMALL;
      follows = decision !== null && (small || goesOn(rollout, change.rollout(id)));
      return decision;
    });
    return follows;
  }
}

/** Not only its nodes. */
function goesOn(before: StoredRollout, after: StoredRollout | undefined): boolean {
  return after !== undefined && (after.state !== before.state || after.step !== before.step);
}
