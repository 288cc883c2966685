import type { CommandResult, CommandState, CommandType } from '../../proto/vocab/command.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import type { CommandId, Millis } from '../../proto/vocab/ids.ts';
import type { Log } from '../core/log.ts';
import type { Engine } from '../engine/port.ts';
import type { Ledger } from '../spool/ledger.ts';

/** An order of the master, as it comes over the link. */
export interface Command {
  readonly id: CommandId;
  readonly type: CommandType;
  readonly timeoutMs: number;
  readonly expiresAt: Millis;
}

/** What a command that worked says. */
type Outcome = Pick<CommandResult, 'outputTail' | 'before' | 'after' | 'unchanged' | 'streamsKept'>;
type CommandExecutors = { readonly [K in CommandType]: () => Promise<Outcome> };

export interface CommandsNeeds {
  readonly ledger: Ledger;
  readonly engine: Engine;
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  readonly report: (result: CommandResult) => void;
  /** The master's clock: expiry is its word. */
  readonly masterNow: () => Millis;
  readonly now: () => Millis;
  readonly log: Log;
}

/** Carries out what the master orders, once each however often it is delivered. */
export class Commands {
  readonly #needs: CommandsNeeds;
  readonly #executors: CommandExecutors;
  readonly #running = new Set<CommandId>();

  constructor(needs: CommandsNeeds) {
    this.#needs = needs;
    this.#executors = { reload: () => needs.exclusive(() => reload(needs.engine)) };
  }

  /** Settles once the result is on disk and reported. */
  async receive(command: Command): Promise<void> {
    const { ledger, report, masterNow } = this.#needs;
    const known = ledger.get(command.id);
    if (known) return report(known.result);
    if (this.#running.has(command.id)) return;
    this.#running.add(command.id);
    try {
      if (masterNow() > command.expiresAt) {
        const text = 'it came after it had expired and was not begun';
        return await this.#settle({ ...blank(command.id, 'expired'), exitCode: 1, outputTail: text });
      }
      await this.#run(command);
    } finally {
      this.#running.delete(command.id);
    }
  }

  async #run(command: Command): Promise<void> {
    const { ledger, report, now, log } = this.#needs;
    const running = blank(command.id, 'running');
    try {
      await ledger.put(running);
    } catch (e) {
      // Begun without a record it might be begun twice.
      const outputTail = `not begun: it cannot be recorded on the node's disk (${String(e)})`;
      log.error('command not begun', { command: command.id, error: String(e) });
      return report({ ...running, state: 'failed', exitCode: 1, outputTail });
    }
    report(running);
    const from = now();
    const result = await within(command.timeoutMs, this.#executors[command.type]());
    await this.#settle({ ...running, ...result, tookMs: Math.max(0, now() - from) });
  }

  async #settle(result: CommandResult): Promise<void> {
    const { ledger, report, log } = this.#needs;
    await ledger.put(result).catch((e: unknown) => {
      log.error('result not recorded', { command: result.commandId, error: String(e) });
    });
    log.info('command', { command: result.commandId, state: result.state, output: result.outputTail });
    report(result);
  }
}

async function reload(engine: Engine): Promise<Outcome> {
  const before = await engine.info();
  const r = await engine.reload();
  const after = await engine.info();
  return {
    before: { ...before, ...r.before },
    after: { ...after, ...r.after },
    unchanged: r.unchanged,
    streamsKept: r.streamsKept,
    outputTail: r.unchanged ? 'nothing had changed' : 'new certificates are in use',
  };
}

/** The work itself goes on past its time: what the engine has begun, it finishes. */
async function within(
  ms: number,
  work: Promise<Outcome>,
): Promise<Partial<CommandResult> & { state: CommandState }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Partial<CommandResult> & { state: CommandState }>((resolve) => {
    timer = setTimeout(
      () => {
        resolve({ state: 'timed_out', exitCode: 1, outputTail: `not done within ${ms / 1000} s` });
      },
      Math.min(ms, 2 ** 31 - 1),
    );
  });
  try {
    return await Promise.race([work.then((o) => ({ ...o, state: 'succeeded' as const, exitCode: 0 })), late]);
  } catch (e) {
    return { state: 'failed', exitCode: 1, outputTail: textOf(e) };
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
