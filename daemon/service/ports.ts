import type { Alert } from '../../proto/vocab/alert.ts';
import type { AuditRecord } from '../../proto/vocab/audit.ts';
import type { Action, Role } from '../../proto/vocab/can.ts';
import type { CommandOptions, CommandTask } from '../../proto/vocab/command.ts';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import type { FleetEvent } from '../../proto/vocab/event.ts';
import type {
  BodyHash,
  ConfigHash,
  Millis,
  NodeName,
  Revision,
  VersionLabel,
} from '../../proto/vocab/ids.ts';
import type {
  Histogram,
  HostFigures,
  LogLine,
  MetricsReport,
  MetricsWindow,
  RangePoint,
  Totals,
} from '../../proto/vocab/metrics.ts';
import type { Node, NodeType, RegionVitals } from '../../proto/vocab/node.ts';
import type { ServiceWindow } from '../../proto/vocab/node-detail.ts';
import type { Rollout, RolloutTarget } from '../../proto/vocab/rollout.ts';
import type { SealedItem, SecretKind } from '../../proto/vocab/secret.ts';
import type { Silence } from '../../proto/vocab/silence.ts';
import type { RegionVariables } from '../../proto/vocab/variables.ts';

// What the services need from outside. Ports belong to the caller; store, ca, transport and drivers implement them.

export interface Clock {
  now(): Millis;
}

/** A long answer is worked out in slices: others have their turn between two of them. */
export interface Turns {
  next(): Promise<void>;
}

export interface Random {
  /** n random bytes, hex. */
  hex(n: number): string;
  bytes(n: number): Uint8Array;
}

export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Only the hash of a secret is kept. `kind: 'token'`. */
export interface JoinToken {
  readonly id: string;
  /** sha256 hex of the secret. */
  readonly secretHash: string;
  readonly nodeType: NodeType;
  readonly region: string;
  /** Bound to this name, or to none. */
  readonly name: NodeName | null;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly usedAt: Millis | null;
  readonly usedBy: NodeName | null;
  /** It may put another host in the place of the node of this name; absent: no. */
  readonly replace?: boolean;
  /** Absent: not taken back. */
  readonly revokedAt?: Millis;
  readonly modRevision: Revision;
}

/** The answer given to a request id, so that a repeat gets the same. `kind: 'request'`. */
export interface DoneRequest {
  readonly id: string;
  /** sha256 hex of method and arguments: the same id with others is a conflict. */
  readonly digest: string;
  readonly at: Millis;
  readonly revision: Revision;
  /** Key of the entity it made or changed. */
  readonly entity: string;
  readonly modRevision: Revision;
}

/** A node that was removed: who shows a certificate of it is refused. `kind: 'removed'`. */
export interface RemovedNode {
  readonly name: NodeName;
  /** Of all its certificates that may not have expired for good. */
  readonly serials: readonly string[];
  /** From then on none of them is good for anything. */
  readonly until: Millis;
  readonly modRevision: Revision;
}

/** Small facts of the master itself. `kind: 'meta'`. */
export interface Meta {
  readonly id: string;
  readonly value: string | number;
  readonly modRevision: Revision;
}

/** A person who may log in. `kind: 'user'`. */
export interface User {
  readonly name: string;
  readonly role: Role;
  /** argon2id, as a PHC string with its own parameters and salt. */
  readonly passwordHash: string;
  readonly disabled: boolean;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly lastLoginAt: Millis | null;
  readonly modRevision: Revision;
}

/** A login and all that was refreshed from it. Gone from the store: over. `kind: 'session'`. */
export interface LoginSession {
  readonly id: string;
  readonly user: string;
  readonly remote: string;
  readonly startedAt: Millis;
  /** sha256 hex of the secret of the one refresh token that works. */
  readonly refreshHash: string;
  readonly refreshedAt: Millis;
  readonly expiresAt: Millis;
  readonly modRevision: Revision;
}

/** An access token that was given back before its time. Kept until it would have expired. `kind: 'denied'`. */
export interface DeniedToken {
  /** The token's `jti`. */
  readonly id: string;
  readonly until: Millis;
  readonly modRevision: Revision;
}

