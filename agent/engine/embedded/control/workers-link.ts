import type { WorkerInfo } from '../../../../proto/vocab/node.ts';
import type { ServiceStats } from '../../port.ts';
import type { Bind, WorkerCall, WorkerCalls } from '../data/messages.ts';
import type { Log } from './logs.ts';

// What control needs of the process that forks.

export interface WorkerFacts extends WorkerInfo {
  readonly id: number;
  readonly retireBy: number | null;
}

/** The way to the workers. Calls to one that is gone reject `unavailable`. */
export interface WorkersLink {
  call<K extends WorkerCall>(
    worker: number,
    name: K,
    args: WorkerCalls[K]['args'],
  ): Promise<WorkerCalls[K]['ok']>;
  /** A process of that program, alive; the one that dies after it is not replaced before `use`. */
  fork(exec: string, role: 'data' | 'control'): Promise<WorkerFacts>;
  use(exec: string): void;
  /** It is not replaced when it ends. */
  retire(worker: number, by: number): void;
  end(worker: number, now: boolean): void;
}

export interface Sums {
  readonly gone: readonly ServiceStats[];
  readonly told: Readonly<Record<string, readonly ServiceStats[]>>;
  /** Workers in `gone` that this control found to have left before it came. */
  readonly found?: readonly number[];
}

export interface WorkersNeeds {
  readonly link: WorkersLink;
  readonly log: Log;
  readonly now: () => number;
  /** Why this port cannot be had, or `null`. */
  readonly probe: (listen: Bind['listen']) => Promise<string | null>;
  readonly keepSums: (sums: Sums) => void;
}
