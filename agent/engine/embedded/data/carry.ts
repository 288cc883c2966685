import type { Counters } from './counters.ts';
import type { CutBy, Leg } from './leg.ts';
import { Turns } from './turns.ts';

/** What carrying one stream needs to know about where it lies. */
export interface Carried {
  readonly client: Leg;
  readonly up: Leg;
  readonly counters: Counters;
  /** Whom to blame when a leg dies and nobody told why. */
  readonly near: CutBy;
  readonly far: CutBy;
  /** The upstream's end cannot be told from a cut: in the middle of an answer it is taken for one. */
  readonly doubtUp: boolean;
  /** Reads the relay response off the upstream's first bytes; the length of it, 0 for more, < 0 gave up. */
  readonly preface: ((bytes: Buffer) => number) | null;
  /** False while the relay response is awaited: a loss then is a failed connection, not an aborted stream. */
  readonly standing: () => boolean;
  readonly turns: boolean;
  readonly clock: () => number;
  /** The upstream was lost before it stood. */
  readonly onFault: (why: string) => void;
  readonly onOver: () => void;
}

export interface Stream {
  /** Cuts it from outside; `by` is told to both sides. */
  readonly fail: (by: CutBy) => void;
}

/**
 * Joins two legs: every chunk at once, back-pressure both ways, each direction ended on its own, and what is cut on
 * one side is cut on the other: a truncated answer never looks complete. The stream was counted `opened` before.
 */
export function carry(c: Carried): Stream {
  const { client, up, counters, clock } = c;
  const turns = c.turns ? new Turns(counters) : null;
  let open = 2;
  let over = false;
  let blamed = false;

  const blame = (by: CutBy): void => {
    if (!blamed) counters.aborted(by);
    blamed = true;
  };

  const finish = (): void => {
    over = true;
    if (turns === null) counters.request();
    counters.closed += 1;
    c.onOver();
  };

  const cut = (by: CutBy, from: Leg | null): void => {
    finish();
    for (const leg of [client, up]) {
      if (leg === from) leg.reset();
      else leg.cut(by);
    }
  };

  const lost = (by: CutBy, from: Leg, why: string): void => {
    if (over) return;
    if (from === up && !c.standing()) c.onFault(why);
    else if (turns === null || turns.opaque || turns.outstanding) blame(by);
    cut(by, from);
  };

  const closed = (): void => {
    open -= 1;
    if (open === 0 && !over) finish();
  };

  client.attach({
    data: (chunk) => {
      counters.bytesIn += chunk.length;
      if (!up.write(chunk)) client.pause();
      turns?.fromClient(chunk, clock());
    },
    end: () => {
      up.end();
      // An ending socket no longer says `drain`; a sealed leg held back by it would never hear of a cut.
      client.resume();
    },
    lost: (by, why) => lost(by ?? c.near, client, why),
    drain: () => up.resume(),
    closed,
  });
  up.attach(
    {
      data: (chunk) => {
        counters.bytesOut += chunk.length;
        if (!client.write(chunk)) up.pause();
        turns?.fromOrigin(chunk, clock());
      },
      end: () => {
        turns?.originEnd();
        if (turns?.answering && c.doubtUp) {
          lost(c.far, up, 'ended in the middle of an answer');
          return;
        }
        if (turns?.outstanding) blame(up.sealed ? 'origin' : c.far);
        client.end();
        up.resume();
      },
      lost: (by, why) => lost(by ?? c.far, up, why),
      drain: () => client.resume(),
      closed,
    },
    c.preface ?? undefined,
  );
  return {
    fail: (by) => {
      if (!over) cut(by, null);
    },
  };
}
