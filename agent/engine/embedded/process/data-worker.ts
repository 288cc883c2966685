import { AppError } from '../../../../proto/vocab/errors.ts';
import type { Log } from '../control/logs.ts';
import { every } from '../data/every.ts';
import { ownDescriptors } from '../data/headroom.ts';
import type { WorkerCall, WorkerCalls } from '../data/messages.ts';
import { DataPlane } from '../data/plane.ts';
import { WorkerTally } from '../data/worker-tally.ts';
import type { Answer, CallFault, ToWorker, WorkerNeeds } from './messages.ts';

/** One that dies takes with it what it counted since. */
const FIGURES_MS = 1_000;

/** One of the processes that carry. */
export class DataWorker {
  readonly #send: WorkerNeeds['send'];
  readonly #plane: DataPlane;
  readonly #tally: WorkerTally;
  readonly #calls: {
    readonly [K in WorkerCall]: (args: WorkerCalls[K]['args']) => Promise<WorkerCalls[K]['ok']>;
  };

  /** `dns`: servers, none: the system's. */
  constructor(dns: readonly string[], needs: WorkerNeeds) {
    const { now, clock, random, send } = needs;
    const log: Log = (level, text) => send({ t: 'line', level, text });
    this.#send = send;
    this.#tally = new WorkerTally({
      clock,
      every,
      after: (ms, run) => setTimeout(run, ms).unref(),
      send: (report) => send({ t: 'tally', report }),
      say: (level, text) => log(level, `limits: ${text}`),
    });
    this.#plane = new DataPlane({
      ...{ now, clock, random, log, dns },
      tally: this.#tally,
      descriptors: ownDescriptors(),
    });
    every(FIGURES_MS, () => {
      const services = this.#plane.changed();
      if (services !== null) send({ t: 'figures', services });
    });
    this.#calls = {
      ...this.#plane.calls,
      ping: async () => ({}),
      introduce: async (args) => {
        this.#tally.introduce(args);
        return {};
      },
    };
  }

  heard(m: ToWorker): void {
    if (m.t === 'call') this.#run(m);
    else if (m.t === 'tallied') this.#tally.answered(m.answer);
  }

  cut(): void {
    void this.#plane.calls.stop({});
  }

  #run(m: Extract<ToWorker, { t: 'call' }>): void {
    // The table's key decides the argument's type; the caller is our own control.
    const run = this.#calls[m.name] as ((args: unknown) => Promise<unknown>) | undefined;
    const answer = (a: Answer): void => this.#send({ t: 'answer', id: m.id, answer: a });
    if (run === undefined) {
      answer({ error: { code: 'unsupported', message: `this worker does not know ${m.name}` } });
      return;
    }
    Promise.resolve()
      .then(() => run(m.args))
      .then(
        (ok) => answer({ ok }),
        (e: unknown) => answer({ error: faultOf(e) }),
      );
  }
}

function faultOf(e: unknown): CallFault {
  if (e instanceof AppError) return { code: e.code, message: e.message, refusals: e.refusals };
  return { code: 'internal', message: e instanceof Error ? e.message : String(e) };
}
