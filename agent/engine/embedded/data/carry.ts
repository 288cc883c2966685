import { Brake } from './brake.ts';
import type { Counters } from './counters.ts';
import type { Pace } from './guard.ts';
import { HeldEnd } from './held-end.ts';
import type { CutBy, Leg, LegEvents } from './leg.ts';
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
  /** `in` is from the client. */
  readonly pace: Pace | null;
  readonly turns: boolean;
  readonly clock: () => number;
  /** The upstream was lost before it stood. */
  readonly onFault: (why: string) => void;
  readonly onOver: () => void;
}

export interface Stream {
  /** Cuts it from outside; `by` is told to both sides. */
  fail(by: CutBy): void;
}

/**
 * Joins two legs: every chunk at once, back-pressure both ways, each direction ended on its own, and what is cut on
 * one side is cut on the other: a truncated answer never looks complete. The stream was counted `opened` before.
 */
export function carry(c: Carried): Stream {
  return new Joined(c);
}

// Classes, not closures: there are two sides and a join for every idle connection.

class Joined implements Stream {
  readonly c: Carried;
  readonly turns: Turns | null;
  readonly brakeIn: Brake | null;
  readonly brakeOut: Brake | null;
  /** Of the client, where the upstream must not hear of it yet. */
  heldEnd: HeldEnd | null = null;
  #open = 2;
  #over = false;
  #blamed = false;
  /** The client ended before its answer was whole. */
  left = false;

  constructor(c: Carried) {
    this.c = c;
    this.turns = c.turns ? new Turns(c.counters) : null;
    const { client, up, pace } = c;
    this.brakeIn = pace?.in ? new Brake({ from: client, to: up, early: pace.in }) : null;
    this.brakeOut = pace?.out ? new Brake({ from: up, to: client, early: pace.out }) : null;
    c.client.attach(new ClientSide(this));
    c.up.attach(new UpSide(this), c.preface ?? undefined);
  }

  fail(by: CutBy): void {
    if (!this.#over) this.#cut(by, null);
  }

  /** An origin that sees its client leave breaks off what nobody waits for any more: that is the client's doing. */
  blame(by: CutBy): void {
    if (!this.#blamed) this.c.counters.aborted(this.left && by === 'origin' ? 'client' : by);
    this.#blamed = true;
  }

  lost(by: CutBy, from: Leg, why: string): void {
    if (this.#over) return;
    const { c, turns } = this;
    if (from === c.up && !c.standing()) c.onFault(why);
    else if (turns === null || turns.opaque || turns.outstanding) this.blame(by);
    this.#cut(by, from);
  }

  closed(): void {
    this.#open -= 1;
    if (this.#open === 0 && !this.#over) this.#finish();
  }

  #finish(): void {
    this.#over = true;
    this.brakeIn?.off();
    this.brakeOut?.off();
    this.heldEnd?.off();
    if (this.turns === null) this.c.counters.request();
    this.c.counters.closed += 1;
    this.c.onOver();
  }

  #cut(by: CutBy, from: Leg | null): void {
    this.#finish();
    for (const leg of [this.c.client, this.c.up]) {
      if (leg === from) leg.reset();
      else leg.cut(by);
    }
  }
}

class ClientSide implements LegEvents {
  readonly #joined: Joined;

  constructor(joined: Joined) {
    this.#joined = joined;
  }

  data(chunk: Buffer): void {
    const { c, turns, brakeIn } = this.#joined;
    c.counters.bytesIn += chunk.length;
    if (!c.up.write(chunk)) c.client.pause();
    brakeIn?.after(chunk.length);
    turns?.fromClient(chunk, c.clock());
  }

  end(): void {
    const { c, turns } = this.#joined;
    this.#joined.left = turns?.outstanding === true;
    if (!c.up.halves) this.#joined.heldEnd = new HeldEnd(c.up, turns);
    else c.up.end();
    // An ending socket no longer says `drain`; a sealed leg held back by it would never hear of a cut.
    c.client.resume();
  }

  lost(by: CutBy | null, why: string): void {
    const { c } = this.#joined;
    this.#joined.lost(by ?? c.near, c.client, why);
  }

  drain(): void {
    if (!this.#joined.brakeOut?.on) this.#joined.c.up.resume();
  }

  closed(): void {
    this.#joined.closed();
  }
}

class UpSide implements LegEvents {
  readonly #joined: Joined;

  constructor(joined: Joined) {
    this.#joined = joined;
  }

  data(chunk: Buffer): void {
    const { c, turns, brakeOut } = this.#joined;
    c.counters.bytesOut += chunk.length;
    if (!c.client.write(chunk)) c.up.pause();
    brakeOut?.after(chunk.length);
    turns?.fromOrigin(chunk, c.clock());
    this.#joined.heldEnd?.said();
  }

  end(): void {
    const { c, turns } = this.#joined;
    turns?.originEnd();
    if (turns?.answering && c.doubtUp) {
      this.#joined.lost(this.#joined.left ? 'client' : c.far, c.up, 'ended in the middle of an answer');
      return;
    }
    if (turns?.outstanding) this.#joined.blame(c.up.sealed ? 'origin' : c.far);
    c.client.end();
    this.#joined.heldEnd?.tell();
    c.up.resume();
  }

  lost(by: CutBy | null, why: string): void {
    const { c } = this.#joined;
    this.#joined.lost(by ?? c.far, c.up, why);
  }

  drain(): void {
    if (!this.#joined.brakeIn?.on) this.#joined.c.client.resume();
  }

  closed(): void {
    this.#joined.closed();
  }
}
