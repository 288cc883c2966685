import type { AgentStream } from '../../proto/link/dial.ts';
import type { Timers } from '../../proto/link/timers.ts';

/** Until the master offers its own. */
const HEARTBEAT_MS = 10_000;
const REPORT_MS = 10_000;
const LEAST_MS = 100;

export interface ConversationNeeds {
  readonly timers: Timers;
  readonly beat: () => Promise<void>;
  readonly report: () => Promise<void>;
  readonly both: () => Promise<void>;
}

/** What belongs to one stream and ends with it. */
export class Conversation {
  stream: AgentStream | null = null;
  redial: ((why: string) => void) | null = null;
  /** Hello was said: the rest may be. */
  greeted = false;
  writable = true;
  storeId = '';
  /** What was said last of what the node takes. */
  stood = '';
  readonly #needs: ConversationNeeds;
  readonly #nonces = new Set<string>();
  #away: { readonly at: number; readonly ms: number } | null = null;
  #heartbeatMs = 0;
  #reportMs = 0;
  #cancelBeat: () => void = () => {};
  #cancelReport: () => void = () => {};
  #over = false;

  constructor(needs: ConversationNeeds) {
    this.#needs = needs;
    this.pace(HEARTBEAT_MS, REPORT_MS);
  }

  /** The master's pace; `null`: as before. Reports as frequent as heartbeats go with them. */
  pace(heartbeatMs: number | null, reportMs: number | null): void {
    const { timers, beat, report, both } = this.#needs;
    const over = (): boolean => this.#over;
    const beats = heartbeatMs ?? this.#heartbeatMs;
    const reports = reportMs ?? this.#reportMs;
    if (heartbeatMs !== null) {
      this.#cancelBeat();
      const tick = (): Promise<void> => (this.#reportMs === this.#heartbeatMs ? both() : beat());
      this.#cancelBeat = every(timers, beats, tick, over);
    }
    if (reportMs !== null || beats !== this.#heartbeatMs) {
      this.#cancelReport();
      this.#cancelReport = reports === beats ? () => {} : every(timers, reports, report, over);
    }
    this.#heartbeatMs = beats;
    this.#reportMs = reports;
  }

  offered(nonce: string): void {
    this.#nonces.add(nonce);
  }

  /** Whether a status may echo it: only nonces of this stream mean anything in it. */
  knows(nonce: string): boolean {
    return this.#nonces.has(nonce);
  }

  /** The master said when to come back; it counts once the stream ends, soon after. */
  awayFor(ms: number): void {
    this.#away = { at: this.#needs.timers.now(), ms };
  }

  stayAwayMs(): number {
    if (!this.#away) return 0;
    return Math.max(0, this.#away.at + this.#away.ms - this.#needs.timers.now());
  }

  end(): void {
    this.#over = true;
    this.#cancelBeat();
    this.#cancelReport();
  }
}

/** The next one only after the last one is through. */
function every(timers: Timers, ms: number, work: () => Promise<void>, over: () => boolean): () => void {
  let stopped = false;
  let cancel = (): void => {};
  const next = (): void => {
    cancel = timers.after(Math.max(LEAST_MS, ms), () => {
      void work()
        .catch(() => undefined)
        .then(() => {
          if (!stopped && !over()) next();
        });
    });
  };
  next();
  return () => {
    stopped = true;
    cancel();
  };
}
