import type { CommandTask } from './command.ts';
import type { FleetEvent } from './event.ts';
import type { Millis } from './ids.ts';
import type { LogLine, SparseHistogram } from './metrics.ts';
import type { DrainView, Node, NodeVitals } from './node.ts';

/** One service of a node over its last minute; `streams` is now. `null` is unknown, never 0. */
export interface ServiceWindow {
  readonly service: string;
  readonly streams: number;
  readonly ttft50Ms: number | null;
  readonly ttft95Ms: number | null;
  readonly connect99Ms: number | null;
  readonly gap99Ms: number | null;
  readonly requests: number;
  readonly errors: number;
  readonly abortedClient: number;
  readonly abortedOrigin: number;
  readonly abortedTunnel: number;
  readonly ttft: SparseHistogram;
  readonly connect: SparseHistogram;
  readonly gap: SparseHistogram;
}

/** `ttft_p50`, `ttft_p95`, `gap_p99`, `p99`, `streams`, `rps`, `err_pct`, `cpu_pct`. */
export interface Series {
  readonly name: string;
  /** One a minute, oldest first, 60 of them; NaN is no data. */
  readonly values: readonly number[];
}

/** Everything the master knows of one node, as its page shows it. */
export interface NodeDetail {
  readonly node: Node;
  readonly vitals: NodeVitals;
  readonly series: readonly Series[];
  readonly services: readonly ServiceWindow[];
  /** Newest last, at most 200. */
  readonly log: readonly LogLine[];
  readonly lastMinuteAt: Millis;
  readonly commands: readonly CommandTask[];
  readonly events: readonly FleetEvent[];
  /** What it drains, as it said last; empty where it drains nothing or is not there. */
  readonly drains: readonly DrainView[];
}
