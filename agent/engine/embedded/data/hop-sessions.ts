import { SmuxSession } from '../wire/smux-session.ts';
import type { Connected, DialFailure, Dialled } from './dial.ts';
import { every } from './every.ts';
import { Leg } from './leg.ts';
import type { DataNode } from './messages.ts';
import { smuxWire, type Ways } from './wires.ts';

/** Of a session that is dialled because one is missing; who waits for it has a deadline of their own. */
const DIAL_MS = 10_000;
const FIRST_BACKOFF_MS = 250;
const LAST_BACKOFF_MS = 10_000;
/** A session that lived this long was no accident: its successor is dialled at once. */
const LIVED_MS = 5_000;

export interface HopSessionsNeeds {
  readonly connect: (node: DataNode, timeoutMs: number) => Promise<Connected>;
  readonly say: (text: string) => void;
  readonly now: () => number;
  readonly random: () => number;
}

interface Held {
  readonly session: SmuxSession;
  readonly ways: Ways;
  readonly ours: boolean;
  readonly address: string;
}

/**
 * The smux sessions kept to one next hop. What is missing is dialled again, with a growing pause while the hop is
 * away; a stream goes to the session with the fewest, and never waits for the pause. A session whose other side
 * leaves has its successor dialled at once.
 */
export class HopSessions {
  readonly #node: DataNode;
  readonly #needs: HopSessionsNeeds;
  #held: Held[] = [];
  /** They open nothing more, and end with their last stream. */
  readonly #leaving = new Set<SmuxSession>();
  /** Null: whatever it is dialled to. */
  #addresses: readonly string[] | null = null;
  #dialling = 0;
  #fails = 0;
  #again: NodeJS.Timeout | null = null;
  #retired = false;
  #stopped = false;
  /** When the last one went; never while there is one. */
  #awaySince: number | null;
  /** Those that want a session or a stream now. */
  #asking = 0;
  readonly #waiting = new Set<(failure: DialFailure | null) => void>();

  constructor(node: DataNode, needs: HopSessionsNeeds) {
    this.#node = node;
    this.#needs = needs;
    this.#awaySince = needs.now();
    this.#fill();
  }

  /** Since when no session has stood; null while one does. */
  get awaySince(): number | null {
    return this.#awaySince;
  }