/** `kind: 'apikey'`. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** sha256 hex of 256 random bits. */
  readonly secretHash: string;
  readonly role: Role;
  readonly scopes: readonly Action[] | null;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly lastUsedAt: Millis | null;
  readonly revokedAt: Millis | null;
  readonly modRevision: Revision;
}

/**
 * An audit record on its way: in the same commit as what it tells of, and deleted by a later one once the audit log has
 * it on disk. A crash in between costs no record. `kind: 'audit'`, key: the seq.
 */
export interface PendingAudit {
  readonly record: AuditRecord;
  readonly modRevision: Revision;
}

/** A secret or a certificate as the store holds it: sealed. `kind: 'secret'`. */
export interface StoredSecret {
  readonly name: string;
  readonly kind: SecretKind;
  readonly version: number;
  /** Of the vault; nothing here can be opened without its key. */
  readonly sealed: string;
  /** Which key it is sealed under. */
  readonly keyId: string;
  /** Of the content. */
  readonly bytes: number;
  readonly updatedBy: string;
  readonly updatedAt: Millis;
  readonly notAfter: Millis | null;
  readonly names: readonly string[];
  readonly modRevision: Revision;
}

/** Every kind of entity the store holds, by the name it has in the journal. Each value carries its modRevision. */
export interface Kinds {
  node: Node;
  version: ConfigVersion;
  alert: Alert;
  silence: Silence;
  command: CommandTask;
  event: FleetEvent;
  token: JoinToken;
  request: DoneRequest;
  meta: Meta;
  user: User;
  session: LoginSession;
  denied: DeniedToken;
  apikey: ApiKey;
  audit: PendingAudit;
  removed: RemovedNode;
  region: RegionVariables;
  secret: StoredSecret;
  rollout: Rollout;
  target: RolloutTarget;
}
export type Kind = keyof Kinds;
export const KINDS = [
  'node',
  'version',
  'alert',
  'silence',
  'command',
  'event',
  'token',
  'request',
  'meta',
  'user',
  'session',
  'denied',
  'apikey',
  'audit',
  'removed',
  'region',
  'secret',
  'rollout',
  'target',
] as const satisfies readonly Kind[];

export type Op = {
  [K in Kind]:
    | { readonly op: 'put'; readonly kind: K; readonly key: string; readonly value: Kinds[K] }
    | { readonly op: 'del'; readonly kind: K; readonly key: string };
}[Kind];

/** An op before its revision is known: the write path stamps `modRevision`. */
export type Draft = {
  [K in Kind]:
    | {
        readonly op: 'put';
        readonly kind: K;
        readonly key: string;
        readonly value: Omit<Kinds[K], 'modRevision'>;
      }
    | { readonly op: 'del'; readonly kind: K; readonly key: string };
}[Kind];

/** One commit: atomic over all its ops, one journal line. */
export interface Commit {
  readonly rev: Revision;
  readonly ts: Millis;
  /** `lin(1000)`, `local`, `node hk-1`, `master`. */
  readonly actor: string;
  /** `unix`, `agent`, `tick`. */
  readonly src: string;
  readonly req?: string;
  readonly ops: readonly Op[];
}

/** An immutable picture of everything at one revision. Readers keep it as long as they like. */
export interface Snapshot {
  readonly revision: Revision;
  get<K extends Kind>(kind: K, key: string): Kinds[K] | undefined;
  /** In insertion order. */
  list<K extends Kind>(kind: K): readonly Kinds[K][];
  count(kind: Kind): number;
}

/** How facts outlive a restart. File-backed, or its memory twin; both pass one conformance suite. */
export interface Store {
  /** Random, made with the store: a console that knows another one starts anew. */
  readonly id: string;
  snapshot(): Snapshot;
  /**
   * Appends one commit and swaps the snapshot in. `commit.rev` must be `snapshot().revision + 1`.
   * The snapshot is swapped at once (so that the next decision sees it); the promise settles once the commit is
   * on disk (group commit, fdatasync): nothing may be acknowledged or published before that.
   * @throws AppError `unavailable` when the disk refuses (full, EIO): the commit and all behind it are rolled back.
   */
  commit(commit: Commit): Promise<void>;
  /** Bodies of config versions, by sha256. Durable when the promise settles. */
  putBlob(bytes: Uint8Array): Promise<BodyHash>;
  getBlob(hash: BodyHash): Promise<Uint8Array | null>;
  /** What recovery found and did, for the log and an event: cut records, quarantined files. */
  readonly recovery: readonly string[];
  /** Why writes are refused at the moment, or `null`. */
  degraded(): string | null;
  close(): Promise<void>;
}

