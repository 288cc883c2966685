import type { openAgentStream } from '../../proto/link/dial.ts';
import type { Timers } from '../../proto/link/timers.ts';
import type { AgentDown, AgentHello, AgentUp } from '../../proto/vocab/agent-link.ts';
import type { CommandId, Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { MetricsReport } from '../../proto/vocab/metrics.ts';
import type { Standing } from '../../proto/vocab/node.ts';
import type { Log } from '../core/log.ts';
import type { Offer } from '../core/steps.ts';
import type { RenewedPem } from './renewal.ts';

// What the conversation needs of the agent around it.

type Heartbeat = Omit<Extract<AgentUp, { kind: 'heartbeat' }>, 'kind' | 'sentAt'>;
export type NodeEvent = Extract<AgentUp, { kind: 'events' }>['events'][number];

export interface SessionSettings {
  /** `host:port`, tried in turn. */
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
  /** Hex, 16 bytes, one a start of the agent. */
  readonly instanceUid: string;
}

/** Who this node is to the master; replaced by each renewal. */
export interface SessionIdentity {
  readonly node: NodeName;
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
}

export interface SessionNeeds {
  /** What it says of the node. */
  readonly node: {
    hello(): Promise<
      Pick<
        AgentHello,
        'engine' | 'capabilities' | 'effectiveHash' | 'rejectedHash' | 'publicAddresses' | 'logTail'
      >
    >;
    heartbeat(): Promise<Heartbeat>;
    /** What it takes, and how far its drains are. */
    standing(): Promise<Standing>;
    /** Deltas since the last one; `null`: nothing to say. */
    metrics(): Promise<MetricsReport | null>;
    /** A new conversation: figures begin anew, a gap stays a gap. */
    metricsFromNow(): void;
  };
  readonly identity: {
    current(): SessionIdentity;
    /** Durable when it settles, and in use by the engine. */
    renewed(pem: RenewedPem): Promise<void>;
  };
  /** What the master wants. */
  readonly orders: {
    reached(): void;
    offer(offer: Offer): void;
    commitConfirmed(id: string): void;
    commitCancelled(id: string): void;
    command(c: Extract<AgentDown, { kind: 'command' }>): void;
    cancel(id: CommandId): void;
    followLogs(f: Extract<AgentDown, { kind: 'follow_logs' }>): void;
    endFollow(followId: string): void;
    /** The link takes more of what may be left out. */
    writable(): void;
  };
  /** What the master has heard need not be told after a restart. */
  readonly told: { command(id: CommandId): void; event(event: NodeEvent): void };
  readonly onOpen?: () => void;
  readonly log: Log;
  readonly random: () => number;
  readonly timers?: Timers;
  /** Opens one conversation: gRPC's own client, but for a simulator of thousands. */
  readonly open?: typeof openAgentStream;
}
