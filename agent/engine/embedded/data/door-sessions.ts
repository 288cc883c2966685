import type { Duplex } from 'node:stream';
import { type SmuxLimits, SmuxSession } from '../wire/smux-session.ts';
import { every } from './every.ts';
import { Leg } from './leg.ts';
import { smuxWire, type Ways } from './wires.ts';

/** Streams that were under way when their session was asked for no more get this long to arrive. */
const GRACE_MS = 5_000;

/** Who is let in, and where their streams go. */
export interface Door {
  readonly door: string;
  readonly accept: (leg: Leg) => void;
}

interface Guest {
  readonly session: SmuxSession;
  readonly ours: boolean;
  readonly door: string;
  accept: (leg: Leg) => void;
  /** no -> told -> due, when the grace is over. A peer that is not ours cannot be told. */
  leaving: 'no' | 'told' | 'due';
  grace: NodeJS.Timeout | null;
}

/**
 * The smux sessions that came in at a port. They outlive changes of the service: a new stream of theirs belongs to
 * the service of its time. When the door changes, those let in before are asked to open nothing more; what they open
 * all the same goes where it went before, and after a grace nowhere. Who was asked to leave ends with the last stream.
 */
export class DoorSessions {
  readonly #guests = new Set<Guest>();
  #door: string | null = null;
  #leaving = false;
  #limits: SmuxLimits = {};

  add(carrier: Duplex, as: Door & { ways: Ways; ours: boolean }): void {
    const { ways, ours, door, accept } = as;
    const session = new SmuxSession(
      carrier,
      { role: 'server', words: ours, ...this.#limits },
      {
        every,
        onOver: () => {
          if (guest.grace !== null) clearTimeout(guest.grace);
          this.#guests.delete(guest);
        },
        onStream: (stream) => {
          if (this.#door !== door && guest.leaving === 'due') {
            stream.resetAndDestroy();
            return;
          }
          stream.once('close', () => this.#endIdle(guest));
          guest.accept(new Leg(smuxWire({ stream, ways, ours })));
        },
      },
    );
    const guest: Guest = { session, ours, door, accept, leaving: 'no', grace: null };
    this.#guests.add(guest);
    this.#look(guest);
  }

  /** Null: closed. */
  turn(to: Door | null): void {
    this.#door = to?.door ?? null;
    for (const guest of this.#guests) {
      if (to !== null && to.door === guest.door) guest.accept = to.accept;
      this.#look(guest);
    }
  }

  /** Of those that are here, too. */
  tune(limits: SmuxLimits): void {
    this.#limits = limits;
    for (const { session } of this.#guests) session.tune(limits);
  }

  /** Sessions are asked to leave: their peers dial anew, and find another process. */
  leave(): void {
    this.#leaving = true;
    for (const guest of this.#guests) this.#look(guest);
  }

  /** Everything is cut. */
  stop(): void {
    this.#door = null;
    for (const { session } of this.#guests) session.close();
  }

  #look(guest: Guest): void {
    const goes = this.#leaving || guest.door !== this.#door;
    if (!guest.ours) guest.leaving = goes ? 'due' : 'no';
    else if (goes && guest.leaving === 'no') {
      guest.leaving = 'told';
      guest.session.leave();
      guest.grace = setTimeout(() => {
        guest.leaving = 'due';
        this.#endIdle(guest);
      }, GRACE_MS);
      guest.grace.unref();
    }
    this.#endIdle(guest);
  }

  /** One that was told ends it itself, when it has heard. */
  #endIdle({ session, leaving }: Guest): void {
    if (leaving === 'due' && session.streams === 0) session.close();
  }
}
