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

/** How many commands a node is sent at once; the next goes as one settles. */
const MOST_AT_ONCE = 32;

/**
 * Who is to be sent it now: the first of those that wait, are here and have room, as many as may have it at a time.
 * @param here whether the node is connected; `busy`: how many commands it has that have not settled
 */
export function turn(
  task: Stored,
  now: Millis,
  here: (n: NodeName) => boolean,
  busy: (n: NodeName) => number,
): readonly NodeName[] {
  if (task.endedAt !== null || task.cancelledAt !== undefined || now >= task.expiresAt) return [];
  const parts = Object.entries<CommandResult>(task.results) as [NodeName, CommandResult][];
  const most = task.maxParallel ?? Number.POSITIVE_INFINITY;
  let room = most - parts.filter(([, r]) => isOut(r)).length;
  const out: NodeName[] = [];
  for (const [name, r] of parts) {
    if (room <= 0) break;
    if (r.state !== 'queued' || r.sentAt !== undefined || !here(name) || busy(name) >= MOST_AT_ONCE) continue;
    out.push(name);
    room -= 1;
  }
  return out;
}

/** Sent, and not settled: the node may be at it. */
export function isOut(r: CommandResult): boolean {
  return r.sentAt !== undefined && !isSettled(r.state);
}

/** queued -> queued, sent: from now on the node may have it. */
export function sent<T extends Stored>(task: T, nodes: readonly NodeName[], now: Millis): T {
  if (nodes.length === 0) return task;
  const given = nodes.map((n) => [n, { ...(task.results[n] as CommandResult), sentAt: now }]);
  return { ...task, results: { ...task.results, ...Object.fromEntries(given) } };
}

/**
 * Taken back. queued, not sent -> cancelled; who has it is told, and what it makes of that is its result.
 * @throws AppError `precondition` when it is over
 */
export function cancelled<T extends Stored>(task: T, by: string, now: Millis): T {
  if (task.endedAt !== null)
    throw new AppError('precondition', `command ${task.id} is over already: ${task.state}`);
  if (task.cancelledAt !== undefined) return task;
  const results = mapped(task, (r) =>
    isSettled(r.state) || r.sentAt !== undefined
      ? r
      : { ...r, state: 'cancelled', exitCode: 1, outputTail: `taken back by ${by} before it was sent` },
  );
  return settle({ ...task, cancelledAt: now, results }, now);
}

/** any unsettled -> cancelled | failed: the node is gone for good, and `why`. */
export function left<T extends Stored>(task: T, node: NodeName, why: string, now: Millis): T {
  const r = Object.hasOwn(task.results, node) ? task.results[node] : undefined;
  if (!r || isSettled(r.state)) return task;
  const text = r.sentAt === undefined ? why : `${why}; whether it took effect is not known`;
  const state: CommandState = r.sentAt === undefined ? 'cancelled' : 'failed';
  return settle(
    { ...task, results: { ...task.results, [node]: { ...r, state, exitCode: 1, outputTail: text } } },
    now,
  );
}

function mapped(task: Stored, f: (r: CommandResult) => CommandResult): CommandTask['results'] {
  return Object.fromEntries(Object.entries<CommandResult>(task.results).map(([n, r]) => [n, f(r)]));
}

/**
 * queued -> received -> running -> settled, or straight on; the same task when nothing is new.
 * @throws AppError `not_found` when the command was not for this node
 */
export function reported<T extends Stored>(task: T, node: NodeName, result: CommandResult, now: Millis): T {
  return reportedAll(task, [[node, result]], now);
}

/** Many at once: a task of a large fleet is copied once for all of them. */
export function reportedAll<T extends Stored>(
  task: T,
  said: readonly (readonly [NodeName, CommandResult])[],
  now: Millis,
): T {
  const news = new Map<NodeName, CommandResult>();
  for (const [node, result] of said) {
    const next = heardOf(task, node, news.get(node), result);
    if (next) news.set(node, next);
  }
  if (news.size === 0) return task;
  return settle({ ...task, results: { ...task.results, ...Object.fromEntries(news) } }, now);
}

/** `null`: nothing new. */
function heardOf(
  task: Stored,
  node: NodeName,
  newer: CommandResult | undefined,
  result: CommandResult,
): CommandResult | null {
  const old = newer ?? (Object.hasOwn(task.results, node) ? task.results[node] : undefined);
  if (!old) throw new AppError('not_found', `command ${task.id} is not for ${node}`);
  if (PROGRESS[result.state] <= PROGRESS[old.state]) return null;
  // When it was sent is our word, not the node's.
  const { sentAt: _, ...said } = result;
  return old.sentAt === undefined ? said : { ...said, sentAt: old.sentAt };
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
