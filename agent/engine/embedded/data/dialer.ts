import { connect, type Dialled, type DialNeeds, dial } from './dial.ts';
import { HopSessions } from './hop-sessions.ts';
import type { DataNode } from './messages.ts';
import type { SteadyLog } from './steady-log.ts';

interface Hop {
  readonly sessions: HopSessions;
  readonly unwatch: () => void;
}

type DialerNeeds = Omit<DialNeeds, 'timeoutMs' | 'signal'> & { log: SteadyLog; random: () => number };

/** Without any session for this long a node is passed over. */
const AWAY_MS = 3_000;
/** Hops that are no longer used are remembered, the newest of them. */
const MOST_RETIRED = 64;

/** Ways to nodes: a connection a stream, or a stream of the sessions kept to the node. Shared by all services. */
export class Dialer {
  readonly #needs: DialerNeeds;
  readonly #hops = new Map<string, Hop>();
  /** For streams that came before they were given up: no sessions are kept for those. */
  readonly #retired = new Map<string, HopSessions>();
  /** Names somebody may dial: known before, and no older than their TTL when DNS fails. */
  readonly #known = new Map<string, () => void>();
  readonly #keys = new WeakMap<DataNode, string>();
  #stopped = false;

  constructor(needs: DialerNeeds) {
    this.#needs = needs;
  }

  /** `signal`: nobody waits any more. */
  dial(node: DataNode, timeoutMs: number, signal: AbortSignal): Promise<Dialled> {
    if (node.over.sessions > 0) return this.#sessionsOf(node).open(timeoutMs);
    return dial(node, { ...this.#needs, timeoutMs, signal });
  }

  /** Shakes hands and opens no stream. Null: it answers. */
  async reach(node: DataNode, timeoutMs: number): Promise<string | null> {
    if (node.over.sessions > 0) return (await this.#sessionsOf(node).reach(timeoutMs))?.why ?? null;
    const dialled = await dial(node, { ...this.#needs, timeoutMs });
    if (!dialled.ok) return dialled.why;
    dialled.leg.socket.destroy();
    return null;
  }

  /** As `reach`, but never by a session that is there: its peer may have fallen silent. Null: it answers. */
  async probe(node: DataNode, timeoutMs: number): Promise<string | null> {
    const connected = await connect(node, { ...this.#needs, timeoutMs });
    if (!connected.ok) return connected.why;
    connected.carrier.destroy();
    return null;
  }

  /** Sessions are kept to it, and for a while none has stood: as good as a probe that failed. */
  away(node: DataNode): boolean {
    if (node.over.sessions === 0) return false;
    const since = this.#hops.get(this.#keyOf(node))?.sessions.awaySince ?? null;
    return since !== null && this.#needs.now() - since >= AWAY_MS;
  }

  /** From now on these are the nodes: sessions to others end with their last stream, missing ones are dialled. */
  keep(nodes: readonly DataNode[]): void {
    this.#knowNames(new Set(nodes.map((n) => n.host)));
    const wanted = new Set(nodes.filter((n) => n.over.sessions > 0).map((n) => this.#keyOf(n)));
    for (const key of wanted) this.#retired.delete(key);
    for (const [key, { sessions, unwatch }] of this.#hops) {
      if (wanted.has(key)) continue;
      unwatch();
      sessions.retire();
      this.#hops.delete(key);
      this.#retired.set(key, sessions);
      const [oldest] = this.#retired.keys();
      if (this.#retired.size > MOST_RETIRED && oldest !== undefined) this.#retired.delete(oldest);
    }
    for (const node of nodes) if (node.over.sessions > 0) this.#sessionsOf(node);
  }

  /** Everything is cut. */
  stop(): void {
    this.#stopped = true;
    for (const { sessions, unwatch } of this.#hops.values()) {
      unwatch();
      sessions.stop();
    }
    for (const sessions of this.#retired.values()) sessions.stop();
    this.#hops.clear();
    this.#retired.clear();
    this.#needs.names.stop();
  }

  #knowNames(hosts: ReadonlySet<string>): void {
    for (const [host, unwatch] of this.#known) {
      if (hosts.has(host)) continue;
      unwatch();
      this.#known.delete(host);
    }
    for (const host of hosts)
      if (!this.#known.has(host))
        this.#known.set(
          host,
          this.#needs.names.watch(host, () => undefined),
        );
  }

  #sessionsOf(node: DataNode): HopSessions {
    const key = this.#keyOf(node);
    const found = this.#hops.get(key)?.sessions ?? this.#retired.get(key);
    if (found !== undefined) return found;
    const { now, random, names } = this.#needs;
    const at = `${node.name} (${node.host}:${node.port})`;
    const sessions = new HopSessions(node, {
      now,
      random,
      connect: (n, timeoutMs) => connect(n, { ...this.#needs, timeoutMs }),
      say: (why) => this.#needs.log.say('warn', at, `a session is gone: ${why}`),
    });
    if (this.#stopped) sessions.stop();
    else {
      const unwatch = names.watch(node.host, (addresses) => sessions.moved(addresses));
      this.#hops.set(key, { sessions, unwatch });
    }
    return sessions;
  }

  /** What makes two of them one hop; asked for with every stream. */
  #keyOf(node: DataNode): string {
    const known = this.#keys.get(node);
    if (known !== undefined) return known;
    const { host, port, tls, over } = node;
    const key = JSON.stringify([host, port, tls?.material, tls?.peers, tls?.serverName, over]);
    this.#keys.set(node, key);
    return key;
  }
}
