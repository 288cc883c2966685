import type { Target } from './config-version.ts';
import type { CommandId, Millis, NodeName, Revision } from './ids.ts';
import type { EngineInfo } from './node.ts';

export const COMMAND_TYPES = ['reload'] as const;
export type CommandType = (typeof COMMAND_TYPES)[number];

export const COMMAND_STATES = [
  'queued',
  'received',
  'running',
  'succeeded',
  'failed',
  'rejected',
  'timed_out',
  'cancelled',
  'expired',
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

/** States a command never leaves. */
export function isSettled(s: CommandState): boolean {
  return s !== 'queued' && s !== 'received' && s !== 'running';
}

/** One node's part of a task. `before` and `after` are read back from the engine. */
export interface CommandResult {
  readonly commandId: CommandId;
  readonly state: CommandState;
  readonly exitCode: number;
  /** At most 4 KB. */
  readonly outputTail: string;
  readonly before: EngineInfo | null;
  readonly after: EngineInfo | null;
  readonly unchanged: boolean;
  readonly tookMs: number;
  readonly streamsKept: number;
}

export type TaskState = 'queued' | 'running' | 'succeeded' | 'partial' | 'failed' | 'timed_out' | 'cancelled';

/** A command to one or many nodes. */
export interface CommandTask {
  readonly id: CommandId;
  readonly type: CommandType;
  readonly target: Target;
  readonly state: TaskState;
  readonly results: Readonly<Record<NodeName, CommandResult>>;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly timeoutMs: number;
  readonly endedAt: Millis | null;
  readonly reason: string;
  readonly modRevision: Revision;
}
