import { AppError } from '../../../../proto/vocab/errors.ts';
import { startControl } from '../app.ts';
import type { Memo } from '../control/control.ts';
import { LogRing } from '../control/logs.ts';
import { WorkersData } from '../control/workers.ts';
import type { Sums, WorkersLink } from '../control/workers-link.ts';
import { ownDescriptors } from '../data/headroom.ts';
import { Listener } from '../data/listener.ts';
import type { DataCall, DataCalls } from '../data/messages.ts';
import { DataPlane } from '../data/plane.ts';
import { SteadyLog } from '../data/steady-log.ts';
import type { Answer, CallFault, ControlStart, ToPrimary, ToWorker, WorkerFacts } from './messages.ts';

const FLUSH_MS = 100;
/** What an interrupted upgrade leaves behind goes on at most this long. */
const LEFT_OVER_MS = 3_600_000;

export interface WorkerNeeds {
  readonly version: string;
  readonly now: () => number;
  readonly clock: () => number;
  readonly random: () => number;
  readonly write: (line: string) => void;
  /** To the primary. */
  readonly send: (message: ToPrimary) => void;
  readonly exit: (code: number) => void;
}

type Role =
  | { readonly at: 'none' }
  | { readonly at: 'data'; readonly plane: DataPlane }
  | { readonly at: 'control'; readonly control: ControlWorker };

/** A forked process of the engine: says hello, and becomes what it is told. */
export class EngineWorker {
  readonly #needs: WorkerNeeds;
  #role: Role = { at: 'none' };

  constructor(needs: WorkerNeeds) {
    this.#needs = needs;
  }

  hello(): void {
    this.#needs.send({ t: 'hello', version: this.#needs.version });
  }

  /** The primary is gone, or this process is about to: nothing half-carried may look whole. */
  cut(): void {
    if (this.#role.at === 'data') void this.#role.plane.calls.stop({});
  }

  heard(m: ToWorker): void {
    const role = this.#role;
    if (m.t === 'end') void this.#end();
    else if (m.t === 'data') this.#role = { at: 'data', plane: this.#plane() };
    else if (m.t === 'control')
      this.#role = { at: 'control', control: new ControlWorker(m.start, this.#needs) };
    else if (m.t === 'call') {
      if (role.at === 'data') this.#run(role.plane, m);
    } else if (role.at === 'control') role.control.heard(m);
  }

  say(level: 'error', text: string): void {
    this.#needs.send({ t: 'line', level, text });
  }

  #plane(): DataPlane {
    const { now, clock, random, send } = this.#needs;
    return new DataPlane({
      ...{ now, clock, random, descriptors: ownDescriptors() },
      log: (level, text) => send({ t: 'line', level, text }),
    });
  }

  #run(plane: DataPlane, m: Extract<ToWorker, { t: 'call' }>): void {
    // The table's key decides the argument's type; the caller is our own control.
    const run = plane.calls[m.name] as ((args: unknown) => Promise<unknown>) | undefined;
    const answer = (a: Answer): void => this.#needs.send({ t: 'answer', id: m.id, answer: a });
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

  async #end(): Promise<void> {
    this.cut();
    if (this.#role.at === 'control') await this.#role.control.close();
    setTimeout(() => this.#needs.exit(0), FLUSH_MS);
  }
}

/** Control in a process of its own: engine.sock on one side, the workers through the primary on the other. */
class ControlWorker {
  readonly #needs: WorkerNeeds;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #logs: LogRing;
  readonly #workers: WorkersData;
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
    this.#workers = new WorkersData(start, {
      link: this.#link(),
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
        await this.#workers.resume({ plan, workers: start.workers, sums: kept.sums ?? null });
        await this.#workers.trim(needs.version, LEFT_OVER_MS);
      },
      onStop: () => send({ t: 'stop' }),
      onUpgraded: () => void this.#handover(),
    }).then(
      (running) => {
        send({ t: 'up' });
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
    else if (m.t === 'joined') this.#workers.joined(m.worker);
    else if (m.t === 'left') this.#workers.left(m.worker, m.restarts);
    else if (m.t === 'answer') {
      const asked = this.#asked.get(m.id);
      this.#asked.delete(m.id);
      if (asked === undefined) return;
      if ('ok' in m.answer) asked.resolve(m.answer.ok);
      else asked.reject(errorOf(m.answer.error));
    }
  }

  async close(): Promise<void> {
    await (await this.#running)?.close();
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

function faultOf(e: unknown): CallFault {
  if (e instanceof AppError) return { code: e.code, message: e.message, refusals: e.refusals };
  return { code: 'internal', message: e instanceof Error ? e.message : String(e) };
}
