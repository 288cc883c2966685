import {
  type CommandResult,
  type CommandState,
  type CommandTask,
  isSettled,
  type TaskState,
} from '../../../proto/vocab/command.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import type { CommandId, Millis, NodeName } from '../../../proto/vocab/ids.ts';

type Stored = Omit<CommandTask, 'modRevision'>;

/** What a node may take longer than the timeout it enforces itself. */
const REPORT_GRACE_MS = 5000;

/** -> queued, on every node. */
export function queued(id: CommandId): CommandResult {
  return {
    commandId: id,
    state: 'queued',
    exitCode: 0,
    outputTail: '',
    before: null,
    after: null,
    unchanged: false,
    tookMs: 0,
    streamsKept: 0,
  };
}

/** How far a state is: a report never takes a node back, however often or late it is delivered. */
const PROGRESS: Readonly<Record<CommandState, number>> = {
  queued: 0,
  received: 1,
  running: 2,
  succeeded: 3,
  failed: 3,
  rejected: 3,
  timed_out: 3,
  cancelled: 3,
  expired: 3,
};

/**
 * queued -> received -> running -> settled, or straight on; the same task when nothing is new.
 * @throws AppError `not_found` when the command was not for this node
 */
export function reported<T extends Stored>(task: T, node: NodeName, result: CommandResult, now: Millis): T {
  const old = Object.hasOwn(task.results, node) ? task.results[node] : undefined;
  if (!old) throw new AppError('not_found', `command ${task.id} is not for ${node}`);
  if (PROGRESS[result.state] <= PROGRESS[old.state]) return task;
  return settle({ ...task, results: { ...task.results, [node]: result } }, now);
}

/**
 * What time alone decides: queued -> expired past `expiresAt`, received | running -> timed_out.
 * The node enforces the timeout itself; ours is for one that went away with the command.
 * @param startedAt when the node was first heard to have it
 */
export function aged<T extends Stored>(task: T, startedAt: (node: NodeName) => Millis, now: Millis): T {
  if (task.endedAt !== null) return task;
  const results: Record<string, CommandResult> = {};
  let changed = false;
  for (const [node, r] of Object.entries<CommandResult>(task.results)) {
    const next = agedResult(task, r, startedAt(node as NodeName), now);
    results[node] = next;
    changed ||= next !== r;
  }
  return changed ? settle({ ...task, results }, now) : task;
}

function agedResult(task: Stored, r: CommandResult, startedAt: Millis, now: Millis): CommandResult {
  if (isSettled(r.state)) return r;
  if (r.state === 'queued') {
    if (now < task.expiresAt) return r;
    return { ...r, state: 'expired', exitCode: 1, outputTail: 'the node did not take it before it expired' };
  }
  if (now < startedAt + task.timeoutMs + REPORT_GRACE_MS) return r;
  return { ...r, state: 'timed_out', exitCode: 1, outputTail: 'the node did not report a result in time' };
}

/** Whether the node must (still) be told of the command. */
export function due(task: Stored, node: NodeName, now: Millis): boolean {
  const r = Object.hasOwn(task.results, node) ? task.results[node] : undefined;
  return r !== undefined && !isSettled(r.state) && now < task.expiresAt;
}

function settle<T extends Stored>(task: T, now: Millis): T {
  const states = Object.values<CommandResult>(task.results).map((r) => r.state);
  return { ...task, state: taskState(states), endedAt: states.every(isSettled) ? now : null };
}

/** A task's state from its nodes': `partial` when some did and some did not. */
export function taskState(states: readonly CommandState[]): TaskState {
  if (!states.every(isSettled)) return states.every((s) => s === 'queued') ? 'queued' : 'running';
  if (states.every((s) => s === 'succeeded')) return 'succeeded';
  if (states.includes('succeeded')) return 'partial';
  if (states.every((s) => s === 'cancelled')) return 'cancelled';
  if (states.every((s) => s === 'timed_out' || s === 'expired')) return 'timed_out';
  return 'failed';
}
