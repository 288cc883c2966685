import {
  type CommandOptions,
  type CommandResult,
  type CommandState,
  type CommandType,
  isReserved,
} from '../../proto/vocab/command.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import type { CommandId, Millis } from '../../proto/vocab/ids.ts';
import type { Log } from '../core/log.ts';
import type { Ledger } from '../spool/ledger.ts';
import type { Orders, Outcome } from './orders.ts';

/** An order of the master, as it comes over the link. */
export interface Command {
  readonly id: CommandId;
  readonly type: CommandType;
  readonly timeoutMs: number;
  readonly expiresAt: Millis;
  readonly options: CommandOptions;
}

export interface CommandsNeeds {
  readonly ledger: Ledger;
  readonly orders: Orders;
  /** Alone with the engine. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  readonly report: (result: CommandResult) => void;
  /** The master's clock: expiry is its word. */
  readonly masterNow: () => Millis;
  readonly now: () => Millis;
  readonly log: Log;
}

/** One that is being carried out. `waiting`: nothing has been done yet, and nothing will be once `over` says why. */
interface Running {
  waiting: boolean;
  over: 'cancelled' | 'timed_out' | null;
  stop: (why: Settled) => void;
}
type Settled = Partial<CommandResult> & { readonly state: CommandState };

const CANCELLED: Settled = {
  state: 'cancelled',
  exitCode: 1,
  outputTail: 'taken back before it was begun',
};

/** Carries out what the master orders, once each however often it is delivered. */
export class Commands {
  readonly #needs: CommandsNeeds;
  readonly #running = new Map<CommandId, Running>();

  constructor(needs: CommandsNeeds) {
    this.#needs = needs;
  }

  /** Settles once the result is on disk and reported. */
  async receive(command: Command): Promise<void> {
    const { ledger, report, masterNow } = this.#needs;
    const known = ledger.get(command.id);
    if (known) return report(known.result);
    if (this.#running.has(command.id)) return;
    const running: Running = { waiting: true, over: null, stop: () => undefined };
    this.#running.set(command.id, running);
    try {
      if (isReserved(command.type)) {
        const text = `this release cannot carry out ${command.type}`;
        return await this.#settle({ ...blank(command.id, 'rejected'), exitCode: 1, outputTail: text });
      }
      if (masterNow() > command.expiresAt) {
        const text = 'it came after it had expired and was not begun';
        return await this.#settle({ ...blank(command.id, 'expired'), exitCode: 1, outputTail: text });
      }
      await this.#run(command, running);
    } finally {
      this.#running.delete(command.id);
    }
  }

  /** Taken back: what waits for its turn is not begun; what has begun is finished, and its result counts. */
  async cancel(id: CommandId): Promise<void> {
    const { ledger, report } = this.#needs;
    const running = this.#running.get(id);
    if (running) {
      if (!running.waiting) return;
      running.over ??= 'cancelled';
      running.stop(CANCELLED);
      return;
    }
    const known = ledger.get(id);
    if (known) return report(known.result);
    // It may still be on its way: then it is known here.
    await this.#settle({ ...blank(id, 'cancelled'), ...CANCELLED });
  }

  async #run(command: Command, running: Running): Promise<void> {
    const { ledger, report, now, log, orders, exclusive } = this.#needs;
    const { id, type, options, timeoutMs } = command;
    const begun = blank(id, 'running');
    try {
      await ledger.put(begun);
    } catch (e) {
      // Begun without a record it might be begun twice.
      const outputTail = `not begun: it cannot be recorded on the node's disk (${String(e)})`;
      log.error('command not begun', { command: id, error: String(e) });
      return report({ ...begun, state: 'failed', exitCode: 1, outputTail });
    }
    report(begun);
    const from = now();
    const alone = <T>(work: () => Promise<T>): Promise<T> =>
      exclusive(() => {
        if (running.over !== null) throw new AppError('conflict', 'it was over before its turn came');
        running.waiting = false;
        return work();
      });
    const order = isReserved(type) ? null : orders[type];
    const stopped = new Promise<Settled>((resolve) => {
      running.stop = resolve;
    });
    if (running.over === 'cancelled') running.stop(CANCELLED);
    const result = order
      ? await within(timeoutMs, running, stopped, () => order({ options, timeoutMs, alone }))
      : CANCELLED;
    await this.#settle({ ...begun, ...result, tookMs: Math.max(0, now() - from) });
  }

  async #settle(result: CommandResult): Promise<void> {
    const { ledger, report, log } = this.#needs;
    await ledger.put(result).catch((e: unknown) => {
      log.error('result not recorded', { command: result.commandId, error: String(e) });
    });
    const { commandId: command, state, outputTail } = result;
    log.info('command', { command, state, output: outputTail.slice(0, 500) });
    report(result);
  }
}

/** The work itself goes on past its time: what the engine has begun, it finishes. What has not begun is not begun. */
async function within(
  ms: number,
  running: Running,
  stopped: Promise<Settled>,
  work: () => Promise<Outcome>,
): Promise<Settled> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Settled>((resolve) => {
    timer = setTimeout(
      () => {
        running.over ??= 'timed_out';
        const why = running.waiting ? 'its turn did not come' : 'not done';
        resolve({ state: 'timed_out', exitCode: 1, outputTail: `${why} within ${ms / 1000} s` });
      },
      Math.min(ms, 2 ** 31 - 1),
    );
  });
  const done = async (): Promise<Settled> => {
    try {
      return { ...(await work()), state: 'succeeded', exitCode: 0 };
    } catch (e) {
      if (running.over !== null && running.waiting) return stopped;
      return { state: 'failed', exitCode: 1, outputTail: textOf(e) };
    }
  };
  try {
    return await Promise.race([stopped, done(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function textOf(e: unknown): string {
  if (e instanceof AppError && e.refusals.length > 0) return e.refusals.map(formatRefusal).join('\n');
  return e instanceof Error ? e.message : String(e);
}

function blank(commandId: CommandId, state: CommandState): CommandResult {
  return {
    commandId,
    state,
    exitCode: 0,
    outputTail: '',
    before: null,
    after: null,
    unchanged: false,
    tookMs: 0,
    streamsKept: 0,
  };
}
