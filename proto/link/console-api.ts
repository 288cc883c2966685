import type { AlertView } from '../vocab/alert.ts';
import type { BlastRadius } from '../vocab/blast.ts';
import type { CommandOptions, CommandTask, CommandType, TaskState } from '../vocab/command.ts';
import type { ConfigVersion, Target } from '../vocab/config-version.ts';
import type {
  CommandId,
  Fingerprint,
  Millis,
  NodeName,
  Revision,
  SilenceId,
  VersionLabel,
} from '../vocab/ids.ts';
import type { Matcher } from '../vocab/matcher.ts';
import type { LogLine, RegionSeries } from '../vocab/metrics.ts';
import type { Eligibility, Node, NodeType, NodeVitals, Refusal } from '../vocab/node.ts';
import type { NodeDetail } from '../vocab/node-detail.ts';
import type { Rollout, StrategyOverrides } from '../vocab/rollout.ts';
import type { SecretView } from '../vocab/secret.ts';
import type { Silence } from '../vocab/silence.ts';
import type { TokenView } from '../vocab/token.ts';
import type { RegionVariables } from '../vocab/variables.ts';
import type { WatchEvent } from '../vocab/watch.ts';
import type { LinkState } from './resumable.ts';

export type { LinkState } from './resumable.ts';

/** Around every mutation. A repeat with the same `requestId` gets the first answer; without one, a new id is made. */
export interface MutationArgs {
  readonly reason: string;
  readonly requestId?: string;
  /** Refused with `conflict` when it is not the entity's modRevision. */
  readonly ifRevision?: Revision | null;
}

export interface WatchArgs {
  /** Who asks, for the master's log: `aicdn-tui 0.1.0`. */
  readonly client: string;
  /** Asked at every (re)connect: what is known already. `null`: nothing, a snapshot comes. */
  since(): { readonly revision: Revision; readonly storeId: string } | null;
}

export interface Watch {
  /** Which nodes are on screen: they report each second. Told again after every reconnect. */
  look(nodes: readonly NodeName[]): void;
  /** Ends the wait before the next attempt. */
  retryNow(): void;
  close(): void;
}

export interface SilencePreview {
  readonly wouldSilence: readonly AlertView[];
  readonly wouldNotSilence: readonly AlertView[];
  readonly nodes: readonly NodeName[];
  readonly totalNodes: number;
  /** Over half the fleet. */
  readonly asksTwice: boolean;
}

export interface RollbackPreview {
  readonly toLabel: VersionLabel;
  readonly newLabel: VersionLabel;
  readonly nodes: readonly NodeName[];
  readonly streams: number;
}

/** How a publication is to go. Absent: by the master's own strategy. */
export interface Pace {
  readonly strategy?: string;
  readonly overrides?: StrategyOverrides;
}

/**
 * What the console and aicdnctl ask of a master; `connectConsole` of console-client.ts makes one. Every call has a deadline and rejects with an AppError, with
 * `refusals` (line, column) where a document was refused. `unavailable`: the master is not there.
 */
