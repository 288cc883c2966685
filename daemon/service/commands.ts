import {
  COMMAND_OPTIONS,
  type CommandOptions,
  type CommandTask,
  type CommandType,
  isReserved,
  type ReservedCommand,
} from '../../proto/vocab/command.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { CommandId, NodeName } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { aged, cancelled, isOut, queued } from '../core/command/task.ts';
import { describeTarget, targets } from '../core/config-version/target.ts';
import type { CommandsService as Api, Mutation } from './api.ts';
import { cancels, dispatch, openTasks } from './dispatch.ts';
import type { FollowedLogs } from './followed-logs.ts';
import type { AgentLink, Draft, Random, Snapshot } from './ports.ts';
import type { Sessions } from './sessions.ts';
import { authorise, type Decision, type Effect, guardRevision, type Writer } from './write.ts';

export interface CommandSettings {
  /** How long a node may take, where the request does not say. */
  readonly timeoutMs: number;
}

interface Needs {
  readonly writer: Writer;
  readonly link: AgentLink;
  readonly sessions: Sessions;
  readonly follows: FollowedLogs;
  readonly random: Random;
}

type RunArgs = Parameters<Api['run']>[1];

const EXPIRES_MS = 10 * 60_000;
const LONGEST_MS = 24 * 3_600_000;
const MOST_LINES = 1000;
const MOST_LISTED = 200;
const MOST_NODES = 20_000;

const WHY_NOT: Readonly<Record<ReservedCommand, string>> = {
  probe: 'this release cannot probe a route yet: `status` says what listens, `reload` tries every route',
  upgrade:
    'this release cannot upgrade nodes yet: install the new release on the host, then `restart` its engine',
};

export class CommandsService implements Api {
  private readonly settings: CommandSettings;
  private readonly needs: Needs;

  constructor(settings: CommandSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
  }

  async run(m: Mutation, args: RunArgs): ReturnType<Api['run']> {
    const { writer, link, random } = this.needs;
    const { type } = args;
    if (isReserved(type)) throw new AppError('unsupported', WHY_NOT[type]);
    const options = checked(type, args.options);
    const { maxParallel } = args;
    if (
      maxParallel !== null &&
      !(Number.isInteger(maxParallel) && maxParallel >= 1 && maxParallel <= MOST_NODES)
    )
      throw new AppError('invalid', `at a time: a whole number from 1 to ${MOST_NODES} is wanted`);
    const timeoutMs = within('timeout', args.timeoutMs ?? this.settings.timeoutMs);
    const expiresMs = within('expiry', args.expiresMs ?? EXPIRES_MS);
    const make = (view: Snapshot, now: number): Omit<CommandTask, 'modRevision'> => {
      const id = random.hex(8) as CommandId;
      const hit = view.list('node').filter((n) => n.identity === 'accepted' && targets(args.target, n));
      if (hit.length === 0) throw new AppError('not_found', `no node fits ${describeTarget(args.target)}`);
      return {
        id,
        type,
        target: args.target,
        state: 'queued',
        results: Object.fromEntries(hit.map((n) => [n.name, queued(id)])) as CommandTask['results'],
        createdBy: m.caller.actor,
        createdAt: now,
        expiresAt: now + expiresMs,
        timeoutMs,
        endedAt: null,
        reason: safeText(m.reason, { max: 500 }),
        ...(maxParallel === null ? {} : { maxParallel }),
        ...(Object.keys(options).length > 0 ? { options } : {}),
      };
    };
    if (args.dryRun) {
      authorise(m.caller, `command.${type}`);
      const view = writer.view();
      const command = { ...make(view, 0), modRevision: 0 };
      return { revision: view.revision, command, ...this.who(command) };
    }
    const { revision, result } = await writer.mutate<CommandId>(
      m,
      `command.${type}`,
      args,
      (view, now) => {
        const { task, effects } = dispatch(make(view, now), view, link, now);
        const nodes = Object.keys(task.results);
        return {
          ops: [{ op: 'put', kind: 'command', key: task.id, value: task }],
          events: [
            {
              kind: 'command',
              who: m.caller.actor,
              subject: task.id,
              level: 'info',
              text: `${task.type} to ${describeTarget(task.target)}, ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`,
            },
          ],
          effects,
          result: task.id,
        };
      },
      (id) => id,
      (_view, id) => id as CommandId,
    );
    const command = this.get(result);
    return { revision, command, ...this.who(command) };
  }

  private who({ results }: CommandTask): { nodes: readonly NodeName[]; offline: readonly NodeName[] } {
    const nodes = Object.keys(results) as NodeName[];
    return { nodes, offline: nodes.filter((n) => !this.needs.link.connected(n)) };
  }

  get(id: CommandId): CommandTask {
    const task = this.needs.writer.view().get('command', id);
    if (!task) throw unknown(id);
    return task;
  }

  list(args: Parameters<Api['list']>[0]): ReturnType<Api['list']> {
    const all = this.needs.writer.view().list('command');
    const end = args.before === null ? all.length : all.findIndex((t) => t.id === args.before);
    if (end < 0) throw new AppError('invalid', 'that page is gone: begin anew');
    const limit = Math.min(Math.max(1, args.limit), MOST_LISTED);
    const commands: CommandTask[] = [];
    for (let i = end - 1; i >= 0; i--) {
      const t = all[i] as CommandTask;
      if ((args.state ?? t.state) !== t.state || (args.type ?? t.type) !== t.type) continue;
      if (commands.length === limit) return { commands, next: commands.at(-1)?.id ?? null };
      commands.push(t);
    }
    return { commands, next: null };
  }

