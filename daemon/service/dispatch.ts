import type { CommandTask } from '../../proto/vocab/command.ts';
import type { CommandId, Millis, NodeName } from '../../proto/vocab/ids.ts';
import { isOut, sent, turn } from '../core/command/task.ts';
import type { AgentLink, Draft, Snapshot } from './ports.ts';
import type { Effect } from './write.ts';

// Who gets which command now: decided with every change of a task, so that a limit holds whoever comes, goes or answers.

type Task = Omit<CommandTask, 'modRevision'>;

export interface Dispatched {
  readonly ops: readonly Draft[];
  readonly effects: readonly Effect[];
}

export function openTasks(view: Snapshot): readonly CommandTask[] {
  return view.list('command').filter((t) => t.endedAt === null);
}

/** The task as it is once the next ones have been sent it, and what sends it to them. */
export function dispatch<T extends Task>(
  task: T,
  view: Snapshot,
  link: AgentLink,
  now: Millis,
): { readonly task: T; readonly effects: readonly Effect[] } {
  const next = turn(task, now, (n) => link.connected(n), busyBut(task, view));
  return { task: sent(task, next, now), effects: next.map((n) => sends(link, n, task)) };
}

/**
 * What a node has room for: when it comes, or after one of its commands has settled.
 * @param changed tasks as this decision leaves them
 */
export function dispatchTo(
  name: NodeName,
  view: Snapshot,
  link: AgentLink,
  now: Millis,
  changed: ReadonlyMap<string, Task> = new Map(),
): Dispatched {
  const ops: Draft[] = [];
  const effects: Effect[] = [];
  const open = openTasks(view).map((t) => changed.get(t.id) ?? t);
  let busy = open.filter((t) => isOutOn(t, name)).length;
  for (const task of open) {
    if (task.results[name]?.state !== 'queued') continue;
    const next = turn(
      task,
      now,
      (n) => n === name && link.connected(n),
      () => busy,
    );
    if (next.length === 0) continue;
    busy += 1;
    ops.push({ op: 'put', kind: 'command', key: task.id, value: sent(task, next, now) });
    effects.push(sends(link, name, task));
  }
  return { ops, effects };
}

/** How many other commands each node has that have not settled; counted when it is first asked. */
function busyBut(task: Task, view: Snapshot): (n: NodeName) => number {
  let counts: Map<string, number> | null = null;
  const count = (): Map<string, number> => {
    const all = new Map<string, number>();
    for (const t of openTasks(view)) {
      if (t.id === task.id) continue;
      for (const [n, r] of Object.entries(t.results)) if (isOut(r)) all.set(n, (all.get(n) ?? 0) + 1);
    }
    return all;
  };
  return (n) => {
    counts ??= count();
    return counts.get(n) ?? 0;
  };
}

function isOutOn(task: Task, name: NodeName): boolean {
  const r = task.results[name];
  return r !== undefined && isOut(r);
}

export function sends(link: AgentLink, name: NodeName, task: Task): Effect {
  const { id, type, timeoutMs, expiresAt, options = {} } = task;
  return () => link.sendCommand(name, { id, type, timeoutMs, expiresAt, options });
}

export function cancels(link: AgentLink, name: NodeName, id: CommandId): Effect {
  return () => link.cancelCommand(name, id);
}
