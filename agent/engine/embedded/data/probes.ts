import type { DataNode, Pool } from './messages.ts';
import type { NodeSelector } from './selector.ts';
import type { SteadyLog } from './steady-log.ts';

/** The first one comes within this, not with those of every other process that has just got the same document. */
const FIRST_MS = 1_000;
/** From one to the next: the interval, give or take this share of it. */
const JITTER = 0.2;

export interface ProbesNeeds {
  /** Shakes hands and opens no stream; null: it answers. */
  readonly probe: (node: DataNode, timeoutMs: number) => Promise<string | null>;
  readonly selectorOf: (pool: Pool) => NodeSelector<DataNode>;
  readonly after: (ms: number, run: () => void) => () => void;
  readonly now: () => number;
  readonly random: () => number;
  readonly log: SteadyLog;
}

interface Watch {
  readonly stop: () => void;
}

/**
 * Looks after the nodes that have a probe, one look at a node at a time. Each process of a node does so for itself: what
 * it cannot reach it does not use, and nobody has to be asked.
 */
export class Probes {
  readonly #needs: ProbesNeeds;
  /** By what their pools are. */
  readonly #pools = new Map<string, readonly Watch[]>();

  constructor(needs: ProbesNeeds) {
    this.#needs = needs;
  }

  /** From now on these are the pools; those of no pool are no longer looked after. */
  keep(pools: readonly Pool[]): void {
    const wanted = new Map(pools.map((p) => [JSON.stringify(p), p]));
    for (const [key, watches] of this.#pools) {
      if (wanted.has(key)) continue;
      for (const w of watches) w.stop();
      this.#pools.delete(key);
    }
    for (const [key, pool] of wanted) {
      if (this.#pools.has(key)) continue;
      const selector = this.#needs.selectorOf(pool);
      // The selector's own: it may be of an equal pool that came earlier.
      const watches = selector.nodes.map((n) => this.#watch(pool.name, n, selector));
      this.#pools.set(key, watches);
    }
  }

  stop(): void {
    this.keep([]);
  }

  #watch(pool: string, node: DataNode, selector: NodeSelector<DataNode>): Watch {
    const { probe, after, random, now, log } = this.#needs;
    if (node.probe === undefined) return { stop: () => undefined };
    const { intervalMs, timeoutMs } = node.probe;
    let stopped = false;
    let cancel: () => void = () => undefined;
    const look = async (): Promise<void> => {
      const why = await probe(node, timeoutMs);
      if (stopped) return;
      const turned = selector.probed(node, why === null, now());
      const at = `hop ${pool}`;
      if (turned === 'fit') log.say('info', at, `${node.name} answers again`);
      if (turned === 'aside') log.say('warn', at, `set aside until it answers a probe: ${why ?? ''}`);
      cancel = after(intervalMs * (1 - JITTER + 2 * JITTER * random()), () => void look());
    };
    cancel = after(Math.min(FIRST_MS, intervalMs) * random(), () => void look());
    return {
      stop: () => {
        stopped = true;
        cancel();
      },
    };
  }
}
