import type { Target } from './config-version.ts';
import type { CommandId, Millis, NodeName, Revision } from './ids.ts';
import type { EngineInfo } from './node.ts';

export const COMMAND_TYPES = [
  'reload',
  'restart',
  'stop',
  'start',
  'status',
  'logs',
  'drain',
  'undrain',
  'probe',
  'upgrade',
] as const;
export type CommandType = (typeof COMMAND_TYPES)[number];

/** Names kept for what no release can do yet: answered `unsupported`. */
export const RESERVED_COMMANDS = ['probe', 'upgrade'] as const satisfies readonly CommandType[];
export type ReservedCommand = (typeof RESERVED_COMMANDS)[number];
/** Those that are carried out. */
export type Order = Exclude<CommandType, ReservedCommand>;

export function isReserved(type: CommandType): type is ReservedCommand {
  return RESERVED_COMMANDS.some((r) => r === type);
}

/** What goes with a command. Each is for some types only; elsewhere it is refused. */
export interface CommandOptions {
  /** drain, stop, restart: streams that are left after this are cut. */
  readonly deadlineMs?: number;
  /** logs: how many, newest last. */
  readonly lines?: number;
  /** drain, undrain: this service; all of them where absent. */
  readonly service?: string;
  /** restart: the whole engine at once; its streams are cut. */
  readonly hard?: boolean;
}

/** Which options a type takes. */
export const COMMAND_OPTIONS: Readonly<Record<CommandType, readonly (keyof CommandOptions)[]>> = {
  reload: [],
  restart: ['deadlineMs', 'hard'],
  stop: ['deadlineMs'],
  start: [],
  status: [],
  logs: ['lines'],
  drain: ['deadlineMs', 'service'],
  undrain: ['service'],
  probe: [],
  upgrade: [],
};

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
  /** Streams it ended; absent: none. */
  readonly streamsCut?: number;
  /** Since when the node may have it: it was sent. Absent: it waits for the node, or for its turn. */
  readonly sentAt?: Millis;
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
  /** So many nodes at a time; absent: all at once. */
  readonly maxParallel?: number;
  readonly options?: CommandOptions;
  /** Somebody took it back: who has not got it will not, who has is told. */
  readonly cancelledAt?: Millis;
  readonly modRevision: Revision;
}
