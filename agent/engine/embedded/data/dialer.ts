import { connect, type Dialled, type DialNeeds, dial } from './dial.ts';
import { HopSessions } from './hop-sessions.ts';
import type { DataNode } from './messages.ts';
import type { SteadyLog } from './steady-log.ts';

interface Hop {
  readonly sessions: HopSessions;
  readonly unwatch: () => void;
}

type DialerNeeds = Omit<DialNeeds, 'timeoutMs' | 'signal'> & { log: SteadyLog; random: () => number };

/** Ways to nodes: a connection a stream, or a stream of the sessions kept to the node. Shared by all services. */
export class Dialer {
  readonly #needs: DialerNeeds;
  readonly #hops = new Map<string, Hop>();
  /** Names somebody may dial: known before, and no older than their TTL when DNS fails. */
  readonly #known = new Map<string, () => void>();
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

  /** From now on these are the nodes: sessions to others end with their last stream, missing ones are dialled. */
  keep(nodes: readonly DataNode[]): void {
    this.#knowNames(new Set(nodes.map((n) => n.host)));
    const wanted = new Set(nodes.filter((n) => n.over.sessions > 0).map(keyOf));
    for (const [key, { sessions, unwatch }] of this.#hops) {
      if (wanted.has(key)) continue;
      unwatch();
      sessions.retire();
      this.#hops.delete(key);
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
    this.#hops.clear();
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
    const key = keyOf(node);
    const found = this.#hops.get(key);
    if (found !== undefined) return found.sessions;
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
}

function keyOf({ host, port, tls, over }: DataNode): string {
  return JSON.stringify([host, port, tls?.material, tls?.peers, tls?.serverName, over]);
}