/** Where the audit log's lines lie: segments that begin with a seq. One call of `append` or `repair` at a time. */
export interface AuditFile {
  /** Bytes of an unfinished last line that opening it took away. */
  readonly cut: number;
  /** What the segments begin with, ascending. */
  segments(): Promise<readonly number[]>;
  /** Whole lines, but for a last one that is being written. */
  read(first: number): Promise<Uint8Array>;
  /** Durable when it settles. After it threw, only `repair` and `close` may follow. */
  append(seq: number, lines: Uint8Array): Promise<void>;
  /** Takes away what a failed append left and proves that the disk takes writes. */
  repair(): Promise<void>;
  /** Why it threw, in words. */
  reason(error: unknown): string;
  close(): Promise<void>;
}

/** Packs what a master knows; implemented by daemon/store. */
export interface Archive {
  /** @param view durable: everything at its revision, encrypted under the passphrase */
  pack(view: Snapshot, passphrase: string): AsyncIterable<Uint8Array>;
}

/** What people know by heart: slow to compare, a few at once. */
export interface Passwords {
  /** @throws AppError `unavailable` when too many wait */
  hash(password: string): Promise<string>;
  /** `null`: there is no such user; it takes the same work and is never right. @throws AppError `unavailable` */
  verify(password: string, kept: string | null): Promise<boolean>;
}

export interface AccessClaims {
  readonly jti: string;
  /** The user's name. */
  readonly sub: string;
  readonly role: string;
  /** The session it belongs to. */
  readonly sid: string;
  /** To the second. */
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
}

/** What a login is told by until it expires. */
export interface AccessTokens {
  sign(claims: AccessClaims): Promise<string>;
  /** What it says when this master signed it, expired or not; `null` otherwise. At once. */
  read(token: string): AccessClaims | null;
}

/** The fleet's own certificate authority. */
export interface Ca {
  /** sha256 hex of the CA certificate's DER. */
  readonly pin: string;
  readonly certificatePem: string;
  readonly certificateDer: Uint8Array;
  /**
   * Checks the request's signature and key (P-256) and issues a node certificate: SAN `spiffe://ai-cdn/node/<name>`,
   * clientAuth + serverAuth, `ttlMs` long.
   * @throws AppError `invalid`
   */
  issueNode(args: {
    csrDer: Uint8Array;
    name: NodeName;
    now: Millis;
    ttlMs: number;
  }): Promise<IssuedCertificate>;
}

export interface IssuedCertificate {
  /** Leaf first, then the CA that issued it, then others that are to be trusted as well. */
  readonly chainDer: readonly Uint8Array[];
  readonly serial: string;
  readonly notAfter: Millis;
}

/** Seals what must not be read from the disk, with a key that is kept apart from the store. */
export interface Vault {
  /** Makes the key, durably, if there is none yet. Before `seal` and `digest`. */
  ready(): Promise<void>;
  /** `about` is bound in: a blob opens only as what it was sealed as. */
  seal(about: string, content: Uint8Array): { readonly sealed: string; readonly keyId: string };
  /** @throws AppError `precondition`: sealed under another key, or damaged */
  open(about: string, sealed: { readonly sealed: string; readonly keyId: string }): Uint8Array;
  /** The same for the same content, under this key only. */
  digest(content: Uint8Array): string;
}

/** A config as a node gets it. */
export interface Offer {
  readonly hash: ConfigHash;
  readonly version: VersionLabel;
  readonly revision: Revision;
  /** The rendered document, as written. */
  readonly body: Uint8Array;
  /** What it refers to. */
  readonly sealed: readonly SealedItem[];
  /** Of the publication that asks for one more try of what this node refused; 0: nobody has. */
  readonly retry: Revision;
  /** Commit confirmed: it puts back what it ran unless it reaches us so soon after the switch; `null`: as always. */
  readonly rollbackMs: Millis | null;
}

