import type { CommandTask, CommandType } from '../../proto/vocab/command.ts';
import type { Target } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { CommandId, NodeName } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { aged, queued } from '../core/command/task.ts';
import { describeTarget, targets } from '../core/config-version/target.ts';
import type { CommandsService as Api, Mutation } from './api.ts';
import type { AgentLink, Random, Snapshot } from './ports.ts';
import type { Sessions } from './sessions.ts';
import { authorise, type Decision, type Writer } from './write.ts';

export interface CommandSettings {
  /** How long a node may take, where the request does not say. */
  readonly timeoutMs: number;
}

interface Needs {
  readonly writer: Writer;
  readonly link: AgentLink;
  readonly sessions: Sessions;
  readonly random: Random;
}

const EXPIRES_MS = 10 * 60_000;
const LONGEST_MS = 24 * 3_600_000;

export class CommandsService implements Api {
  private readonly settings: CommandSettings;
  private readonly needs: Needs;

  constructor(settings: CommandSettings, needs: Needs) {
    this.settings = settings;
    this.needs = needs;
  }

  async run(
    m: Mutation,
    args: {
      type: CommandType;
      target: Target;
      timeoutMs: number | null;
      expiresMs: number | null;
      dryRun: boolean;
    },
  ): ReturnType<Api['run']> {
    const { writer, link, random } = this.needs;
    const timeoutMs = within('timeout', args.timeoutMs ?? this.settings.timeoutMs);
    const expiresMs = within('expiry', args.expiresMs ?? EXPIRES_MS);
    const make = (view: Snapshot, now: number): Omit<CommandTask, 'modRevision'> => {
      const id = random.hex(8) as CommandId;
      const hit = view.list('node').filter((n) => n.identity === 'accepted' && targets(args.target, n));
      if (hit.length === 0) throw new AppError('not_found', `no node fits ${describeTarget(args.target)}`);
      return {
        id,
        type: args.type,
        target: args.target,
        state: 'queued',
        results: Object.fromEntries(hit.map((n) => [n.name, queued(id)])) as CommandTask['results'],
        createdBy: m.caller.actor,
        createdAt: now,
        expiresAt: now + expiresMs,
        timeoutMs,
        endedAt: null,
        reason: safeText(m.reason, { max: 500 }),
      };
    };
    if (args.dryRun) {
      authorise(m.caller, `command.${args.type}`);
      const view = writer.view();
      const command = { ...make(view, 0), modRevision: 0 };
      return { revision: view.revision, command, nodes: Object.keys(command.results) as NodeName[] };
    }
    const { revision, result } = await writer.mutate<CommandId>(
      m,
      `command.${args.type}`,
      args,
      (view, now) => {
        const task = make(view, now);
        const nodes = Object.keys(task.results) as NodeName[];
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
          effects: nodes.map((name) => () => {
            const { id, type, expiresAt } = task;
            link.sendCommand(name, { id, type, timeoutMs, expiresAt });
          }),
          result: task.id,
        };
      },
      (id) => id,
      (_view, id) => id as CommandId,
    );
    const command = this.get(result);
    return { revision, command, nodes: Object.keys(command.results) as NodeName[] };
  }

  get(id: CommandId): CommandTask {
    const task = this.needs.writer.view().get('command', id);
    if (!task) throw new AppError('not_found', `there is no command ${safeText(id, { max: 64 })}`);
    return task;
  }

  /** What time alone decides of the commands still open. */
  tick(): Promise<unknown> {
    const open = this.needs.writer
      .view()
      .list('command')
      .some((t) => t.endedAt === null);
    if (!open) return Promise.resolve(null);
    const { writer, sessions } = this.needs;
    return writer.write('master', 'tick', (view, now): Decision<null> | null => {
      const changed = view
        .list('command')
        .map((t) => ({
          before: t,
          after: aged(t, (n) => sessions.commandTakenAt(n, t.id, t.createdAt), now),
        }))
        .filter((c) => c.after !== c.before);
      if (changed.length === 0) return null;
      for (const c of changed) if (c.after.endedAt !== null) sessions.forgetCommand(c.after.id);
      return {
        ops: changed.map((c) => ({ op: 'put', kind: 'command', key: c.after.id, value: c.after })),
        events: changed
          .filter((c) => c.after.endedAt !== null)
          .map((c) => ({
            kind: 'command',
            who: 'master',
            subject: c.after.id,
            level: 'warn',
            text: `${c.after.type} ${c.after.state} on ${Object.keys(c.after.results).join(', ')}`,
          })),
        result: null,
      };
    });
  }
}

function within(what: string, ms: number): number {
  if (!(ms >= 1 && ms <= LONGEST_MS)) throw new AppError('invalid', `the ${what} must be from 1ms to 24h`);
  return ms;
}
