import type { CommandOptions, CommandResult, CommandType } from './command.ts';
import type { CommandId, ConfigHash, Millis, NodeName, Revision, VersionLabel } from './ids.ts';
import type { LogLine, MetricsReport } from './metrics.ts';
import type { ConfigPhase, EngineInfo, Refusal, Standing } from './node.ts';
import type { SealedItem } from './secret.ts';

// The agent link in our words; the wire's are in proto/aicdn/v1/agent.proto, the bridge is proto/link/codec-up.ts.

export const LINK_PROTOCOL = 1;

export interface AgentHello {
  readonly agentVersion: string;
  readonly engine: EngineInfo | null;
  readonly capabilities: readonly string[];
  readonly effectiveHash: ConfigHash | null;
  readonly rejectedHash: ConfigHash | null;
  /** Commands whose result has not been acknowledged to us by the stream yet; told again, they are idempotent. */
  readonly ledgerOpen: readonly CommandResult[];
  readonly protocol: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly publicAddresses: readonly string[];
  readonly logTail: readonly LogLine[];
}

/** ACK (`applied`) or NACK (`failed`, with a refusal). */
export type ConfigStatusReport = {
  /** Echo of the offer's nonce, hex. */
  readonly nonce: string;
  readonly effectiveHash: ConfigHash | null;
  readonly engine: EngineInfo | null;
  readonly warnings: readonly string[];
} & (
  | { readonly status: 'applying'; readonly phase: ConfigPhase }
  | { readonly status: 'applied' }
  | {
      readonly status: 'failed';
      readonly phase: ConfigPhase;
      readonly rejectedHash: ConfigHash;
      /** The last-known-good was put back (after `switch` only). */
      readonly reverted: boolean;
      readonly refusal: Refusal;
      readonly logTail: string;
    }
);

/** Lines of a log that is followed, oldest first. */
export interface FollowedLines {
  readonly followId: string;
  readonly lines: readonly LogLine[];
  /** Lines that were left out before these: the link was too slow. */
  readonly dropped: number;
  /** Why it is over, or `null` while it goes on. */
  readonly ended: string | null;
}

export type AgentUp =
  | ({ readonly kind: 'hello' } & AgentHello)
  | {
      readonly kind: 'heartbeat';
      readonly sentAt: Millis;
      readonly health: 'ok' | 'engine_lost' | 'degraded';
      readonly engine: EngineInfo | null;
    }
  | { readonly kind: 'config_status'; readonly report: ConfigStatusReport }
  | { readonly kind: 'command_status'; readonly result: CommandResult }
  | { readonly kind: 'metrics'; readonly report: MetricsReport }
  | {
      readonly kind: 'events';
      readonly events: readonly { readonly at: Millis; readonly kind: string; readonly text: string }[];
    }
  | { readonly kind: 'renew'; readonly csrDer: Uint8Array }
  /** What it takes, and how far its drains are. */
  | { readonly kind: 'standing'; readonly standing: Standing }
  | ({ readonly kind: 'log_lines' } & FollowedLines);

export type AgentDown =
  | {
      readonly kind: 'welcome';
      readonly node: NodeName;
      readonly masterVersion: string;
      readonly now: Millis;
      readonly storeId: string;
    }
  | {
      readonly kind: 'remote_config';
      readonly hash: ConfigHash;
      readonly revision: Revision;
      readonly version: VersionLabel;
      readonly body: Uint8Array;
      /** Commit confirmed: the agent reverts unless `commit_confirm` with this id arrives in time. */
      readonly commit: { readonly id: string; readonly rollbackMs: number } | null;
      /** All that the body refers to. */
      readonly sealed: readonly SealedItem[];
      /** Of the publication that asks for one more try of what this node refused; 0: nobody has. */
      readonly retry: Revision;
    }
  | { readonly kind: 'commit_confirm'; readonly id: string }
  | { readonly kind: 'commit_cancel'; readonly id: string }
  | {
      readonly kind: 'command';
      readonly id: CommandId;
      readonly type: CommandType;
      readonly timeoutMs: number;
      readonly expiresAt: Millis;
      readonly options: CommandOptions;
    }
  | { readonly kind: 'cancel_command'; readonly id: CommandId }
  /** `lines` of what is there, then what comes, for `maxMs`. */
  | {
      readonly kind: 'follow_logs';
      readonly followId: string;
      readonly lines: number;
      readonly maxMs: number;
    }
  | { readonly kind: 'end_follow'; readonly followId: string }
  | {
      readonly kind: 'offers';
      readonly heartbeatMs: number | null;
      readonly reportMs: number | null;
      /** Leaf first, CA last; the answer to `renew`. */
      readonly chainDer: readonly Uint8Array[] | null;
    }
  | { readonly kind: 'report_full_state' }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly retryAfterMs: number };

/** What goes around every message: up has a sequence, down has a nonce. */
export interface UpEnvelope {
  /** Hex, 16 bytes, one a start of the agent. */
  readonly instanceUid: string;
  readonly sequence: number;
  readonly body: AgentUp;
}

export interface DownEnvelope {
  /** Hex. */
  readonly nonce: string;
  readonly leaderEpoch: number;
  readonly body: AgentDown;
}
