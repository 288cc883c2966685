import { AppError } from '../../proto/vocab/errors.ts';
import type { Services } from './api.ts';
import type { AgentLink, Ca, Clock, Log, MetricsRings, Random, Store } from './ports.ts';

/** What the services are told once. Durations in ms. */
export interface ServiceSettings {
  /** The master's own name for itself, shown by consoles. */
  readonly context: string;
  readonly masterVersion: string;
  /** Offered to every agent; a node is down after four of them without a word. */
  readonly heartbeatMs: number;
  /** How often nodes report that nobody looks at; those on a screen report each second. */
  readonly reportMs: number;
  /** How long a node is down before NodeDown fires. */
  readonly nodeDownForMs: number;
  /** How long a node has to carry out a command. */
  readonly commandTimeoutMs: number;
  /** `host:port` agents reach this master at, for join commands and consoles. */
  readonly advertise: string;
}

export interface ServiceNeeds {
  readonly store: Store;
  readonly ca: Pick<Ca, 'pin' | 'issueNode'>;
  /** Used only once an agent has connected, so its transport may be built after the services. */
  readonly link: AgentLink;
  readonly rings: MetricsRings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The services, and what drives them. */
export interface MasterServices extends Services {
  /** Before the transports listen: says in the journal that the master began, and what recovery found. */
  start(): Promise<void>;
  /** Once a second: what time alone decides. Never throws, never waits. */
  tick(): void;
  /** Settles once everything said so far is on disk, or refused. */
  settled(): Promise<void>;
  /** After the transports have stopped: ends the watches and waits for the disk. */
  stop(): Promise<void>;
}

export function createServices(_settings: ServiceSettings, _needs: ServiceNeeds): MasterServices {
  throw new AppError('unavailable', 'the services are not built yet');
}
