import { AppError } from '../../../../proto/vocab/errors.ts';
import { startControl } from '../app.ts';
import type { Memo } from '../control/control.ts';
import { LogRing } from '../control/logs.ts';
import { NodeTally } from '../control/node-tally.ts';
import { Watchdog } from '../control/watchdog.ts';
import { WorkersData } from '../control/workers.ts';
import type { Sums, WorkersLink } from '../control/workers-link.ts';
import { every } from '../data/every.ts';
import { Listener } from '../data/listener.ts';
import type { DataCall, DataCalls } from '../data/messages.ts';
import { SteadyLog } from '../data/steady-log.ts';
import {
  type CallFault,
  type ControlStart,
  FLUSH_MS,
  type ToPrimary,
  type ToWorker,
  type WorkerFacts,
  type WorkerNeeds,
} from './messages.ts';

/** What an interrupted upgrade leaves behind goes on at most this long. */
const LEFT_OVER_MS = 3_600_000;
/** How often what is left is looked at, at the end. */
const LOOK_MS = 100;
/** The id of no worker. */
const NOBODY = 0;

/** Control in a process of its own: engine.sock on one side, the workers through the primary on the other. */
export class ControlWorker {
  readonly #needs: WorkerNeeds;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #logs: LogRing;
  readonly #workers: WorkersData;
  readonly #tally: NodeTally;
  readonly #watchdog: Watchdog;
  readonly #pids: Map<number, number>;
  readonly #running: Promise<{ close: () => Promise<void> } | null>;
  #lastId = 0;

  constructor(start: ControlStart, needs: WorkerNeeds) {
    this.#needs = needs;
    const { now, send } = needs;
    const keep = (name: string, value: unknown): void => send({ t: 'keep', name, value });
    // What was kept by an earlier release is of its shape: the two agree on additions only.
    const kept = start.kept as { memo?: Memo; sums?: Sums; seq?: number };
    this.#logs = new LogRing({
      now,
      write: (line) => {
        keep('seq', this.#logs.last);
        needs.write(line);
      },
      after: kept.seq ?? 0,
    });
    const { log } = this.#logs;
    const quiet = new SteadyLog({ write: () => undefined, now });
    const link = this.#link();
    // Before they are told what to carry.
    this.#tally = new NodeTally(
      { there: start.workers.map((w) => w.id), wanted: start.wanted },
      { link, clock: needs.clock, answer: (worker, answer) => send({ t: 'tallied', worker, answer }) },
    );
    const pids = new Map(start.workers.map((w) => [w.id, w.pid]));
    this.#pids = pids;
    this.#watchdog = new Watchdog({
      clock: needs.clock,
      every,
      ask: (worker) => link.call(worker, 'ping', {}),
      // There is no such worker: the primary itself says so.
      through: () => link.call(NOBODY, 'ping', {}),
      onHung: (worker) => {
        log('error', `the data worker ${pids.get(worker) ?? ''} has not answered for 15 s and is killed`);
        link.end(worker, true);
      },
    });
    for (const { id } of start.workers) this.#watchdog.watch(id);
    this.#workers = new WorkersData(start, {
      link,
      log,
      now,
      probe: async (listen) => {
        const bound = await Listener.bind(listen, { log: quiet, now, exclusive: true });
        if (typeof bound === 'string') return bound;
        bound.close();
        return null;
      },
      keepSums: (sums) => keep('sums', sums),
    });
    this.#running = startControl(start, {
      ...{ now, logs: this.#logs, version: needs.version, instance: start.instance, pid: start.pid },
      data: { call: (name, args) => this.#call(name, args) },
      startedAt: start.startedAt,
      workers: this.#workers,
      memo: kept.memo ?? null,
      keep: (memo) => keep('memo', memo),
      resumed: async (plan) => {
        await this.#workers.resume({
          plan,
          workers: start.workers,
          sums: kept.sums ?? null,
          left: start.left ?? [],
        });
        await this.#workers.trim(needs.version, LEFT_OVER_MS);
      },
      onStop: () => send({ t: 'stop' }),
      onUpgraded: () => void this.#handover(),
    }).then(
      (running) => {
        void running.started.then(() => send({ t: 'up' }));
        return running;
      },
      (e: unknown) => {
        const message = e instanceof Error ? e.message : String(e);
        log('error', message);
        send({ t: 'failed', message });
        setTimeout(() => needs.exit(1), FLUSH_MS);
        return null;
      },
    );
  }

  heard(m: ToWorker): void {
    if (m.t === 'line') this.#logs.log(m.level, m.text);
    else if (m.t === 'tally') this.#tally.heard(m.worker, m.report);
    else if (m.t === 'joined') {
      this.#pids.set(m.worker.id, m.worker.pid);
      this.#watchdog.watch(m.worker.id);
      this.#tally.joined(m.worker.id);
      this.#workers.joined(m.worker);
    } else if (m.t === 'left') {
      this.#pids.delete(m.worker);
      this.#watchdog.forget(m.worker);
      this.#tally.left(m.worker);
      this.#workers.left(m.worker, m.restarts, m.figures);
    } else if (m.t === 'drain') void this.#drain(m.by);
    else if (m.t === 'answer') {
      const asked = this.#asked.get(m.id);
      this.#asked.delete(m.id);
      if (asked === undefined) return;
      if ('ok' in m.answer) asked.resolve(m.answer.ok);
      else asked.reject(errorOf(m.answer.error));
    }
  }

  async close(): Promise<void> {
    this.#watchdog.close();
    await (await this.#running)?.close();
  }

  async #drain(by: number): Promise<void> {
    const { leave, streams } = this.#workers.calls;
    const { now, send } = this.#needs;
    this.#logs.log('info', 'takes nothing new, and stops when nothing is carried any more');
    await leave({});
    while (now() < by && (await streams({})).services.length > 0)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    send({ t: 'stop' });
  }

  async #handover(): Promise<void> {
    await this.close();
    const to = this.#workers.standby;
    if (to !== null) this.#needs.send({ t: 'handover', to });
  }

  #call<K extends DataCall>(name: K, args: DataCalls[K]['args']): Promise<DataCalls[K]['ok']> {
    const run = this.#workers.calls[name] as (args: DataCalls[K]['args']) => Promise<DataCalls[K]['ok']>;
    return run(args);
  }

  #link(): WorkersLink {
    const { send } = this.#needs;
    return {
      call: (worker, name, args) => this.#ask((id) => ({ t: 'call', id, worker, name, args })),
      fork: (exec, role) => this.#ask<WorkerFacts>((id) => ({ t: 'fork', id, exec, role })),
      use: (exec) => send({ t: 'use', exec }),
      retire: (worker, by) => send({ t: 'retire', worker, by }),
      end: (worker, now) => send({ t: 'end', worker, now }),
    };
  }

  #ask<T>(message: (id: number) => ToPrimary): Promise<T> {
    this.#lastId += 1;
    const asked = Promise.withResolvers<unknown>();
    this.#asked.set(this.#lastId, asked);
    this.#needs.send(message(this.#lastId));
    return asked.promise as Promise<T>;
  }
}

function errorOf(fault: CallFault): AppError {
  return new AppError(fault.code, fault.message, { refusals: fault.refusals ?? [] });
}
