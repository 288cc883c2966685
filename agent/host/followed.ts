import type { FollowedLines } from '../../proto/vocab/agent-link.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { LogLine } from '../../proto/vocab/metrics.ts';
import type { OwnLines } from '../core/own-lines.ts';
import type { Engine } from '../engine/port.ts';

export interface Follow {
  readonly followId: string;
  /** Of what is there already. */
  readonly lines: number;
  readonly maxMs: number;
}

interface Following extends Follow {
  readonly until: Millis;
  readonly timer: NodeJS.Timeout;
  /** The engine's process that its `seq` is of. */
  instance: string;
  seq: number;
  ownSeq: number;
  /** What the link has not taken yet, oldest first. */
  waiting: LogLine[];
  dropped: number;
  looking: boolean;
}

export interface FollowedNeeds {
  readonly engine: Engine;
  readonly own: OwnLines;
  readonly instance: () => string;
  /** False: the link cannot take it now. */
  readonly send: (lines: FollowedLines) => boolean;
  readonly now: () => Millis;
}

const LOOK_MS = 500;
const MOST = 8;
const MOST_A_MESSAGE = 64;
/** Of one follow, that wait for the link. */
const MOST_WAITING = 1000;
const LONGEST_LINE = 1024;

/** Logs that the master follows: the engine's lines and our own as they come. What waits for the link is bounded; the rest is counted. */
export class Followed {
  readonly #needs: FollowedNeeds;
  readonly #byId = new Map<string, Following>();

  constructor(needs: FollowedNeeds) {
    this.#needs = needs;
  }

  begin(follow: Follow): void {
    const { now, send } = this.#needs;
    const { followId } = follow;
    if (this.#byId.has(followId)) return;
    if (this.#byId.size >= MOST) {
      send({ followId, lines: [], dropped: 0, ended: 'too many follow this node’s log' });
      return;
    }
    const timer = setInterval(() => void this.#look(followId), LOOK_MS);
    timer.unref();
    const begun = { instance: '', seq: 0, ownSeq: 0, waiting: [], dropped: 0, looking: false };
    this.#byId.set(followId, { ...follow, ...begun, until: now() + follow.maxMs, timer });
    void this.#look(followId, follow.lines);
  }

  end(followId: string): void {
    const f = this.#byId.get(followId);
    if (!f) return;
    clearInterval(f.timer);
    this.#byId.delete(followId);
  }

  /** Another conversation begins: what was followed in the last one is asked for anew, or not. */
  endAll(): void {
    for (const id of [...this.#byId.keys()]) this.end(id);
  }

  /** @param last only so many of what is there */
  async #look(followId: string, last?: number): Promise<void> {
    const f = this.#byId.get(followId);
    if (!f || f.looking) return;
    f.looking = true;
    try {
      const found = await this.#lines(f);
      f.waiting.push(...(last === undefined ? found : last === 0 ? [] : found.slice(-last)));
      const surplus = Math.max(0, f.waiting.length - MOST_WAITING);
      f.dropped += surplus;
      f.waiting.splice(0, surplus);
      this.#flush(f);
    } finally {
      f.looking = false;
    }
    if (this.#byId.has(followId) && this.#needs.now() >= f.until) {
      this.#needs.send({ followId, lines: [], dropped: f.dropped, ended: 'its time is over' });
      this.end(followId);
    }
  }

  async #lines(f: Following): Promise<readonly LogLine[]> {
    const { engine, own, instance } = this.#needs;
    const now = instance();
    if (now !== f.instance) {
      f.instance = now;
      f.seq = 0;
    }
    const mine = own.after(f.ownSeq);
    f.ownSeq = mine.at(-1)?.seq ?? f.ownSeq;
    const theirs =
      now === ''
        ? []
        : await engine.logs(f.seq, 1000).then(
            (l) => l.lines,
            () => [],
          );
    f.seq = theirs.at(-1)?.seq ?? f.seq;
    return [...theirs, ...mine]
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, level, text }) => ({ at, level, text: text.slice(0, LONGEST_LINE) }));
  }

  /** The link takes more. */
  flush(): void {
    for (const f of this.#byId.values()) this.#flush(f);
  }

  #flush(f: Following): void {
    while (f.waiting.length > 0) {
      const lines = f.waiting.slice(0, MOST_A_MESSAGE);
      if (!this.#needs.send({ followId: f.followId, lines, dropped: f.dropped, ended: null })) return;
      f.waiting.splice(0, lines.length);
      f.dropped = 0;
    }
  }
}
