import type { Duplex } from 'node:stream';
import { SmuxSession } from '../wire/smux-session.ts';
import { every } from './every.ts';
import { Leg } from './leg.ts';
import { smuxWire, type Ways } from './wires.ts';

interface Guest {
  readonly session: SmuxSession;
  readonly door: string;
}

/**
 * The smux sessions that came in at a port. They outlive changes of the service: a new stream of theirs belongs to
 * the service of its time. `door` says who is let in; when it changes, those let in before open nothing more.
 */
export class DoorSessions {
  readonly #accept: (leg: Leg) => void;
  readonly #guests = new Set<Guest>();
  #door: string | null = null;
  #leaving = false;

  constructor(accept: (leg: Leg) => void) {
    this.#accept = accept;
  }

  add(carrier: Duplex, as: { ways: Ways; ours: boolean; door: string }): void {
    const { ways, ours, door } = as;
    const session = new SmuxSession(
      carrier,
      { role: 'server' },
      {
        every,
        onOver: () => this.#guests.delete(guest),
        onStream: (stream) => {
          if (this.#door !== door) {
            stream.resetAndDestroy();
            return;
          }
          stream.once('close', () => this.#leave(guest));
          this.#accept(new Leg(smuxWire({ stream, ways, ours })));
        },
      },
    );
    const guest: Guest = { session, door };
    this.#guests.add(guest);
    this.#leave(guest);
  }

  /** Null: closed. */
  turn(door: string | null): void {
    this.#door = door;
    for (const guest of this.#guests) this.#leave(guest);
  }

  /** A session ends in its first idle moment: its peer dials anew, and finds another process. */
  leave(): void {
    this.#leaving = true;
    for (const guest of this.#guests) this.#leave(guest);
  }

  /** Everything is cut. */
  stop(): void {
    this.#door = null;
    for (const { session } of this.#guests) session.close();
  }

  #leave({ session, door }: Guest): void {
    if ((this.#leaving || door !== this.#door) && session.streams === 0) session.close();
  }
}
