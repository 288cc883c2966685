import type { TallyAnswer, TallyReport } from './messages.ts';
import { type Entry, LocalTally, type Tally, type Want } from './tally.ts';

/** No answer for so many looks of so many ms: control is being replaced, or an older primary does not pass it on. */
const LOOK_MS = 250;
const PATIENCE = 4;
/** What is spent on bandwidth is told so often: by so much the processes of a node can run ahead of each other. */
const SPENT_MS = 50;

interface Asked {
  readonly wants: readonly Want[];
  readonly resolve: (refusedBy: Want | null) => void;
}

/**
 * One of several processes of a node. Control counts for all of them; it is asked before a connection comes in, with
 * one message for all that came in one turn of the event loop. Who gets no answer decides by himself, with his share.
 */
export class WorkerTally implements Tally {
  readonly #needs: {
    readonly send: (report: TallyReport) => void;
    readonly every: (ms: number, run: () => void) => () => void;
    readonly after: (ms: number, run: () => void) => void;
    readonly say: (level: 'info' | 'warn', text: string) => void;
  };
  /** What is held here of what control counts, and how early the node is as far as is known here. */
  readonly #own: LocalTally;
  /** Of what nobody has to be asked for. */
  readonly #parts: LocalTally;
  #asked = new Map<number, Asked>();
  #lastId = 0;
  #toAsk: number[] = [];
  #given: string[] = [];
  #spent = new Map<string, number>();
  #flushing = false;
  #spending = false;
  #workers = 1;
  #at: 'asking' | 'alone' = 'asking';
  /** It has been said that nobody answers. */
  #lonely = false;
  #sent = 0;
  /** The last report that is answered, and the last answer. */
  #awaited = 0;
  #heard = 0;
  #looks = 0;
  #stopLooking: (() => void) | null = null;

  constructor(needs: {
    clock: () => number;
    send: (report: TallyReport) => void;
    every: (ms: number, run: () => void) => () => void;
    after: (ms: number, run: () => void) => void;
    say: (level: 'info' | 'warn', text: string) => void;
  }) {
    this.#needs = needs;
    this.#own = new LocalTally(needs);
    this.#parts = new LocalTally(needs);
  }

  enter(wants: readonly Want[]): Entry | Promise<Entry> {
    const parts = wants.filter((w) => w.loose && this.#takePart(w));
    const counted = wants.filter((w) => !parts.includes(w));
    const leaveParts = (): void => {
      for (const { key } of parts.splice(0)) this.#parts.give(key);
    };
    if (counted.length === 0) return { leave: leaveParts };
    // Of a loose limit the half that is not in anybody's part.
    const asks = counted.map((w) => (w.loose ? { ...w, limit: w.limit / 2 } : w));
    const settle = (refusedBy: Want | null): Entry => {
      if (refusedBy !== null) {
        leaveParts();
        return { refusedBy: counted[asks.indexOf(refusedBy)] ?? refusedBy };
      }
      let places = asks.filter((w) => w.kind === 'place');
      const leave = (): void => {
        leaveParts();
        for (const { key } of places) this.#give(key);
        places = [];
      };
      return { leave };
    };
    if (this.#at === 'alone') return settle(this.#decide(asks));
    return new Promise((resolve) => {
      this.#ask({ wants: asks, resolve: (refusedBy) => resolve(settle(refusedBy)) });
      this.#flushSoon();
    });
  }

  spend(key: string, amount: number, rate: number): number {
    if (this.#at === 'alone') return this.#own.spend(key, amount, rate / this.#workers);
    this.#spent.set(key, (this.#spent.get(key) ?? 0) + (amount * 1000) / rate);
    if (!this.#spending) {
      this.#spending = true;
      this.#needs.after(SPENT_MS, () => {
        this.#spending = false;
        this.#flush();
      });
    }
    return this.#own.spend(key, amount, rate);
  }

  /** A control that counts for so many processes; what it knows of this one begins here. */
  introduce({ workers }: { workers: number }): void {
    this.#workers = Math.max(1, workers);
    this.#join();
  }

  answered({ n, verdicts, early }: TallyAnswer): void {
    this.#heard = Math.max(this.#heard, n);
    this.#looks = 0;
    this.#look();
    if (this.#lonely) this.#needs.say('info', 'limits hold for the node again');
    this.#lonely = false;
    if (this.#at === 'alone') {
      this.#join();
      return;
    }
    // What has been spent since is not in it.
    for (const [key, ms] of early) this.#own.owe(key, ms + (this.#spent.get(key) ?? 0));
    for (const [id, which] of verdicts) {
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      if (asked === undefined) continue;
      const refusedBy = asked.wants[which] ?? null;
      if (refusedBy === null) {
        for (const { kind, key } of asked.wants) if (kind === 'place') this.#own.hold(key);
      }
      asked.resolve(refusedBy);
    }
  }

  #takePart(want: Want): boolean {
    return this.#parts.take([{ ...want, limit: Math.floor(want.limit / 2 / this.#workers) }]) === null;
  }

  /** By himself: the share of one process, at least one place. */
  #decide(wants: readonly Want[]): Want | null {
    const shares = wants.map((w) => {
      const limit = w.limit / this.#workers;
      return { ...w, limit: w.kind === 'place' ? Math.max(1, Math.floor(limit)) : limit };
    });
    const refusedBy = this.#own.take(shares);
    return refusedBy === null ? null : (wants[shares.indexOf(refusedBy)] ?? null);
  }

  #ask(asked: Asked): void {
    this.#lastId += 1;
    this.#asked.set(this.#lastId, asked);
    this.#toAsk.push(this.#lastId);
  }

  #give(key: string): void {
    this.#own.give(key);
    // Alone: nobody counts it, and who comes is told what is held then.
    if (this.#at === 'alone') return;
    this.#given.push(key);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(whole?: TallyReport['whole']): void {
    const asks = this.#toAsk.flatMap((id) => {
      const asked = this.#asked.get(id);
      return asked === undefined ? [] : [{ id, wants: asked.wants }];
    });
    const [given, spent] = [this.#given, [...this.#spent]];
    this.#toAsk = [];
    this.#given = [];
    this.#spent.clear();
    if (!whole && asks.length + given.length + spent.length === 0) return;
    this.#send({
      ...(whole ? { whole } : {}),
      ...(given.length > 0 ? { given } : {}),
      ...(asks.length > 0 ? { asks } : {}),
      ...(spent.length > 0 ? { spent } : {}),
    });
  }

  #send(report: Omit<TallyReport, 'n'>): void {
    this.#sent += 1;
    const { whole, asks, spent, given } = report;
    if (whole || asks || spent || !given) this.#awaited = this.#sent;
    this.#needs.send({ n: this.#sent, ...report });
    this.#look();
  }

  /** Looks only while there is something to wait for. */
  #look(): void {
    const waiting = this.#at === 'alone' || this.#heard < this.#awaited;
    if (waiting) this.#stopLooking ??= this.#needs.every(LOOK_MS, () => this.#looked());
    else {
      this.#stopLooking?.();
      this.#stopLooking = null;
      this.#looks = 0;
    }
  }

  /** By looks, not by time: one that stood still itself has its answers in the next moment. */
  #looked(): void {
    this.#looks += 1;
    if (this.#looks < PATIENCE) return;
    this.#looks = 0;
    if (this.#at === 'asking') this.#goAlone();
    else this.#send({});
  }

  // asking -> alone
  #goAlone(): void {
    this.#at = 'alone';
    if (!this.#lonely) {
      const share =
        this.#workers === 1 ? 'each limit for itself' : `its share of each limit, 1/${this.#workers}`;
      this.#needs.say('warn', `control does not answer: until it does, this process lets in ${share}`);
    }
    this.#lonely = true;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    this.#toAsk = [];
    this.#given = [];
    this.#spent.clear();
    for (const { wants, resolve } of asked) resolve(this.#decide(wants));
  }

  // asking | alone -> asking
  #join(): void {
    this.#at = 'asking';
    this.#looks = 0;
    const asked = [...this.#asked.values()];
    // Under new numbers: what is answered to the old ones is not in what is told now.
    this.#asked.clear();
    this.#toAsk = [];
    for (const one of asked) this.#ask(one);
    this.#given = [];
    this.#spent.clear();
    this.#flush({ places: this.#own.places, early: this.#own.debts });
  }
}
