import type { TunnelDocument } from '../../proto/document/document.ts';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import type { LogLine, SparseHistogram } from '../../proto/vocab/metrics.ts';
import type { DrainView, EngineInfo, Refusal, WorkerInfo } from '../../proto/vocab/node.ts';

// What the agent needs of an engine. Two things implement it: embedded/ (ours, a process of its own) and, later,
// a driver for gost. Every method rejects with an AppError: `unavailable` when the engine is not there,
// `conflict` when `baseGeneration` is not the engine's, `invalid` with refusals otherwise.

/** Where the node's own certificate lives; the engine reads the files itself and watches them. */
export interface EngineIdentity {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** Where what documents name as sealed lies, a file each (`sealedFile`). */
  readonly sealedDir?: string;
}

export interface ValidateResult {
  readonly problems: readonly Refusal[];
  /** Services whose listener would close, with the streams on them now. */
  readonly wouldClose: readonly { readonly service: string; readonly streams: number }[];
}

export interface ApplyResult {
  readonly generation: number;
  readonly documentHash: ConfigHash;
  readonly opened: readonly string[];
  readonly closed: readonly string[];
  readonly kept: readonly string[];
}

export interface ReloadResult {
  readonly before: { readonly generation: number; readonly documentHash: ConfigHash | null };
  readonly after: { readonly generation: number; readonly documentHash: ConfigHash | null };
  /** Equal hash and equal certificate fingerprints. */
  readonly unchanged: boolean;
  readonly streamsKept: number;
}

export interface ConfirmResult {
  readonly listeners: readonly {
    readonly service: string;
    readonly accepting: boolean;
    readonly error: string;
  }[];
  /** Each chain and forwarder target tried now: one node a hop suffices. */
  readonly routes: readonly { readonly service: string; readonly reached: boolean; readonly error: string }[];
}

/** Cumulative since the engine's start; the agent makes deltas, a new `instance` starts from 0. */
export interface ServiceStats {
  readonly service: string;
  readonly streams: number;
  readonly opened: number;
  readonly closed: number;
  readonly errors: number;
  readonly abortedClient: number;
  readonly abortedOrigin: number;
  readonly abortedTunnel: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
  readonly connect: SparseHistogram;
  readonly ttft: SparseHistogram;
  readonly gap: SparseHistogram;
}

export interface EngineStats {
  readonly instance: string;
  /** Also of services that are gone, while their streams finish. */
  readonly services: readonly ServiceStats[];
}

export interface EngineLogs {
  readonly lines: readonly (LogLine & { readonly seq: number })[];
}

/** What is drained takes no new streams; those it has go on until `deadline` and are cut then. */
export type DrainStatus = DrainView;

export interface UpgradeResult {
  readonly version: string;
  readonly workers: readonly WorkerInfo[];
  /** Streams that go on in the processes of the release before. */
  readonly streamsKept: number;
}

export interface Engine {
  info(): Promise<EngineInfo>;
  /** What it can carry: `listener.tcp`, `handler.relay`, `dialer.tls`, … */
  capabilities(): Promise<readonly string[]>;
  /** Loads certificates, tries binding only ports that are new. Changes nothing. */
  validate(document: TunnelDocument, identity: EngineIdentity): Promise<ValidateResult>;
  /** All or nothing; established streams go on whatever closes. `source` is written to the effective file by the agent, not here. */
  apply(args: {
    document: TunnelDocument;
    hash: ConfigHash;
    baseGeneration: number;
    identity: EngineIdentity;
  }): Promise<ApplyResult>;
  /** Reads certificates again; the generation grows by one always. */
  reload(): Promise<ReloadResult>;
  confirm(): Promise<ConfirmResult>;
  /** What it runs, read back; the hash is computed from it. */
  effective(): Promise<{ generation: number; document: TunnelDocument | null; hash: ConfigHash | null }>;
  stats(): Promise<EngineStats>;
  /** Lines after `after` (a seq), at most `max`. */
  logs(after: number, max: number): Promise<EngineLogs>;
  /** Closes the listeners of one service, or of all. Survives applies, reloads and upgrades. */
  drain(args: { service: string | null; deadlineMs: number }): Promise<DrainStatus>;
  drainStatus(): Promise<{ drains: readonly DrainStatus[] }>;
  /** Opens the listeners again; `invalid` when a port was taken by another program meanwhile. */
  undrain(args: { service: string | null }): Promise<{ opened: readonly string[] }>;
  /**
   * Carries on with processes of another release, `exec` being its engine program. Nothing changes unless all of them
   * listen; the processes before end with their streams, at most `deadlineMs` later. The link is lost for a moment.
   */
  upgrade(args: { exec: string; deadlineMs: number }): Promise<UpgradeResult>;
  stop(): Promise<void>;
  /** Called when the link to the engine is lost or found again. */
  onLink(listener: (up: boolean) => void): void;
  close(): void;
}