  async cancel(m: Mutation, id: CommandId): ReturnType<Api['cancel']> {
    const { writer, link } = this.needs;
    const { revision } = await writer.mutate(
      m,
      'command.cancel',
      { id },
      (view, now): Decision<CommandId> => {
        const task = view.get('command', id);
        if (!task) throw unknown(id);
        guardRevision(m, `command ${id}`, task.modRevision);
        const next = cancelled(task, m.caller.actor, now);
        const told = (Object.entries(next.results) as [NodeName, CommandTask['results'][NodeName]][])
          .filter(([, r]) => r !== undefined && isOut(r))
          .map(([n]) => n);
        const away = told.length === 0 ? '' : `; ${told.length} that may have it are told`;
        return {
          ops: [{ op: 'put', kind: 'command', key: id, value: next }],
          events: [
            {
              kind: 'command',
              who: m.caller.actor,
              subject: id,
              level: 'info',
              text: `took ${task.type} to ${describeTarget(task.target)} back${away}`,
            },
          ],
          effects: told.map((n) => cancels(link, n, id)),
          result: id,
        };
      },
      (key) => key,
      (_view, key) => key as CommandId,
    );
    return { revision, command: this.get(id) };
  }

  followLogs(
    caller: Parameters<Api['followLogs']>[0],
    args: Parameters<Api['followLogs']>[1],
    sink: Parameters<Api['followLogs']>[2],
  ): { close(): void } {
    authorise(caller, 'command.logs');
    const name = args.node as NodeName;
    const node = this.needs.writer.view().get('node', name);
    if (!node) throw new AppError('not_found', `there is no node ${safeText(args.node, { max: 63 })}`);
    return this.needs.follows.begin(name, args, sink);
  }

  /** What time alone decides of the commands still open. */
  tick(): Promise<unknown> {
    const { writer, sessions, link } = this.needs;
    if (openTasks(writer.view()).length === 0) return Promise.resolve(null);
    return writer.write('master', 'tick', (view, now): Decision<null> | null => {
      const changed: CommandTask[] = [];
      const effects: Effect[] = [];
      for (const before of openTasks(view)) {
        const old = aged(before, (n) => sessions.commandTakenAt(n, before.id, before.createdAt), now);
        const { task, effects: sends } = dispatch(old, view, link, now);
        if (task === before) continue;
        changed.push(task);
        effects.push(...sends);
        if (task.endedAt !== null) sessions.forgetCommand(task.id);
      }
      if (changed.length === 0) return null;
      return {
        ops: changed.map((t): Draft => ({ op: 'put', kind: 'command', key: t.id, value: t })),
        events: changed
          .filter((t) => t.endedAt !== null)
          .map((t) => ({
            kind: 'command',
            who: 'master',
            subject: t.id,
            level: 'warn',
            text: `${t.type} ${t.state} on ${nodesOf(t)}`,
          })),
        effects,
        result: null,
      };
    });
  }
}

/** For people: the nodes of a task, the first of many. */
export function nodesOf(task: Pick<CommandTask, 'results'>): string {
  const names = Object.keys(task.results);
  return names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ');
}

function unknown(id: string): AppError {
  return new AppError('not_found', `there is no command ${safeText(id, { max: 64 })}`);
}

/** @throws AppError `invalid`: an option the type does not take, or one that makes no sense */
function checked(type: CommandType, options: CommandOptions): CommandOptions {
  const taken: readonly string[] = COMMAND_OPTIONS[type];
  const odd = Object.keys(options).find((k) => !taken.includes(k));
  if (odd !== undefined) {
    const what = taken.length > 0 ? `it takes ${taken.join(', ')}` : 'it takes none';
    throw new AppError('invalid', `${type} takes no option ${safeText(odd, { max: 64 })}: ${what}`);
  }
  const { deadlineMs, lines, service } = options;
  if (deadlineMs !== undefined && !(deadlineMs >= 0 && deadlineMs <= LONGEST_MS)) {
    throw new AppError('invalid', 'the deadline must be from 0s to 24h');
  }
  if (lines !== undefined && !(Number.isInteger(lines) && lines >= 1 && lines <= MOST_LINES)) {
    throw new AppError('invalid', `lines: 1 to ${MOST_LINES} are wanted`);
  }
  if (
    service !== undefined &&
    !(service.length >= 1 && service.length <= 256 && service === safeText(service))
  ) {
    throw new AppError('invalid', `${JSON.stringify(safeText(service, { max: 64 }))} is no service's name`);
  }
  if (type === 'restart' && options.hard && deadlineMs !== undefined) {
    throw new AppError('invalid', 'a hard restart waits for nothing: it takes no deadline');
  }
  return options;
}

function within(what: string, ms: number): number {
  if (!(ms >= 1 && ms <= LONGEST_MS)) throw new AppError('invalid', `the ${what} must be from 1ms to 24h`);
  return ms;
}