/** What the services may send down the agent link. Latest wins a slot; nothing here waits. */
export interface AgentLink {
  connected(name: NodeName): boolean;
  offerConfig(name: NodeName, offer: Offer): void;
  sendCommand(
    name: NodeName,
    command: { id: string; type: string; timeoutMs: number; expiresAt: Millis; options: CommandOptions },
  ): void;
  cancelCommand(name: NodeName, id: string): void;
  followLogs(name: NodeName, follow: { id: string; lines: number; maxMs: number }): void;
  endFollow(name: NodeName, id: string): void;
  /** Ask for a report every `ms`. */
  setReportInterval(name: NodeName, ms: number): void;
  /** Ends the session (revoked, replaced). */
  disconnect(name: NodeName, reason: string): void;
}

/** A port that a node advertised. */
export interface DialTarget {
  readonly host: string;
  readonly port: number;
}

/** `forbidden`: nobody dials there, whatever a node says of itself. */
export type DialOutcome = 'answers' | 'silent' | 'forbidden';

/** Whether something accepts connections; nothing is sent. A few at a time, each with a deadline. */
export interface Dialler {
  /** @returns one for each, in order; never throws for what a target does */
  dial(targets: readonly DialTarget[]): Promise<readonly DialOutcome[]>;
}

/** Figures in memory rings: never journalled. */
export interface MetricsRings {
  /** @param place where the node stands: it is counted there as well, and stays so when it goes */
  take(name: NodeName, report: MetricsReport, receivedAt: Millis, place?: Place): void;
  figures(name: NodeName, now: Millis): NodeFigures | null;
  series(name: NodeName, now: Millis): readonly { name: string; values: readonly number[] }[];
  services(name: NodeName, now: Millis): readonly ServiceWindow[];
  log(name: NodeName, max: number): readonly LogLine[];
  addLog(name: NodeName, lines: readonly LogLine[]): void;
  /** Merged over these nodes' last minute. */
  merged(names: readonly NodeName[], now: Millis): MergedFigures;
  /**
   * What happened on a node in [since, until): whole reports of the last minutes, whole minutes before those. Reports
   * that began earlier are left out, as part of them is. `null`: nothing is known of that time.
   */
  window(name: NodeName, since: Millis, until: Millis): MetricsWindow | null;
  /** In the order of the groups; `region: null` is every region. */
  regions(groups: readonly FigureGroup[], now: Millis): readonly RegionVitals[];
  /** A node's past in steps; those of which nothing is known are all `null`. */
  range(name: NodeName, args: RangeArgs): readonly RangePoint[];
  /** The same of all nodes of a place, from merged samples; `region: null` is every region. */
  rangeOf(place: { region: string | null; nodeType: NodeType }, args: RangeArgs): readonly RangePoint[];
  /** What a node has counted since this master knows it. */
  totals(name: NodeName): CountedTotals | null;
  /** The same by place, also of nodes that have gone since. */
  totalsByPlace(): readonly (Place & CountedTotals)[];
  /** Of its last report, while that is fresh. */
  host(name: NodeName, now: Millis): HostFigures | null;
  forget(name: NodeName): void;
}

export interface Place {
  readonly region: string;
  readonly nodeType: NodeType;
}

/** `start` and `stepMs` are whole minutes, or whole ten minutes. */
export interface RangeArgs {
  readonly service: string | null;
  readonly start: Millis;
  readonly end: Millis;
  readonly stepMs: number;
  readonly now: Millis;
}

export interface CountedTotals {
  readonly all: Totals & { readonly connect: Histogram; readonly ttft: Histogram; readonly gap: Histogram };
  readonly services: ReadonlyMap<string, Totals>;
}

/** Nodes whose figures are read together. */
export interface FigureGroup {
  readonly region: string | null;
  readonly nodeType: NodeType;
  readonly names: readonly NodeName[];
}

export interface NodeFigures {
  readonly streams: number | null;
  readonly rps: number | null;
  readonly ttft95Ms: number | null;
  readonly p99Ms: number | null;
  readonly errPct: number | null;
  readonly abortedPct: number | null;
  readonly gap99Ms: number | null;
  readonly cpuPct: number | null;
  readonly memPct: number | null;
  readonly p99Minutes: readonly (number | null)[];
}

export interface MergedFigures {
  readonly streams: number;
  readonly rps: number | null;
  readonly ttft95Ms: number | null;
  readonly p99Ms: number | null;
  readonly errPct: number | null;
}
