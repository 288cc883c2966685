import type { CommandOptions, CommandResult, Order } from '../../proto/vocab/command.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { EngineInfo } from '../../proto/vocab/node.ts';
import type { Engine } from '../engine/port.ts';
import type { Duty } from './duty.ts';
import { logText, statusText } from './order-texts.ts';

/** What a command that worked says. */
export type Outcome = Pick<CommandResult, 'outputTail' | 'before' | 'after' | 'unchanged' | 'streamsKept'> &
  Pick<CommandResult, 'streamsCut'>;

export interface OrderArgs {
  readonly options: CommandOptions;
  readonly timeoutMs: number;
  /** Waits for its turn with the engine; throws when the command is over before it comes. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

/** One row a command. */
export type Orders = { readonly [K in Order]: (args: OrderArgs) => Promise<Outcome> };

export interface OrdersNeeds {
  readonly engine: Engine;
  readonly duty: Duty;
  /** The engine's program, for a new generation of it. */
  readonly engineProgram: string;
  /** The engine's next process was ordered: it is no crash. */
  readonly expectNewEngine: () => void;
  /** Looks at the node again now. */
  readonly wake: () => void;
  readonly certificate: () => { readonly node: string; readonly notAfter: Millis };
  readonly readFile: (file: string) => Promise<string>;
  readonly now: () => Millis;
  readonly sleep: (ms: number) => Promise<void>;
}

/** How long streams may go on where the command does not say. */
const DEADLINE_MS = 10 * 60_000;
const LINES = 100;
const LOOK_MS = 50;

export function createOrders(needs: OrdersNeeds): Orders {
  const { engine, duty, now } = needs;

  const streamsNow = async (): Promise<number> =>
    (await engine.stats()).services.reduce((sum, s) => sum + s.streams, 0);

  /** What the engine is around some work. */
  async function around(work: () => Promise<Partial<Outcome> & { outputTail: string }>): Promise<Outcome> {
    const before = await engine.info().catch(() => null);
    const done = await work();
    const after = await engine.info().catch(() => null);
    return { before, after, unchanged: false, streamsKept: 0, ...done };
  }

  /** The engine answers again; `not` is the process that was there before. */
  async function back(withinMs: number, not: string | null): Promise<EngineInfo> {
    const until = now() + withinMs;
    for (;;) {
      const info = await engine.info().catch(() => null);
      if (info && info.instance !== not) return info;
      if (now() >= until) {
        throw new AppError(
          'unavailable',
          'the engine did not come back in time: where systemd starts it, its unit needs Restart=always; see its log',
        );
      }
      needs.wake();
      await needs.sleep(LOOK_MS);
    }
  }

  async function renewed({ options, timeoutMs, alone }: OrderArgs): Promise<Outcome> {
    return alone(async () => {
      const before = await engine.info();
      const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
      const { workers, streamsKept } = await engine
        .upgrade({ exec: needs.engineProgram, deadlineMs })
        .catch((e: unknown) => {
          if (!(e instanceof AppError) || e.code !== 'unsupported') throw e;
          const text =
            'this engine is one process and can only be restarted as a whole: say so (hard), its streams are cut then';
          throw new AppError('unsupported', text, { cause: e });
        });
      const after = await back(timeoutMs, null);
      const rest =
        streamsKept === 0
          ? ''
          : `; ${streamsKept} streams go on in the old ones, ${Math.round(deadlineMs / 1000)} s at most`;
      return {
        before,
        after,
        unchanged: false,
        streamsKept,
        outputTail: `${workers.length} new processes of ${after.version} carry${rest}`,
      };
    });
  }

  async function killed({ timeoutMs, alone }: OrderArgs): Promise<Outcome> {
    const { before, streamsCut } = await alone(async () => {
      const info = await engine.info();
      const streams = await streamsNow();
      needs.expectNewEngine();
      await engine.stop();
      return { before: info, streamsCut: streams };
    });
    const after = await back(timeoutMs, before.instance);
    return {
      before,
      after,
      unchanged: false,
      streamsKept: 0,
      ...(streamsCut > 0 ? { streamsCut } : {}),
      outputTail: `the engine is a new process (pid ${before.pid} before, ${after.pid} now); ${streamsCut} streams were cut`,
    };
  }

  const until = (ms: number): Millis => now() + ms;
  const at = (t: Millis): string => new Date(t).toISOString();

  return {
    reload: ({ alone }) =>
      alone(async () => {
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
      }),

    restart: (args) => (args.options.hard ? killed(args) : renewed(args)),

    stop: ({ options, alone }) =>
      alone(() =>
        around(async () => {
          const end = options.deadlineMs === undefined ? null : until(options.deadlineMs);
          const streamsKept = await duty.stop(end);
          const rest = end === null ? 'in their own time' : `by ${at(end)}, or are cut`;
          return {
            streamsKept,
            outputTail: `it takes no new streams; ${streamsKept} that it has end ${rest}`,
          };
        }),
      ),

    start: ({ alone }) =>
      alone(() =>
        around(async () => {
          const was = duty.stopped;
          await duty.start();
          const { drains } = await duty.standing();
          const but = drains.length === 0 ? '' : '; what is drained stays so until it is undrained';
          return {
            unchanged: !was,
            outputTail: `${was ? 'it takes streams again' : 'it was not stopped'}${but}`,
          };
        }),
      ),

    drain: ({ options, alone }) =>
      alone(() =>
        around(async () => {
          const service = options.service ?? null;
          const end = until(options.deadlineMs ?? DEADLINE_MS);
          const streamsKept = await duty.drain(service, end);
          return {
            streamsKept,
            outputTail: `${service ?? 'every service'} takes no new streams; ${streamsKept} that it has may go on until ${at(end)}`,
          };
        }),
      ),

    undrain: ({ options, alone }) =>
      alone(() =>
        around(async () => {
          const service = options.service ?? null;
          const was = await duty.undrain(service);
          const but = duty.stopped ? '; the node is stopped, `start` lets it take streams' : '';
          const done = was ? 'it takes streams again' : 'it was not drained';
          return { unchanged: !was, outputTail: `${service === null ? '' : `${service}: `}${done}${but}` };
        }),
      ),

    // Looks only: what is being put into force does not hold them up.
    status: () =>
      around(async () => ({
        unchanged: true,
        streamsKept: await streamsNow().catch(() => 0),
        outputTail: await statusText({ ...needs, standing: () => duty.standing() }),
      })),

    logs: ({ options }) =>
      around(async () => ({ unchanged: true, outputTail: await logText(engine, options.lines ?? LINES) })),
  };
}
