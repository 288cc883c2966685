import { type CommandResult, type CommandTask, isSettled } from '../../proto/vocab/command.ts';
import type { CommandId, Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { due, isOut, reportedAll } from '../core/command/task.ts';
import { nodesOf } from './commands.ts';
import { merge, nothing } from './decisions.ts';
import { cancels, dispatch, dispatchTo, openTasks, sends } from './dispatch.ts';
import { safeEngine, safeResult } from './ingest.ts';
import type { AgentLink, Snapshot } from './ports.ts';
import type { Decision, Effect, EventDraft, Writer } from './write.ts';

interface Needs {
  readonly writer: Writer;
  readonly link: AgentLink;
  readonly settle: (before: Node, after: Node, view: Snapshot) => Decision<null>;
}

type Task = Omit<CommandTask, 'modRevision'>;
type Said = readonly [NodeName, CommandResult];

/** A command of more nodes than this is written once a second, not with every word: each write holds all its nodes. */
const MANY = 128;
/** Results a commit. */
const MOST_RESULTS = 1000;

/** What nodes say of commands, and what follows: the next node's turn, the next command's. */
export class CommandResults {
  private readonly needs: Needs;
  private readonly waiting: Said[] = [];
  private readonly many = new Map<CommandId, boolean>();

  constructor(needs: Needs) {
    this.needs = needs;
  }

  /** Whether it is written with the next tick: it is said again by the node if that never comes. */
  later(name: NodeName, result: CommandResult): boolean {
    if (!this.isOfMany(result.commandId)) return false;
    this.waiting.push([name, result]);
    return true;
  }

  tick(): Promise<unknown> {
    if (this.waiting.length === 0) return Promise.resolve(null);
    const said = this.waiting.splice(0, MOST_RESULTS);
    return this.needs.writer
      .write('agents', 'agent', (view, now) => this.take(view, said, now))
      .catch((e: unknown) => {
        this.waiting.unshift(...said);
        throw e;
      });
  }

  private isOfMany(id: CommandId): boolean {
    const known = this.many.get(id);
    if (known !== undefined) return known;
    const task = this.needs.writer.view().get('command', id);
    if (!task) return false;
    const many = Object.keys(task.results).length > MANY;
    // Of commands that are over nothing is asked any more.
    if (this.many.size > 1000) this.many.clear();
    this.many.set(id, many);
    return many;
  }

  take(view: Snapshot, said: readonly Said[], now: Millis): Decision<null> {
    const { link, settle } = this.needs;
    let out = nothing();
    const changed = new Map<string, Task>();
    const settled = new Set<NodeName>();
    for (const [id, results] of byCommand(said)) {
      const task = view.get('command', id);
      const mine = results.filter(([name]) => task?.results[name] !== undefined);
      if (!task || mine.length === 0) continue;
      const heard = reportedAll(task, mine, now);
      if (heard === task) continue;
      // What has settled makes room: for the next node of this command, and for the next command of this node.
      const { task: next, effects } = dispatch(heard, view, link, now);
      changed.set(id, next);
      out = merge(out, {
        ...nothing(),
        ops: [{ op: 'put', kind: 'command', key: id, value: next }],
        effects,
      });
      if (next.endedAt !== null) out = merge(out, { ...nothing(), events: [endedEvent(next)] });
      for (const [name, result] of mine) {
        const after = next.results[name];
        if (!after || after.state === task.results[name]?.state) continue;
        if (isSettled(after.state)) settled.add(name);
        const node = view.get('node', name);
        const engine = result.after && safeEngine(result.after);
        // Told again, it is an old reading: the engine may have gone on since.
        if (node && engine) out = merge(out, settle(node, { ...node, engine }, view));
      }
    }
    for (const name of settled) {
      const more = dispatchTo(name, view, link, now, changed);
      for (const op of more.ops) if (op.op === 'put' && op.kind === 'command') changed.set(op.key, op.value);
      if (more.ops.length > 0) out = merge(out, { ...nothing(), ...more });
    }
    return out;
  }

  /** What it may have is said again, what was taken back of it too; then what it has room for. */
  due(
    view: Snapshot,
    name: NodeName,
    now: Millis,
    told: Decision<null>,
  ): Pick<Decision<null>, 'ops' | 'effects'> {
    const { link } = this.needs;
    const changed = tasksOf(told);
    const again: Effect[] = [];
    for (const stored of openTasks(view)) {
      const t = changed.get(stored.id) ?? stored;
      const r = t.results[name];
      if (!r || !isOut(r)) continue;
      if (t.cancelledAt !== undefined) again.push(cancels(link, name, t.id));
      else if (due(t, name, now)) again.push(sends(link, name, t));
    }
    const more = dispatchTo(name, view, link, now, changed);
    return { ops: more.ops, effects: [...again, ...more.effects] };
  }
}

/** By command, made safe, in the order they were said. */
function byCommand(said: readonly Said[]): ReadonlyMap<CommandId, readonly Said[]> {
  const out = new Map<CommandId, Said[]>();
  for (const [name, result] of said) {
    const mine = out.get(result.commandId) ?? [];
    mine.push([name, safeResult(result)]);
    out.set(result.commandId, mine);
  }
  return out;
}

function endedEvent(task: Task): EventDraft {
  return {
    kind: 'command',
    who: task.createdBy,
    subject: task.id,
    level: task.state === 'succeeded' ? 'info' : 'warn',
    text: `${task.type} ${task.state} on ${nodesOf(task)}`,
  };
}

/** Tasks as a decision leaves them. */
function tasksOf(d: Decision<null>): ReadonlyMap<string, Task> {
  const out = new Map<string, Task>();
  for (const op of d.ops) if (op.op === 'put' && op.kind === 'command') out.set(op.key, op.value);
  return out;
}
