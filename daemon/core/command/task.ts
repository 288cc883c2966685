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

/** How far a state is: a node's report never goes back, however often or late it is delivered. */
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

/** queued -> received -> running -> settled, or straight on. The same task when nothing is new. */
export function reported<T extends Stored>(task: T, node: NodeName, result: CommandResult, now: Millis): T {
  const old = task.results[node];
  if (!old) throw new AppError('not_found', `command ${task.id} is not for ${node}`);
  // A late result of a node that we had given up on is the truth all the same: it did run.
  const revived = old.state === 'timed_out' && PROGRESS[result.state] === 3;
  if (!revived && PROGRESS[result.state] <= PROGRESS[old.state]) return task;
  return settle({ ...task, results: { ...task.results, [node]: result } }, now);
}

/** What time alone decides: queued -> expired past `expiresAt`, received | running -> timed_out. */
export function aged<T extends Stored>(task: T, now: Millis): T {
  if (task.endedAt !== null) return task;
  const results: Record<string, CommandResult> = {};
  let changed = false;
  for (const [node, r] of Object.entries<CommandResult>(task.results)) {
    const next = agedResult(task, r, now);
    results[node] = next;
    changed ||= next !== r;
  }
  return changed ? settle({ ...task, results }, now) : task;
}

function agedResult(task: Stored, r: CommandResult, now: Millis): CommandResult {
  if (r.state === 'queued' && now >= task.expiresAt) {
    return { ...r, state: 'expired', exitCode: 1, outputTail: 'the node did not take it before it expired' };
  }
  // The node runs its own timeout; this one is for a node that went away with the command.
  if (!isSettled(r.state) && r.state !== 'queued' && now >= task.expiresAt + task.timeoutMs) {
    return { ...r, state: 'timed_out', exitCode: 1, outputTail: 'the node did not report a result in time' };
  }
  return r;
}

/** Nodes that must (still) be told of the command. */
export function due(task: Stored, node: NodeName, now: Millis): boolean {
  const r = task.results[node];
  return r !== undefined && !isSettled(r.state) && now < task.expiresAt;
}

function settle<T extends Stored>(task: T, now: Millis): T {
  const states = Object.values<CommandResult>(task.results).map((r) => r.state);
  const state = taskState(states);
  const ended = states.every(isSettled);
  return { ...task, state, endedAt: ended ? (task.endedAt ?? now) : null };
}

/** A task's state from its nodes': partial when some did and some did not. */
export function taskState(states: readonly CommandState[]): TaskState {
  if (!states.every(isSettled)) return states.every((s) => s === 'queued') ? 'queued' : 'running';
  const all = (s: CommandState): boolean => states.length > 0 && states.every((x) => x === s);
  if (states.every((s) => s === 'succeeded')) return 'succeeded';
  if (states.includes('succeeded')) return 'partial';
  if (all('cancelled')) return 'cancelled';
  if (states.every((s) => s === 'timed_out' || s === 'expired')) return 'timed_out';
  return 'failed';
}