  /** A stream, as soon as there is a session. A failure is before anything was sent. */
  open(timeoutMs: number): Promise<Dialled> {
    const deadline = this.#needs.now() + timeoutMs;
    return this.#asked(async () => {
      for (;;) {
        const leg = this.#openOn();
        if (leg !== null) return { ok: true, leg };
        const failure =
          this.#held.length > 0
            ? this.#failure('its sessions have no room for a stream', false)
            : await this.#session(deadline - this.#needs.now());
        if (failure !== null) return { ...failure, unsent: true };
      }
    });
  }

  /** Null when there is a session, or why not. */
  reach(timeoutMs: number): Promise<DialFailure | null> {
    return this.#asked(async () => (this.#held.length > 0 ? null : this.#session(timeoutMs)));
  }

  /** The node has these addresses now: sessions to others take no more streams, and are dialled again. */
  moved(addresses: readonly string[]): void {
    this.#addresses = addresses;
    for (const held of this.#held) if (!addresses.includes(held.address)) this.#leave(held.session);
    this.#fill();
  }

  /** Who asked before still gets a stream, others do not; sessions end with their last. */
  retire(): void {
    this.#retired = true;
    this.#stopDialling();
    this.#endIdle();
  }

  /** Everything is cut. */
  stop(): void {
    this.#retired = true;
    this.#stopped = true;
    this.#stopDialling();
    for (const done of [...this.#waiting]) done(this.#failure('no longer in use', false));
    for (const session of [...this.#held.map((h) => h.session), ...this.#leaving]) session.close();
  }

  async #asked<T>(answer: () => Promise<T>): Promise<T> {
    this.#asking += 1;
    try {
      return await answer();
    } finally {
      this.#asking -= 1;
      this.#endIdle();
    }
  }

  #endIdle(): void {
    for (const session of this.#leaving) if (session.streams === 0) session.close();
    if (!this.#retired || this.#asking > 0) return;
    for (const { session } of this.#held) if (session.streams === 0) session.close();
  }

  #drop(session: SmuxSession): void {
    this.#held = this.#held.filter((h) => h.session !== session);
    if (this.#held.length === 0) this.#awaySince ??= this.#needs.now();
  }

  // held -> leaving
  #leave(session: SmuxSession): void {
    this.#drop(session);
    this.#leaving.add(session);
    if (session.streams === 0) session.close();
  }

  // held -> leaving; another takes its place
  #letGo(session: SmuxSession): void {
    this.#leave(session);
    this.#fill();
  }

  #openOn(): Leg | null {
    for (const { session, ways, ours } of this.#held.toSorted(
      (a, b) => a.session.streams - b.session.streams,
    )) {
      const stream = session.open();
      if (stream === null) {
        if (session.leaving) this.#letGo(session);
        continue;
      }
      stream.once('close', () => {
        if ((this.#retired || this.#leaving.has(session)) && session.streams === 0) this.#endIdle();
      });
      return new Leg(smuxWire({ stream, ways, ours }));
    }
    return null;
  }

  #session(timeoutMs: number): Promise<DialFailure | null> {
    return new Promise((resolve) => {
      const done = (failure: DialFailure | null): void => {
        clearTimeout(late);
        this.#waiting.delete(done);
        resolve(failure);
      };
      const late = setTimeout(() => done(this.#failure(`no session in ${timeoutMs} ms`, true)), timeoutMs);
      this.#waiting.add(done);
      if (this.#stopped) done(this.#failure('no longer in use', false));
      else this.#fill();
    });
  }

  #failure(why: string, timeout: boolean): DialFailure {
    const { name, host, port } = this.#node;
    return { ok: false, why: `${name} (${host}:${port}): ${why}`, timeout };
  }

  #stopDialling(): void {
    if (this.#again !== null) clearTimeout(this.#again);
    this.#again = null;
  }

  #fill(): void {
    this.#stopDialling();
    const most = this.#retired ? Math.min(1, this.#waiting.size) : this.#node.over.sessions;
    while (this.#held.length + this.#dialling < most) void this.#dial();
  }

  async #dial(): Promise<void> {
    this.#dialling += 1;
    const connected = await this.#needs.connect(this.#node, DIAL_MS);
    this.#dialling -= 1;
    if (!connected.ok) {
      if (this.#held.length === 0 && this.#dialling === 0)
        for (const done of [...this.#waiting]) done(connected);
      this.#later();
    } else if (this.#retired && this.#waiting.size === 0) connected.wire.reset();
    else this.#begin(connected);
  }

  #begin({ carrier, wire, ours, address }: Extract<Connected, { ok: true }>): void {
    const began = this.#needs.now();
    const { bufferBytes } = this.#node.over;
    const session = new SmuxSession(
      carrier,
      { role: 'client', words: ours, windowBytes: bufferBytes },
      {
        every,
        onLeaving: () => this.#letGo(session),
        onOver: (why) => {
          if (this.#leaving.delete(session)) return;
          this.#drop(session);
          if (this.#retired) return;
          this.#needs.say(why);
          if (this.#needs.now() - began >= LIVED_MS) this.#fails = 0;
          this.#later();
        },
      },
    );
    this.#held.push({ session, ways: wire.ways, ours, address });
    // It moved while this one was being dialled.
    if (this.#addresses?.includes(address) === false) {
      this.#leave(session);
      this.#later();
      return;
    }
    this.#awaySince = null;
    for (const done of [...this.#waiting]) done(null);
  }

  /** missing -> dialled, after a pause when the last ones failed. */
  #later(): void {
    if (this.#retired || this.#again !== null || this.#dialling > 0) return;
    const pause = this.#fails === 0 ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** this.#fails, LAST_BACKOFF_MS);
    this.#fails = Math.min(this.#fails + 1, 16);
    this.#again = setTimeout(() => this.#fill(), pause * (0.5 + this.#needs.random() / 2));
    this.#again.unref();
  }
}
