import type { AgentHello, ConfigStatusReport, FollowedLines } from '../../proto/vocab/agent-link.ts';
import type { AlertView } from '../../proto/vocab/alert.ts';
import type { AuditRecord, AuditVerdict } from '../../proto/vocab/audit.ts';
import type { BlastRadius } from '../../proto/vocab/blast.ts';
import type { Action, Caller, Role } from '../../proto/vocab/can.ts';
import type {
  CommandOptions,
  CommandResult,
  CommandTask,
  CommandType,
  TaskState,
} from '../../proto/vocab/command.ts';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import type {
  CommandId,
  Fingerprint,
  Millis,
  NodeName,
  Revision,
  RolloutId,
  SilenceId,
  VersionLabel,
} from '../../proto/vocab/ids.ts';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import type { HostFigures, LogLine, MetricsReport, RangePoint } from '../../proto/vocab/metrics.ts';
import type { Eligibility, Node, NodeType, NodeVitals, Refusal, Standing } from '../../proto/vocab/node.ts';
import type { NodeDetail } from '../../proto/vocab/node-detail.ts';
import type { ApiKeyView, Session, UserView } from '../../proto/vocab/people.ts';
import type {
  LegalVerb,
  RevertPreview,
  Rollout,
  RolloutTarget,
  RolloutVerb,
  StrategyOverrides,
  TargetState,
} from '../../proto/vocab/rollout.ts';
import type { SecretKind, SecretView } from '../../proto/vocab/secret.ts';
import type { Silence } from '../../proto/vocab/silence.ts';
import type { TokenView } from '../../proto/vocab/token.ts';
import type { RegionVariables } from '../../proto/vocab/variables.ts';
import type { WatchEvent } from '../../proto/vocab/watch.ts';
import type { CountedTotals, IssuedCertificate, MergedFigures, Place } from './ports.ts';

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
  /** `replace`: it puts another host in the place of the node of this name. */
  createToken(
    m: Mutation,
    args: {
      nodeType: NodeType;
      region: string;
      name: string | null;
      ttlMs: number | null;
      replace: boolean;
    },
  ): Promise<{ revision: Revision; token: string; expiresAt: Millis; joinCommand: string }>;
  listTokens(caller: Caller): readonly TokenView[];
  revokeToken(m: Mutation, id: string): Promise<{ revision: Revision; token: TokenView }>;
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
  /**
   * @param sentAt by the node's own clock
   * @param at when it came, where that was a moment ago
   */
  heartbeat(
    name: NodeName,
    health: 'ok' | 'engine_lost' | 'degraded',
    engine: Node['engine'],
    sentAt?: Millis,
    at?: Millis,
  ): void;
  configStatus(name: NodeName, report: ConfigStatusReport): void;
  commandStatus(name: NodeName, result: CommandResult): void;
  standing(name: NodeName, standing: Standing): void;
  logLines(name: NodeName, lines: FollowedLines): void;
  /** @param at as of `heartbeat` */
  metrics(name: NodeName, report: MetricsReport, at?: Millis): void;
  events(name: NodeName, events: readonly { at: Millis; kind: string; text: string }[]): void;
  disconnected(name: NodeName, reason: string): void;
}

export interface NodesService {
  list(): { nodes: readonly Node[]; vitals: readonly NodeVitals[]; revision: Revision };
  /** What is stored, without figures: the same array while no node has changed. `revision` is of everything. */
  facts(): { nodes: readonly Node[]; revision: Revision };
  /** One node as it is stored; the same object while it has not changed. @throws AppError `not_found` */
  fact(name: string): Node;
  /** Of the last minute, from merged samples of these nodes. */
  merged(names: readonly NodeName[]): MergedFigures;
  detail(name: string): NodeDetail;
  get(name: string): { node: Node; vitals: NodeVitals };
  /**
   * A label set to null is taken away. An `ineligible` node is left out of what configs of other nodes look up of it;
   * what it runs, and what it is told, stays.
   */
  update(
    m: Mutation,
    args: { name: string; labels?: Readonly<Record<string, string | null>>; eligibility?: Eligibility },
  ): Promise<{ revision: Revision; node: Node }>;
  /** Its certificates are revoked, its session ended; `keep`: the node stays, shown as revoked. */
  remove(m: Mutation, args: { name: string; keep: boolean }): Promise<{ revision: Revision }>;
}

