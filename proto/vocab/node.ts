import type { ConfigHash, Millis, NodeName, Revision, VersionLabel } from './ids.ts';

// The axes are orthogonal, never one enum [Nomad, Kubernetes].

export const NODE_TYPES = ['edge', 'core'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** Derived from the session and `now`, never stored. */
export const NODE_STATUSES = ['initializing', 'ready', 'disconnected', 'down', 'unknown'] as const;
export type NodeStatus = (typeof NODE_STATUSES)[number];

export type Eligibility = 'eligible' | 'ineligible';
export type Drain = 'none' | 'draining' | 'drained';
export type ConfigSync = 'in_sync' | 'out_of_sync' | 'applying' | 'failed' | 'drifted' | 'unknown';
export type Identity = 'pending' | 'accepted' | 'revoked';

/** The four phases of putting a document into force; a refusal names the one it happened in. */
export type ConfigPhase = 'validate' | 'prepare' | 'switch' | 'confirm';

/** A refusal with a place. `line` and `column` are 1-based. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
  /** `services[0].listener.tls.certFile` */
  readonly path?: string;
  readonly hint?: string;
}

export interface ListenerInfo {
  readonly service: string;
  readonly addr: string;
  readonly type: string;
}

export interface WorkerInfo {
  readonly pid: number;
  readonly version: string;
}

/** What a node was told to take no new streams on, and how far it is: those it has go on until `deadline`. */
export interface DrainView {
  /** `null`: every service. */
  readonly service: string | null;
  readonly streams: number;
  /** Age of the oldest stream, 0 without one. */
  readonly oldestMs: number;
  readonly deadline: Millis;
  /** Until the last one is over at the pace since it began; `null`: no pace yet. */
  readonly etaMs: number | null;
}

/** What a node takes, as it was last told by commands; it outlives restarts of its agent and of its engine. */
export interface Standing {
  readonly stopped: boolean;
  readonly drains: readonly DrainView[];
}

/** What an agent knows of the engine beside it, read back from the engine itself. */
export interface EngineInfo {
  readonly kind: 'embedded' | 'gost';
  readonly version: string;
  /** Random per engine process; counters restart with it. */
  readonly instance: string;
  /** + 1 on every apply and reload. */
  readonly generation: number;
  /** Hash of what the engine runs; `null`: runs nothing. */
  readonly documentHash: ConfigHash | null;
  readonly pid: number;
  readonly reason: string;
  readonly listeners: readonly ListenerInfo[];
  readonly startedAt: Millis;
  /** The processes that carry streams; absent: not told. */
  readonly workers?: readonly WorkerInfo[];
  /** Workers that died and were replaced since the start. */
  readonly restarts?: number;
}

/** Why a node's config_sync is `failed`. */
export interface ConfigFailure {
  readonly phase: ConfigPhase;
  readonly refusal: Refusal;
  /** The engine's last log lines, at most 4 KB. */
  readonly logTail: string;
  readonly reverted: boolean;
  readonly at: Millis;
}

/** What the registry keeps of a node. Heartbeats, status and figures are not in here: they never touch the disk. */
export interface Node {
  readonly name: NodeName;
  readonly nodeType: NodeType;
  readonly region: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What operators said over the labels its agent gives: a value, or `null` for one that is taken away. */
  readonly assigned?: Readonly<Record<string, string | null>>;
  readonly eligibility: Eligibility;
  readonly drain: Drain;
  /** It was told to stop: it takes no new streams until it is told to start. Absent: it serves. */
  readonly stopped?: boolean;
  readonly configSync: ConfigSync;
  readonly identity: Identity;
  /** A first CONFIRM has happened: initializing -> ready. */
  readonly initialized: boolean;
  readonly target: { readonly version: VersionLabel; readonly hash: ConfigHash } | null;
  readonly effective: { readonly version: VersionLabel | null; readonly hash: ConfigHash } | null;
  /** Never offered again, unless a person publishes it again. */
  readonly rejectedHash: ConfigHash | null;
  /** A person asked, by the publication of this revision, for one more try of what it had refused. */
  readonly retry?: { readonly hash: ConfigHash; readonly revision: Revision };
  readonly failure: ConfigFailure | null;
  readonly warnings: readonly string[];
  readonly agentVersion: string;
  readonly engine: EngineInfo | null;
  readonly capabilities: readonly string[];
  /** Of its interfaces, but for loopback and link-local ones, as its agent tells them. Absent: it tells none. */
  readonly addresses?: readonly string[];
  readonly joinedAt: Millis;
  readonly certificate: {
    readonly serial: string;
    readonly notAfter: Millis;
    /** Its own before it renewed, newest last: good until they expire, unless it is joined anew. */
    readonly earlier?: readonly string[];
    /** Of hosts that this node was before it was joined anew: they may not connect any more. */
    readonly replaced?: readonly string[];
  } | null;
  readonly modRevision: Revision;
}

/** Figures of a node: `streams` is now, the others are over the last minute. `null` is unknown, never 0. */
export interface NodeVitals {
  readonly name: NodeName;
  readonly status: NodeStatus;
  readonly lastSeen: Millis | null;
  readonly streams: number | null;
  readonly rps: number | null;
  readonly ttft95Ms: number | null;
  /** Of the tunnel's connect latency: client accepted -> relay OK. */
  readonly p99Ms: number | null;
  readonly errPct: number | null;
  readonly abortedPct: number | null;
  readonly gap99Ms: number | null;
  readonly cpuPct: number | null;
  readonly memPct: number | null;
  /** Connect P99 of the last 10 minutes, oldest first; `null` is a gap. */
  readonly p99Minutes: readonly (number | null)[];
  /** How far its clock is ahead of the master's, to the network's delay; absent or `null`: not known. */
  readonly clockSkewMs?: number | null;
}

/** From here on a node's times cannot be read beside the master's, and its certificates begin and end at others. */
export const SKEW_WARN_MS = 2_000;

/** Fleet and region figures use the edge's measurement only: edge and core see the same stream. */
export interface FleetVitals {
  readonly streams: number;
  readonly rps: number | null;
  readonly ttft95Ms: number | null;
  readonly p99Ms: number | null;
  readonly errPct: number | null;
  /** Why the master is degraded (disk full, …), or `null`. */
  readonly degraded: string | null;
}

/** A region's nodes of one type, or all edges (`region: null`), percentiles from merged buckets. `null` is unknown. */
export interface RegionVitals {
  readonly region: string | null;
  readonly nodeType: NodeType;
  readonly streams: number;
  readonly rps: number | null;
  readonly ttft50Ms: number | null;
  readonly ttft95Ms: number | null;
  readonly gap99Ms: number | null;
  readonly p99Ms: number | null;
  readonly errPct: number | null;
  readonly abortedPct: number | null;
  /** TTFT p95 of the last 30 minutes, oldest first; `null` is a gap. */
  readonly ttft95Minutes: readonly (number | null)[];
}
