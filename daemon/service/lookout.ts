import type { Millis } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { SeenNode } from '../core/alert/lost.ts';
import type { Snapshot } from './ports.ts';
import type { Sessions } from './sessions.ts';

interface Look {
  readonly nodes: readonly Node[];
  readonly alerted: ReadonlySet<string>;
  readonly listensSince: Millis;
  readonly at: Millis;
  /** Nothing of it can be another before, unless somebody is heard of. */
  readonly until: Millis;
  readonly calm: readonly SeenNode[];
  readonly doubtful: readonly Node[];
}

/**
 * Which nodes have to be asked whether they are down. Of ten thousand nearly all were heard of just now and cannot be
 * before a known moment, so all of them are looked at only when that comes, or one of them is another.
 */
export class Lookout {
  private readonly sessions: Sessions;
  private last: Look | null = null;

  constructor(sessions: Sessions) {
    this.sessions = sessions;
  }

  /**
   * @param alerted names of those that there is an alert of
   * @returns `doubtful`: down, or alerted, or not known yet; `calm`: the others that were ready once, none of them down
   */
  look(view: Snapshot, alerted: ReadonlySet<string>, now: Millis): Pick<Look, 'calm' | 'doubtful'> {
    const nodes = view.list('node');
    this.sessions.passes(now);
    const { listensSince } = this.sessions;
    const { last } = this;
    if (
      last !== null &&
      last.nodes === nodes &&
      last.alerted === alerted &&
      last.listensSince === listensSince &&
      now >= last.at &&
      now < last.until
    )
      return last;
    this.last = { nodes, alerted, listensSince, at: now, ...this.all(nodes, alerted, now) };
    return this.last;
  }

  private all(
    nodes: readonly Node[],
    alerted: ReadonlySet<string>,
    now: Millis,
  ): Pick<Look, 'calm' | 'doubtful' | 'until'> {
    const calm: SeenNode[] = [];
    const doubtful: Node[] = [];
    let until = Number.POSITIVE_INFINITY;
    for (const node of nodes) {
      // One that was revoked is to be away.
      if (node.identity !== 'accepted') continue;
      const status = this.sessions.status(node, now, nodes.length);
      if (status === 'down' || status === 'unknown' || alerted.has(node.name)) {
        doubtful.push(node);
        continue;
      }
      until = Math.min(until, this.sessions.downAt(node, now, nodes.length));
      // One that was never ready cannot be lost.
      if (node.initialized) calm.push({ name: node.name, region: node.region, status, downSince: null });
    }
    return { calm, doubtful, until };
  }
}
