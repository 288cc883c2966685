import type { Selector } from '../../../../proto/document/document.ts';

interface Choosable {
  readonly name: string;
  readonly backup: boolean;
  readonly weight: number;
}

interface Health {
  /** Of dials, in a row. */
  fails: number;
  lastFail: number;
  /** Of probes, in a row. */
  missed: number;
}

export interface SelectorNeeds<T> {
  readonly random: () => number;
  /** It has been out of reach for a while, as those who keep sessions to it know. */
  readonly away?: (node: T) => boolean;
}

/**
 * Chooses among the nodes of a pool. A node that failed `maxFails` times in a row is set aside for `failTimeoutMs`, or
 * until a probe succeeds; one whose probes failed that often, until one succeeds. Backups serve while no other node is
 * fit. When none is fit, all are: trying beats refusing.
 */
export class NodeSelector<T extends Choosable> {
  readonly nodes: readonly T[];
  readonly #settings: Selector;
  readonly #random: () => number;
  readonly #away: (node: T) => boolean;
  readonly #health = new Map<T, Health>();
  /** Streams and dials under way. */
  readonly #busy = new Map<T, number>();
  #turn = 0;

  constructor(nodes: readonly T[], settings: Selector, needs: SelectorNeeds<T>) {
    this.nodes = nodes;
    this.#settings = settings;
    this.#random = needs.random;
    this.#away = needs.away ?? (() => false);
  }

  /** `tried` are this stream's failures: not chosen again while another is left. `null`: the pool is empty. */
  pick(args: { tried: ReadonlySet<T>; client: string; now: number }): T | null {
    const { tried, client, now } = args;
    const fresh = this.nodes.filter((n) => !tried.has(n));
    const left = fresh.length > 0 ? fresh : this.nodes;
    const fit = left.filter((n) => !this.#setAside(n, now));
    const main = fit.filter((n) => !n.backup);
    const pool = main.length > 0 ? main : fit.length > 0 ? fit : withoutBackups(left);
    if (pool.length <= 1) return pool[0] ?? null;
    switch (this.#settings.strategy) {
      case 'fifo':
        return pool[0] ?? null;
      case 'round':
        return pool[this.#turn++ % pool.length] ?? null;
      case 'rand':
        return this.#weighted(pool);
      case 'least':
        return this.#least(pool);
      case 'hash':
        return pool[hash(client) % pool.length] ?? null;
    }
  }

  /** A dial to it begins; call what comes back when the dial has failed or the stream is over. */
  begin(node: T): () => void {
    this.#busy.set(node, this.busy(node) + 1);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const left = this.busy(node) - 1;
      if (left > 0) this.#busy.set(node, left);
      else this.#busy.delete(node);
    };
  }

  busy(node: T): number {
    return this.#busy.get(node) ?? 0;
  }

  failed(node: T, now: number): void {
    const health = this.#healthOf(node);
    health.fails += 1;
    health.lastFail = now;
  }

  worked(node: T): void {
    const health = this.#health.get(node);
    if (health === undefined) return;
    health.fails = 0;
    if (health.missed === 0) this.#health.delete(node);
  }

  /** Of a look at it without a stream. Says what that changed: set aside now, fit again, or nothing. */
  probed(node: T, ok: boolean, now: number): 'aside' | 'fit' | null {
    const before = this.#setAside(node, now);
    if (ok) this.#health.delete(node);
    else this.#healthOf(node).missed += 1;
    const after = this.#setAside(node, now);
    return before === after ? null : after ? 'aside' : 'fit';
  }

  #healthOf(node: T): Health {
    const health = this.#health.get(node) ?? { fails: 0, lastFail: 0, missed: 0 };
    this.#health.set(node, health);
    return health;
  }

  #setAside(node: T, now: number): boolean {
    if (this.#away(node)) return true;
    const health = this.#health.get(node);
    if (health === undefined) return false;
    const { maxFails, failTimeoutMs } = this.#settings;
    const enough = Math.max(1, maxFails);
    return health.missed >= enough || (health.fails >= enough && now - health.lastFail < failTimeoutMs);
  }

  /** The fewest for its weight; those alike take turns. */
  #least(pool: readonly T[]): T | null {
    const load = (n: T): number => this.busy(n) / Math.max(1, n.weight);
    const least = Math.min(...pool.map(load));
    const alike = pool.filter((n) => load(n) === least);
    return alike[this.#turn++ % alike.length] ?? null;
  }

  #weighted(pool: readonly T[]): T | null {
    const total = pool.reduce((sum, n) => sum + Math.max(0, n.weight), 0);
    let at = this.#random() * total;
    for (const n of pool) {
      at -= Math.max(0, n.weight);
      if (at < 0) return n;
    }
    return pool.at(-1) ?? null;
  }
}

function withoutBackups<T extends Choosable>(nodes: readonly T[]): readonly T[] {
  const main = nodes.filter((n) => !n.backup);
  return main.length > 0 ? main : nodes;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}
