import type { FollowedLines } from '../../proto/vocab/agent-link.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { LogSink } from './api.ts';
import { madeSafe } from './ingest.ts';
import type { AgentLink, Clock, Random } from './ports.ts';

const LONGEST_MS = 10 * 60_000;
const MOST_FIRST = 1000;
/** Lines of one follow in all. */
const MOST_LINES = 10_000;
/** At once, of one node and of all: each costs the node a look twice a second. */
const MOST_A_NODE = 4;
const MOST = 64;

interface Follow {
  readonly id: string;
  readonly name: NodeName;
  readonly sink: LogSink;
  readonly until: Millis;
  left: number;
}

/** Logs of nodes that somebody follows: in memory, bounded in lines and time; a reader that is slow is left behind. */
export class FollowedLogs {
  private readonly needs: { link: AgentLink; clock: Clock; random: Random };
  private readonly byId = new Map<string, Follow>();

  constructor(needs: { link: AgentLink; clock: Clock; random: Random }) {
    this.needs = needs;
  }

  /** @throws AppError `unavailable` when the node is not here, `conflict` when too many follow already */
  begin(name: NodeName, args: { lines: number; maxMs: number }, sink: LogSink): { close(): void } {
    const { link, clock, random } = this.needs;
    const lines = Math.min(Math.max(0, Math.round(args.lines)), MOST_FIRST);
    const maxMs = Math.min(Math.max(1, args.maxMs || LONGEST_MS), LONGEST_MS);
    if (!link.connected(name)) {
      throw new AppError('unavailable', `${name} is not connected: its last lines are on its page`);
    }
    const mine = [...this.byId.values()].filter((f) => f.name === name).length;
    if (mine >= MOST_A_NODE || this.byId.size >= MOST) {
      throw new AppError('conflict', 'too many follow logs at the moment: end one of them first');
    }
    const id = random.hex(8);
    this.byId.set(id, { id, name, sink, until: clock.now() + maxMs, left: MOST_LINES });
    link.followLogs(name, { id, lines, maxMs });
    return {
      close: () => {
        if (this.byId.delete(id)) link.endFollow(name, id);
      },
    };
  }

  /** What a node says of a log; of one that nobody follows any more it is told to be quiet. */
  take(name: NodeName, said: FollowedLines): void {
    const { link, clock } = this.needs;
    const follow = this.byId.get(said.followId);
    if (!follow || follow.name !== name) {
      if (said.ended === null) link.endFollow(name, said.followId);
      return;
    }
    const lines = said.lines.map(madeSafe);
    if (said.dropped > 0) {
      const text = `… ${said.dropped} lines are left out here: they came faster than the link`;
      lines.unshift({ at: clock.now(), level: 'warn', text });
    }
    for (const line of lines.slice(0, follow.left)) {
      if (follow.sink.line(line)) continue;
      this.end(follow, 'too slow: the lines came faster than they were read');
      return;
    }
    follow.left -= lines.length;
    if (follow.left <= 0) this.end(follow, `${MOST_LINES} lines were told: follow anew for more`);
    if (said.ended !== null) this.end(follow, said.ended === '' ? 'the node ended it' : said.ended, false);
  }

  /** The node is gone: its logs end. */
  gone(name: NodeName, reason: string): void {
    for (const f of [...this.byId.values()]) if (f.name === name) this.end(f, reason, false);
  }

  /** Time is up, by our own clock: a node may be silent. */
  tick(now: Millis): void {
    for (const f of [...this.byId.values()]) if (now >= f.until) this.end(f, 'its time is over');
  }

  endAll(reason: string): void {
    for (const f of [...this.byId.values()]) this.end(f, reason);
  }

  private end(f: Follow, reason: string, tell = true): void {
    if (!this.byId.delete(f.id)) return;
    if (tell) this.needs.link.endFollow(f.name, f.id);
    f.sink.end(reason);
  }
}
