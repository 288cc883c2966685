// What crosses engine.sock. Frames: uint32 big-endian length, then JSON, at most 1 MiB.
// The server speaks first with Hello, the client answers Use, then calls. Unknown fields are ignored, unknown calls
// answered `unsupported`. Several clients may be connected (an old and a new agent): the last `apply` whose
// base_generation fits wins.

import type { TunnelDocument } from '../../../proto/document/document.ts';
import type { ErrorCode } from '../../../proto/vocab/errors.ts';
import type { ConfigHash } from '../../../proto/vocab/ids.ts';
import type { EngineInfo, Refusal } from '../../../proto/vocab/node.ts';
import type {
  ApplyResult,
  ConfirmResult,
  DrainStatus,
  EngineIdentity,
  EngineLogs,
  EngineStats,
  ReloadResult,
  UpgradeResult,
  ValidateResult,
} from '../port.ts';

export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 1;
export const MAX_FRAME = 1024 * 1024;

export interface Hello {
  readonly hello: {
    readonly protocol: readonly [number, number];
    readonly kind: 'embedded';
    readonly version: string;
    readonly instance: string;
    readonly pid: number;
    readonly capabilities: readonly string[];
  };
}

/** Every call by name: its arguments and its answer. */
export interface Calls {
  info: { args: Record<string, never>; ok: EngineInfo };
  validate: { args: { document: TunnelDocument; identity: EngineIdentity }; ok: ValidateResult };
  apply: {
    args: { document: TunnelDocument; hash: ConfigHash; baseGeneration: number; identity: EngineIdentity };
    ok: ApplyResult;
  };
  reload: { args: Record<string, never>; ok: ReloadResult };
  confirm: { args: Record<string, never>; ok: ConfirmResult };
  effective: {
    args: Record<string, never>;
    ok: { generation: number; document: TunnelDocument | null; hash: ConfigHash | null };
  };
  stats: { args: Record<string, never>; ok: EngineStats };
  logs: { args: { after: number; max: number }; ok: EngineLogs };
  drain: { args: { service: string | null; deadlineMs: number }; ok: DrainStatus };
  drainStatus: { args: Record<string, never>; ok: { drains: readonly DrainStatus[] } };
  undrain: { args: { service: string | null }; ok: { opened: readonly string[] } };
  upgrade: { args: { exec: string; deadlineMs: number }; ok: UpgradeResult };
  stop: { args: Record<string, never>; ok: Record<string, never> };
}

export type CallName = keyof Calls;

export interface CallError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly refusals?: readonly Refusal[];
}

export type Response = { id: number; ok: Calls[CallName]['ok'] } | { id: number; error: CallError };
