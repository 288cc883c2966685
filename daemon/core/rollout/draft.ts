import type { NodeName } from '../../../proto/vocab/ids.ts';
import type { Advance, NodeFacts, Said, StoredRollout, StoredTarget, World } from './facts.ts';
import { type Counts, countsOf } from './tally.ts';
import type { Moment } from './target.ts';

/** One advance at work: what it started from, and what has changed so far. Lives as long as the call. */
export class Draft {
  readonly targets = new Map<NodeName, StoredTarget>();
  readonly before: StoredRollout;
  readonly facts: ReadonlyMap<NodeName, NodeFacts>;
  readonly world: World;
  readonly events: Said[] = [];
  rollout: StoredRollout;
  /** As they were, those that were changed. */
  readonly #was = new Map<NodeName, StoredTarget>();
  #counts: Counts | null = null;

  constructor(
    rollout: StoredRollout,
    targets: readonly StoredTarget[],
    facts: ReadonlyMap<NodeName, NodeFacts>,
    world: World,
  ) {
    this.before = rollout;
    this.rollout = rollout;
    this.facts = facts;
    this.world = world;
    for (const t of targets) this.targets.set(t.node, t);
  }

  put(t: StoredTarget): void {
    const before = this.targets.get(t.node);
    if (before === undefined || before === t) return;
    if (!this.#was.has(t.node)) this.#was.set(t.node, before);
    this.targets.set(t.node, t);
    this.#counts = null;
  }

  /** Every target through an arrow. */
  each(f: (t: StoredTarget, facts: NodeFacts | undefined) => StoredTarget): void {
    for (const t of this.targets.values()) {
      const next = f(t, this.facts.get(t.node));
      if (next !== t) this.put(next);
    }
  }

  get counts(): Counts {
    this.#counts ??= countsOf(this.targets.values());
    return this.#counts;
  }

  say(level: Said['level'], text: string): void {
    this.events.push({ level, text: `rollout ${this.rollout.id}: ${text}` });
  }

  /** Those that came into a state with this advance. */
  newly(state: StoredTarget['state']): StoredTarget[] {
    return this.#changed().filter((t) => t.state === state && this.#was.get(t.node)?.state !== state);
  }

  /** Nodes come to rest or take their turn: the step makes progress. */
  get progressed(): boolean {
    for (const [node, was] of this.#was) {
      const is = this.targets.get(node)?.state ?? was.state;
      if (is !== was.state && PROGRESS.has(is)) return true;
    }
    return false;
  }

  /** In the order of all. */
  #changed(): StoredTarget[] {
    if (this.#was.size === 0) return [];
    return [...this.targets.values()].filter((t) => {
      const was = this.#was.get(t.node);
      return was !== undefined && was !== t;
    });
  }

  done(m: Moment, wantsReading: Advance['wantsReading']): Advance {
    const targets = this.#changed();
    const was = (t: StoredTarget): boolean => this.#was.get(t.node)?.released ?? false;
    const rollout =
      this.rollout === this.before && targets.length === 0
        ? this.before
        : { ...this.rollout, updatedAt: m.now };
    return {
      rollout,
      targets,
      release: targets.filter((t) => t.released && !was(t)).map((t) => t.node),
      takeBack: targets.filter((t) => !t.released && was(t)).map((t) => t.node),
      wantsReading,
      events: this.events,
    };
  }
}

const PROGRESS: ReadonlySet<StoredTarget['state']> = new Set(['offered', 'soaking', 'healthy', 'failed']);