export interface ConsoleApi {
  /** Kept alive until `close`: events in order, and the state of the link (connecting, open, waiting until …). */
  watch(args: WatchArgs, onEvent: (event: WatchEvent) => void, onState: (state: LinkState) => void): Watch;
  listNodes(): Promise<{
    readonly nodes: readonly Node[];
    readonly vitals: readonly NodeVitals[];
    readonly revision: Revision;
  }>;
  nodeDetail(name: string): Promise<NodeDetail>;
  /** What was, of places; in their order. */
  regionSeries(args: {
    readonly places: readonly RegionSeries['place'][];
    readonly windowMs: Millis;
    readonly stepMs: Millis;
  }): Promise<readonly RegionSeries[]>;
  listConfigs(): Promise<readonly ConfigVersion[]>;
  getConfig(label: string): Promise<{ readonly version: ConfigVersion; readonly body: Uint8Array }>;
  createConfig(
    m: MutationArgs,
    args: {
      /** `null`: the next `vN`. */
      readonly label: string | null;
      readonly description: string;
      readonly body: Uint8Array;
      readonly parent: string | null;
    },
  ): Promise<{ readonly revision: Revision; readonly version: ConfigVersion }>;
  publish(
    m: MutationArgs,
    args: { readonly label: string; readonly target: Target; readonly dryRun: boolean } & Pace,
  ): Promise<{
    readonly revision: Revision;
    readonly version: ConfigVersion;
    readonly nodes: readonly NodeName[];
    /** That takes it to them; `null`: a dry run. */
    readonly rollout: Rollout | null;
  }>;
  previewRollback(args: { readonly label: string; readonly target: Target }): Promise<RollbackPreview>;
  rollback(
    m: MutationArgs,
    args: { readonly label: string; readonly target: Target; readonly confirmNodes: number | null },
  ): Promise<{
    readonly revision: Revision;
    readonly version: ConfigVersion;
    readonly nodes: readonly NodeName[];
    readonly rollout: Rollout | null;
  }>;
  runCommand(
    m: MutationArgs,
    args: {
      readonly type: CommandType;
      readonly target: Target;
      readonly timeoutMs: number | null;
      readonly expiresMs: number | null;
      readonly dryRun: boolean;
      /** So many nodes at a time; `null`: all at once. */
      readonly maxParallel: number | null;
      readonly options: CommandOptions;
    },
  ): Promise<{
    readonly revision: Revision;
    readonly command: CommandTask;
    readonly nodes: readonly NodeName[];
    /** Those of them that are not here: they get it when they come, until it expires. */
    readonly offline: readonly NodeName[];
  }>;
  getCommand(id: CommandId): Promise<CommandTask>;
  /** Newest first; `before` is the `next` of an earlier answer. */
  listCommands(args: {
    readonly state?: TaskState;
    readonly type?: CommandType;
    readonly limit: number;
    readonly before: string | null;
  }): Promise<{ readonly commands: readonly CommandTask[]; readonly next: string | null }>;
  cancelCommand(
    m: MutationArgs,
    id: CommandId,
  ): Promise<{ readonly revision: Revision; readonly command: CommandTask }>;
  /** `lines` of what is there, then what comes. Ends by itself after `maxMs` or 10,000 lines, and says why, once. */
  followLogs(
    args: { readonly node: string; readonly lines: number; readonly maxMs: number },
    onLine: (line: LogLine) => void,
    onEnd: (reason: string) => void,
  ): { close(): void };
  getNode(name: string): Promise<{ readonly node: Node; readonly vitals: NodeVitals }>;
  /** A label set to null is taken away. */
  updateNode(
    m: MutationArgs,
    args: {
      readonly name: string;
      readonly labels?: Readonly<Record<string, string | null>>;
      readonly eligibility?: Eligibility;
    },
  ): Promise<{ readonly revision: Revision; readonly node: Node }>;
  /** `keep`: the node stays, shown as revoked. */
  removeNode(
    m: MutationArgs,
    args: { readonly name: string; readonly keep: boolean },
  ): Promise<{ readonly revision: Revision }>;
  listTokens(): Promise<readonly TokenView[]>;
  revokeToken(
    m: MutationArgs,
    id: string,
  ): Promise<{ readonly revision: Revision; readonly token: TokenView }>;
  listAlerts(): Promise<{ readonly alerts: readonly AlertView[]; readonly silences: readonly Silence[] }>;
  previewSilence(matchers: readonly Matcher[]): Promise<SilencePreview>;
  createSilence(
    m: MutationArgs,
    args: {
      readonly matchers: readonly Matcher[];
      /** Instead of matchers: the exact labels of this alert. */
      readonly alert: Fingerprint | null;
      readonly startsAt: Millis | null;
      readonly endsAt: Millis;
      readonly comment: string;
    },
  ): Promise<{ readonly revision: Revision; readonly silence: Silence }>;
  expireSilence(
    m: MutationArgs,
    id: SilenceId,
  ): Promise<{ readonly revision: Revision; readonly silence: Silence }>;
  createToken(
    m: MutationArgs,
    args: {
      readonly nodeType: NodeType;
      readonly region: string;
      readonly name: string | null;
      readonly ttlMs: number | null;
      /** Another host in the place of the node of this name. */
      readonly replace: boolean;
    },
  ): Promise<{
    readonly revision: Revision;
    readonly token: string;
    readonly expiresAt: Millis;
    readonly joinCommand: string;
  }>;
  /** What is wrong with a body, and for which nodes of the target (`null`: none is asked about). */
  validateConfig(args: { readonly body: Uint8Array; readonly target: Target | null }): Promise<{
    readonly problems: readonly Refusal[];
    readonly nodes: readonly { readonly node: NodeName; readonly problems: readonly Refusal[] }[];
  }>;
  /** `node`: both as rendered for it. */
  diffConfigs(args: {
    readonly from: string;
    readonly to: string;
    readonly node: string | null;
  }): Promise<{ readonly unified: string; readonly added: number; readonly removed: number }>;
  previewPublish(args: { readonly label: string; readonly target: Target } & Pace): Promise<BlastRadius>;
  listRegionVariables(): Promise<readonly RegionVariables[]>;
  /** A variable set to `null` is taken away. `nodes`: whose document changes by it. */
  setRegionVariables(
    m: MutationArgs,
    args: { readonly region: string; readonly variables: Readonly<Record<string, string | null>> },
  ): Promise<{
    readonly revision: Revision;
    readonly region: RegionVariables;
    readonly nodes: readonly NodeName[];
  }>;
  listSecrets(): Promise<readonly SecretView[]>;
  putSecret(
    m: MutationArgs,
    args: { readonly name: string; readonly value: string },
  ): Promise<{ readonly revision: Revision; readonly secret: SecretView }>;
  putCertificate(
    m: MutationArgs,
    args: {
      readonly name: string;
      readonly certPem: string;
      readonly keyPem: string;
      readonly chainPem: string | null;
    },
  ): Promise<{ readonly revision: Revision; readonly secret: SecretView }>;
  removeSecret(m: MutationArgs, name: string): Promise<{ readonly revision: Revision }>;
  /** Ends every watch and call. */
  close(): void;
}
