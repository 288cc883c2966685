import type { NodeName, VersionLabel } from './ids.ts';
import type { NodeType } from './node.ts';
import type { RolloutPlan } from './rollout.ts';

// What a publication would do, before anything is sent: worked out by the code that publishes.

/** What it would do to one node. `why` says it in words, for `unfit` what is wrong and where. */
export interface NodeBlast {
  readonly name: NodeName;
  readonly region: string;
  readonly nodeType: NodeType;
  /** Live on it now; unknown counts as 0. */
  readonly streams: number;
  /** What it runs now. */
  readonly from: VersionLabel | null;
  readonly change: 'update' | 'first' | 'unchanged' | 'unfit';
  readonly why: string;
  /** Listeners that would close; their streams finish where they are. */
  readonly closes: readonly {
    readonly service: string;
    readonly addr: string;
    readonly streams: number | null;
  }[];
  /** Listeners that would open. */
  readonly opens: readonly { readonly service: string; readonly addr: string }[];
}

export const LISTENER_CHANGES = ['closes', 'opens', 'changes', 'keeps'] as const;

/** What becomes of a listener, told of all nodes that have it alike. */
export interface ListenerBlast {
  /** `changes`: the address stays, and is spoken to otherwise. */
  readonly change: (typeof LISTENER_CHANGES)[number];
  readonly service: string;
  readonly addr: string;
  /** `tls`, `wss`; of `changes` what it becomes. */
  readonly type: string;
  readonly nodes: number;
  /** Live on one that closes, on all its nodes; `null`: not known of each, and of one that does not close. */
  readonly streams: number | null;
}

/** One thing that changes on the way of connections: a node of a hop or of a forwarder, a whole hop, or what a service does. */
export interface RouteChange {
  readonly of: 'hop' | 'forwarder' | 'service';
  /** Of the hop, or of the service. */
  readonly name: string;
  /** The node of it that is meant; `null`: all of it. */
  readonly node: string | null;
  /** Where that node is; of a changed one, afterwards. Empty where no node is meant. */
  readonly addr: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** What is different, `weight`, `dialer.type`; an empty text: there is none. Passwords read `*`. */
  readonly fields: readonly { readonly key: string; readonly from: string; readonly to: string }[];
  /** Services whose connections take this way, afterwards or, where it is gone, until then. */
  readonly services: readonly string[];
  /** Nodes beside it, backups aside, that take new connections afterwards; `null` where no node is meant. */
  readonly takers: number | null;
}

/** The same of new connections, told of all nodes where it is alike. Streams that are open stay where they are. */
export interface RouteBlast extends RouteChange {
  /** On how many nodes this changes. */
  readonly nodes: number;
  /** Live on the core of that name; `null`: there is none, or it does not say. */
  readonly streams: number | null;
}

export const CHECKS = ['schema', 'variables', 'sealed', 'ports', 'engines', 'reach'] as const;

/**
 * What was looked at. `schema`: every rendered document was read. `variables`: every name had a value. `sealed`: secrets
 * and certificates are there and open. `ports`: addresses that would be opened, beside what the node runs and what it last
 * said; a host's other programs are not asked. `engines`: every capability that is needed is there. `reach`: nodes are here.
 */
export interface BlastCheck {
  readonly check: (typeof CHECKS)[number];
  /** `unknown`: nobody can say before it is tried. */
  readonly verdict: 'pass' | 'warn' | 'fail' | 'unknown';
  readonly passed: number;
  /** Nodes that this was asked of. */
  readonly of: number;
  /** What was looked at, in words that need no language: names of variables, addresses, `embedded 64`. */
  readonly about: readonly string[];
  /** Nodes that the verdict is about; 0 of `pass`. */
  readonly bad: number;
  /** The first of them, where it is about some more than others. */
  readonly nodes: readonly NodeName[];
  /** Of the first of them, in words. */
  readonly why: string;
}

export const WARNINGS = [
  'cuts_streams', // the change ends streams that are not over
  'refused_before', // this very document was refused
  'drifted', // they do not run what they were given
  'unwatched', // no gate and no pause stands between the first node and the last
  'no_revert', // an abort puts nothing back
  'nothing_changes', // all run this very document
  'others_stay', // who is not hit goes on sending to a core that is taken out
  'document', // what the reader of documents warns of
] as const;

/** What a person should know that stops nothing. */
export interface BlastWarning {
  readonly code: (typeof WARNINGS)[number];
  /** How many nodes; 0: it is about no single one. */
  readonly nodes: number;
  /** The first of them. */
  readonly names: readonly NodeName[];
  /** In words. */
  readonly text: string;
}

/** Who would be hit by a publication, and how. */
export interface BlastRadius {
  readonly toLabel: VersionLabel;
  readonly nodes: readonly NodeBlast[];
  readonly regions: readonly { readonly region: string; readonly nodes: number; readonly streams: number }[];
  readonly streams: number;
  /** Of them those that the change ends before they are over. */
  readonly streamsCut: number;
  readonly listenersClosed: number;
  /** What closes first, then what opens, changes, stays; of each what is on most nodes first. */
  readonly listeners: readonly ListenerBlast[];
  /** What is on most nodes first. */
  readonly routes: readonly RouteBlast[];
  /** Nodes whose routes cannot be compared: what they run is no version here as it would be rendered now. */
  readonly routesUnknown: number;
  /** Listeners and routes beyond those that are told. */
  readonly more: number;
  readonly checks: readonly BlastCheck[];
  readonly warnings: readonly BlastWarning[];
  /** In which steps. */
  readonly plan: RolloutPlan;
}
