import type { ErrorCode } from '../../../../proto/vocab/errors.ts';
import type { Refusal } from '../../../../proto/vocab/node.ts';
import type { EngineIdentity, ServiceStats } from '../../port.ts';
import type { LogLevel } from '../control/logs.ts';
import type { TallyAnswer, TallyReport, WorkerCall } from '../data/messages.ts';

// What the processes of one engine say to each other, as JSON. The primary knows no document and no figures: it forks,
// holds the ports, passes calls on and keeps what control wants back. It outlives releases: unknown messages are
// ignored, so that an older primary and newer workers understand each other.

/** Before an exit, for what has been sent. */
export const FLUSH_MS = 100;

export interface WorkerFacts {
  readonly id: number;
  readonly pid: number;
  readonly version: string;
  /** It takes nothing new and has to be gone by then (milliseconds of the day); `null`: it carries. */
  readonly retireBy: number | null;
}

export interface CallFault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly refusals?: readonly Refusal[];
}

export type Answer = { readonly ok: unknown } | { readonly error: CallFault };

/** Control's state by name; the primary holds it unread. */
export type Kept = Readonly<Record<string, unknown>>;

export interface ControlStart {
  readonly socket: string;
  readonly document: string | null;
  readonly identity: EngineIdentity;
  readonly instance: string;
  /** Of the primary: the engine's. */
  readonly pid: number;
  readonly startedAt: number;
  /** Data workers there should be. */
  readonly wanted: number;
  readonly restarts: number;
  readonly workers: readonly WorkerFacts[];
  readonly kept: Kept;
  /** Data workers that died while no control was there. Absent from an older primary. */
  readonly left?: readonly Left[];
}

/** What a data worker that is gone had counted, as it said last. */
export interface Left {
  readonly worker: number;
  readonly figures: readonly ServiceStats[];
}

export type ToWorker =
  /** `dns`: servers to ask for names, `host:port`; a primary of an earlier release says none. */
  | { readonly t: 'data'; readonly dns?: readonly string[] }
  | { readonly t: 'control'; readonly start: ControlStart }
  | { readonly t: 'call'; readonly id: number; readonly name: WorkerCall; readonly args: unknown }
  /** To control: what it called, or asked of the primary. */
  | { readonly t: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly t: 'joined'; readonly worker: WorkerFacts }
  /** Without figures from an older primary. */
  | {
      readonly t: 'left';
      readonly worker: number;
      readonly restarts: number;
      readonly figures?: readonly ServiceStats[];
    }
  | { readonly t: 'line'; readonly level: LogLevel; readonly text: string }
  /** To control: what a data worker said of the node's limits. */
  | { readonly t: 'tally'; readonly worker: number; readonly report: TallyReport }
  /** To a data worker: what control said to that. */
  | { readonly t: 'tallied'; readonly answer: TallyAnswer }
  /** Answered `pong` by who lives. */
  | { readonly t: 'ping' }
  /** To control: nothing new is taken, and it says `stop` when nothing is carried, at `by` at the latest. */
  | { readonly t: 'drain'; readonly by: number }
  /** Cut what is left and exit. */
  | { readonly t: 'end' };

export type ToPrimary =
  /** First of all; answered by the role, for control only when its turn has come. `pings`: it answers a ping. */
  | { readonly t: 'hello'; readonly version: string; readonly pings?: true }
  | { readonly t: 'line'; readonly level: LogLevel; readonly text: string }
  | { readonly t: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly t: 'pong' }
  /** From a data worker, for the case that it dies: all it has counted, when that has changed. */
  | { readonly t: 'figures'; readonly services: readonly ServiceStats[] }
  /** From a data worker, for control. */
  | { readonly t: 'tally'; readonly report: TallyReport }
  // From control only:
  | { readonly t: 'up' }
  | { readonly t: 'tallied'; readonly worker: number; readonly answer: TallyAnswer }
  | { readonly t: 'failed'; readonly message: string }
  | {
      readonly t: 'call';
      readonly id: number;
      readonly worker: number;
      readonly name: WorkerCall;
      readonly args: unknown;
    }
  /** Answered `WorkerFacts` once it has said hello. Not replaced when it dies, until `use`. */
  | { readonly t: 'fork'; readonly id: number; readonly exec: string; readonly role: 'data' | 'control' }
  /** From now on workers are made from this program. */
  | { readonly t: 'use'; readonly exec: string }
  | { readonly t: 'keep'; readonly name: string; readonly value: unknown }
  | { readonly t: 'retire'; readonly worker: number; readonly by: number }
  /** `now`: it cannot be spoken to. */
  | { readonly t: 'end'; readonly worker: number; readonly now: boolean }
  | { readonly t: 'handover'; readonly to: number }
  | { readonly t: 'stop' };

export interface WorkerNeeds {
  readonly version: string;
  readonly now: () => number;
  readonly clock: () => number;
  readonly random: () => number;
  readonly write: (line: string) => void;
  /** To the primary. */
  readonly send: (message: ToPrimary) => void;
  readonly exit: (code: number) => void;
}