/** How a publication is to go. Absent: by the master's own strategy. */
export interface Pace {
  readonly strategy?: string;
  readonly overrides?: StrategyOverrides;
}

/** What comes before a publication. Nothing here changes anything. */
export interface ConfigReviews {
  /**
   * What is wrong with a body: `problems` whatever its variables stand for, `nodes` for each node of the target that
   * would get it and for which it does not render, or which cannot carry it. Places are those of the body.
   */
  validate(
    caller: Caller,
    args: { body: Uint8Array; target: Target | null },
  ): Promise<{
    problems: readonly Refusal[];
    nodes: readonly { node: NodeName; problems: readonly Refusal[] }[];
  }>;
  /** Unified, three lines around each change; passwords read `*`. `node`: both as rendered for it. */
  diff(
    caller: Caller,
    args: { from: string; to: string; node: string | null },
  ): Promise<{ unified: string; added: number; removed: number }>;
  /** @throws AppError `conflict` for a tie; a node that cannot run it is `unfit`, and publish would refuse */
  previewPublish(caller: Caller, args: { label: string; target: Target } & Pace): Promise<BlastRadius>;
}

export interface ConfigsService extends ConfigReviews {
  list(): readonly ConfigVersion[];
  /** As written; for a caller who may not write configs, passwords read `*`. */
  get(caller: Caller, label: string): Promise<{ version: ConfigVersion; body: Uint8Array }>;
  /** Parsed and checked first: `invalid` with refusals (line, column) and nothing stored. */
  create(
    m: Mutation,
    args: {
      label: string | null;
      description: string;
      body: Uint8Array;
      parent: string | null;
      /** Whom it is made for; kept with it. */
      target?: Target;
    },
  ): Promise<{ revision: Revision; version: ConfigVersion }>;
  /** The publication and the rollout that takes it to its nodes, in one commit; `null` for a dry run. */
  publish(
    m: Mutation,
    args: { label: string; target: Target; dryRun: boolean } & Pace,
  ): Promise<{
    revision: Revision;
    version: ConfigVersion;
    nodes: readonly NodeName[];
    rollout: Rollout | null;
  }>;
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
  ): Promise<{
    revision: Revision;
    version: ConfigVersion;
    nodes: readonly NodeName[];
    rollout: Rollout | null;
  }>;
}

/** What takes a publication to its nodes in steps, and takes it back. */
export interface RolloutsService {
  /** Newest first; `before` is the `next` of an earlier answer. `open`: those that are not over, or those that are. */
  list(args: { limit: number; before: string | null; open?: boolean }): {
    rollouts: readonly Rollout[];
    next: string | null;
  };
  /** @param args.targets so many at most, worst first */
  get(args: { id: RolloutId; targets: number }): {
    rollout: Rollout;
    targets: readonly RolloutTarget[];
    legal: readonly LegalVerb[];
  };
  /** By name; `before` is the `next` of an earlier answer. */
  targets(args: { id: RolloutId; state?: TargetState; limit: number; before: string | null }): {
    targets: readonly RolloutTarget[];
    next: string | null;
  };
  /**
   * The answer is the rollout as it is then; for `undo` of one that succeeded, the new one that takes it back.
   * @throws AppError `precondition`: the state it is in, and what would make it possible
   */
  verb(
    m: Mutation,
    args: { id: RolloutId; verb: RolloutVerb; confirmNodes: number | null },
  ): Promise<{ revision: Revision; rollout: Rollout }>;
  /** @throws AppError `precondition`: there is nothing to take back */
  previewRevert(): Promise<RevertPreview>;
  /** The newest publication: `abort` of its rollout while that is not over, else `undo`. */
  revertLast(
    m: Mutation,
    args: { confirmNodes: number | null },
  ): Promise<{ revision: Revision; rollout: Rollout }>;
}

/** What `${region.NAME}` stands for. */
export interface VariablesService {
  listRegions(): readonly RegionVariables[];
  /**
   * A variable set to null is taken away. Nodes whose rendered document changes by it are offered the new one.
   * @throws AppError `invalid` naming a node whose document would not render any more: then nothing changes
   */
  setRegion(
    m: Mutation,
    args: { region: string; variables: Readonly<Record<string, string | null>> },
  ): Promise<{ revision: Revision; region: RegionVariables; nodes: readonly NodeName[] }>;
}

