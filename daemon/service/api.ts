import type { AgentHello, ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import type { AlertView } from '../../proto/vocab/alert.ts';
import type { AuditRecord, AuditVerdict } from '../../proto/vocab/audit.ts';
import type { Action, Caller, Role } from '../../proto/vocab/can.ts';
import type { CommandResult, CommandTask, CommandType } from '../../proto/vocab/command.ts';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import type {
  CommandId,
  Fingerprint,
  Millis,
  NodeName,
  Revision,
  SilenceId,
  VersionLabel,
} from '../../proto/vocab/ids.ts';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import type { MetricsReport } from '../../proto/vocab/metrics.ts';
import type { Node, NodeType, NodeVitals } from '../../proto/vocab/node.ts';
import type { NodeDetail } from '../../proto/vocab/node-detail.ts';
import type { ApiKeyView, Session, UserView } from '../../proto/vocab/people.ts';
import type { Silence } from '../../proto/vocab/silence.ts';
import type { WatchEvent } from '../../proto/vocab/watch.ts';
import type { IssuedCertificate } from './ports.ts';

// What a transport may call: one interface a noun. Every method may reject with an AppError.
// A promise of a mutation settles after its commit is on disk.

export type { Session } from '../../proto/vocab/people.ts';

/** Around every mutation. The same `requestId` with the same arguments gets the first answer again. */
export interface Mutation {
  readonly caller: Caller;
  readonly requestId: string;
  readonly reason: string;
  readonly ifRevision: Revision | null;
}

export interface EnrolmentService {
  createToken(
    m: Mutation,
    args: { nodeType: NodeType; region: string; name: string | null; ttlMs: number | null },
  ): Promise<{ revision: Revision; token: string; expiresAt: Millis; joinCommand: string }>;
  /**
   * Burns the token and issues the certificate in one commit; a wrong, used or expired token is `unauthenticated`,
   * one for another type, region or name `forbidden`; the message says which.
   */
  enrol(args: {
    tokenId: string;
    tokenSecret: string;
    csrDer: Uint8Array;
    name: string;
    nodeType: string;
    region: string;
    labels: Readonly<Record<string, string>>;
    agentVersion: string;
    remote: string;
  }): Promise<{ node: NodeName; issued: IssuedCertificate; renewAfter: Millis }>;
  /** For a node whose certificate was accepted, or expired less than 30 days ago. */
  renew(name: NodeName, csrDer: Uint8Array): Promise<IssuedCertificate>;
  /** Whether a certificate of this name and serial may connect now. */
  admit(name: NodeName, serial: string): 'ok' | 'unknown' | 'revoked' | 'replaced';
}

/** What agents say, in. The transport calls these in the order of the stream; none waits for the disk. */
export interface AgentEvents {
  /** A session is up; `reply` is what the node must be told now (config to offer, commands still due). */
  connected(name: NodeName, hello: AgentHello, remote: string): void;
  heartbeat(name: NodeName, health: 'ok' | 'engine_lost' | 'degraded', engine: Node['engine']): void;
  configStatus(name: NodeName, report: ConfigStatusReport): void;
  commandStatus(name: NodeName, result: CommandResult): void;
  metrics(name: NodeName, report: MetricsReport): void;
  events(name: NodeName, events: readonly { at: Millis; kind: string; text: string }[]): void;
  disconnected(name: NodeName, reason: string): void;
}

export interface NodesService {
  list(): { nodes: readonly Node[]; vitals: readonly NodeVitals[]; revision: Revision };
  detail(name: string): NodeDetail;
}

export interface ConfigsService {
  list(): readonly ConfigVersion[];
  get(label: string): Promise<{ version: ConfigVersion; body: Uint8Array }>;
  /** Parsed and checked first: `invalid` with refusals (line, column) and nothing stored. */
  create(
    m: Mutation,
    args: { label: string | null; description: string; body: Uint8Array; parent: string | null },
  ): Promise<{ revision: Revision; version: ConfigVersion }>;
  publish(
    m: Mutation,
    args: { label: string; target: Target; dryRun: boolean },
  ): Promise<{ revision: Revision; version: ConfigVersion; nodes: readonly NodeName[] }>;
  previewRollback(args: { label: string; target: Target }): Promise<{
    toLabel: VersionLabel;
    newLabel: VersionLabel;
    nodes: readonly NodeName[];
    streams: number;
  }>;
  /** A new version with the previous content of `label`, published to the same target (or a narrower one). */
  rollback(
    m: Mutation,
    args: { label: string; target: Target; confirmNodes: number | null },
  ): Promise<{ revision: Revision; version: ConfigVersion; nodes: readonly NodeName[] }>;
}

export interface CommandsService {
  run(
    m: Mutation,
    args: {
      type: CommandType;
      target: Target;
      timeoutMs: number | null;
      expiresMs: number | null;
      dryRun: boolean;
    },
  ): Promise<{ revision: Revision; command: CommandTask; nodes: readonly NodeName[] }>;
  get(id: CommandId): CommandTask;
}

export interface AlertsService {
  list(): readonly AlertView[];
}

export interface SilencesService {
  list(): readonly Silence[];
  preview(matchers: readonly Matcher[]): {
    wouldSilence: readonly AlertView[];
    wouldNotSilence: readonly AlertView[];
    nodes: readonly NodeName[];
    totalNodes: number;
    asksTwice: boolean;
  };
  create(
    m: Mutation,
    args: {
      matchers: readonly Matcher[];
      /** Instead of matchers: the exact labels of this alert. */
      alert: Fingerprint | null;
      startsAt: Millis | null;
      endsAt: Millis;
      comment: string;
    },
  ): Promise<{ revision: Revision; silence: Silence }>;
  expire(m: Mutation, id: SilenceId): Promise<{ revision: Revision; silence: Silence }>;
}

/** One subscriber. `send` returning false means "full": the hub conflates until `drained()`; never waits. */
export interface WatchSink {
  send(event: WatchEvent): boolean;
  /** Ends the stream: too slow for too long, or the master stops. */
  end(reason: string): void;
}

export interface WatchService {
  subscribe(
    caller: Caller,
    args: { sinceRevision: Revision | null; storeId: string | null; client: string },
    sink: WatchSink,
  ): { watchId: string; drained(): void; close(): void };
  look(watchId: string, nodes: readonly NodeName[]): void;
}

export interface PeopleService {
  /** `unauthenticated`, after the same work for unknown users; `unavailable` with `retryAfterMs` when throttled. */
  login(args: { name: string; password: string; remote: string }): Promise<Session>;
  /** Each refresh token works once; a second use revokes its whole family. */
  refresh(args: { refreshToken: string; remote: string }): Promise<Session>;
  logout(caller: Caller, args: { accessToken: string }): Promise<void>;
  /** A JWT or an API key (`ck1.<id>.<secret>`) -> who asks. No disk, no hash slower than sha256. @throws AppError `unauthenticated` */
  authenticate(bearer: string, remote: string): Caller;
  /** First start: the one-time code makes the first admin. */
  bootstrap(args: { code: string; name: string; password: string; remote: string }): Promise<Session>;
  listUsers(caller: Caller): readonly UserView[];
  createUser(
    m: Mutation,
    args: { name: string; role: Role; password: string },
  ): Promise<{ revision: Revision; user: UserView }>;
  /** Whatever of it changes, the user's sessions end at once. One enabled admin remains, or `precondition`. */
  updateUser(
    m: Mutation,
    args: { name: string; role?: Role; password?: string; disabled?: boolean },
  ): Promise<{ revision: Revision; user: UserView }>;
  removeUser(m: Mutation, name: string): Promise<{ revision: Revision }>;
  /** The caller's own, whatever the role. Ends the user's sessions. */
  changePassword(
    m: Mutation,
    args: { oldPassword: string; newPassword: string },
  ): Promise<{ revision: Revision }>;
  listApiKeys(caller: Caller): readonly ApiKeyView[];
  /** @param args.ttlMs `null`: 90 days; a year at most */
  createApiKey(
    m: Mutation,
    args: { name: string; role: Role; scopes: readonly Action[] | null; ttlMs: number | null },
  ): Promise<{ revision: Revision; key: ApiKeyView; secret: string }>;
  revokeApiKey(m: Mutation, id: string): Promise<{ revision: Revision }>;
}

export interface AuditService {
  /** Newest first. `next`: `before` of the page that follows, `null` on the last. */
  list(
    caller: Caller,
    args: { limit: number; before: number | null; actor?: string; action?: string },
  ): Promise<{ records: readonly AuditRecord[]; next: number | null }>;
  /** Reads all of it. */
  verify(caller: Caller): Promise<AuditVerdict>;
}

export interface Services {
  readonly enrolment: EnrolmentService;
  readonly agents: AgentEvents;
  readonly nodes: NodesService;
  readonly configs: ConfigsService;
  readonly commands: CommandsService;
  readonly alerts: AlertsService;
  readonly silences: SilencesService;
  readonly watch: WatchService;
  readonly people: PeopleService;
  readonly audit: AuditService;
}