/** Sealed on the master, sent to the nodes whose document names them and to no others. */
export interface SecretsService {
  list(caller: Caller): readonly SecretView[];
  putSecret(
    m: Mutation,
    args: { name: string; value: string },
  ): Promise<{ revision: Revision; secret: SecretView }>;
  /** @throws AppError `invalid`: no PEM, the key is of another certificate, expired */
  putCertificate(
    m: Mutation,
    args: { name: string; certPem: string; keyPem: string; chainPem: string | null },
  ): Promise<{ revision: Revision; secret: SecretView }>;
  /**
   * @param kind `not_found` when it is of the other one; either where none is given
   * @throws AppError `precondition` while a version in force names it
   */
  remove(m: Mutation, name: string, kind?: SecretKind): Promise<{ revision: Revision }>;
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
      /** So many nodes at a time; `null`: all at once. */
      maxParallel: number | null;
      options: CommandOptions;
    },
  ): Promise<{
    revision: Revision;
    command: CommandTask;
    nodes: readonly NodeName[];
    /** Those of them that are not here: they get it when they come, until it expires. */
    offline: readonly NodeName[];
  }>;
  get(id: CommandId): CommandTask;
  /** Newest first; `before` is the `next` of an earlier answer. */
  list(args: { state?: TaskState; type?: CommandType; limit: number; before: string | null }): {
    commands: readonly CommandTask[];
    next: string | null;
  };
  /** Who has not got it will not; who has is told, and its result still counts. */
  cancel(m: Mutation, id: CommandId): Promise<{ revision: Revision; command: CommandTask }>;
  /** Lines as they come, bounded in lines and time; ends by itself, and when `line` says false: the reader is too slow. */
  followLogs(
    caller: Caller,
    args: { node: string; lines: number; maxMs: number },
    sink: LogSink,
  ): { close(): void };
}

export interface LogSink {
  /** False: it cannot take more. */
  line(l: LogLine): boolean;
  end(reason: string): void;
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
  /** A change that a transport refused before it came to its service. */
  denied(caller: Caller, what: { action: string; subject: string; requestId: string }): Promise<void>;
}

export interface BackupService {
  /**
   * All that a restore needs, encrypted, consistent at one revision, while the master goes on.
   * @throws AppError `forbidden`, `invalid` for a passphrase that is too short; recorded before the first part
   */
  create(caller: Caller, args: { passphrase: string }): AsyncIterable<Uint8Array>;
}

/** Absent: the last hour. Times in ms. */
export interface RangeQuery {
  readonly start: Millis | null;
  readonly end: Millis | null;
  /** Absent: a minute, or ten where it begins before the last hour. */
  readonly stepMs: number | null;
  /** Of one service only. */
  readonly service: string | null;
}

/** `start` on a whole minute, or ten. */
export interface FigureRange {
  readonly start: Millis;
  readonly end: Millis;
  readonly stepMs: number;
  readonly points: readonly RangePoint[];
}

/** What was: of a node, and of places from merged samples. */
export interface FiguresService {
  /** @throws AppError `invalid` for a range or a step that is not kept */
  range(name: NodeName, query: RangeQuery): FigureRange;
  /** `region: null`: every region. @throws AppError `invalid` */
  rangeOf(place: { region: string | null; nodeType: NodeType }, query: RangeQuery): FigureRange;
  /** TTFT p95 by step, up to now, oldest first; ms. @throws AppError `invalid` */
  lastly(
    place: { region: string | null; nodeType: NodeType },
    windowMs: Millis,
    stepMs: Millis,
  ): readonly (number | null)[];
  /** One service over the minute that goes on and the one before. */
  lately(place: { region: string | null; nodeType: NodeType }, service: string): RangePoint | null;
  /** What was counted since this master, or the one it was restarted from, knows the node. */
  totals(name: NodeName): CountedTotals | null;
  totalsByPlace(): readonly (Place & CountedTotals)[];
  host(name: NodeName): HostFigures | null;
}

export interface Services {
  readonly enrolment: EnrolmentService;
  readonly agents: AgentEvents;
  readonly nodes: NodesService;
  readonly figures: FiguresService;
  readonly configs: ConfigsService;
  readonly rollouts: RolloutsService;
  readonly commands: CommandsService;
  readonly alerts: AlertsService;
  readonly silences: SilencesService;
  readonly variables: VariablesService;
  readonly secrets: SecretsService;
  readonly watch: WatchService;
  readonly people: PeopleService;
  readonly audit: AuditService;
  readonly backup: BackupService;
}
