import type { ConfigHash, Millis, Revision, VersionLabel } from '../../proto/vocab/ids.ts';
import type { ConfigPhase, Refusal } from '../../proto/vocab/node.ts';
import type { SealedItem } from '../../proto/vocab/secret.ts';
import type { Commit } from './confirm-timer.ts';

/** A document as it was received. `text` is rendered YAML, `version` unknown where it was found on the disk. */
export interface Body {
  readonly hash: ConfigHash;
  readonly version: VersionLabel | null;
  readonly revision: Revision;
  readonly text: string;
}

/** What the master wants this node to run. */
export interface Offer extends Body {
  /** Echoed in every status of this offer. */
  readonly nonce: string;
  /** Whose revisions these are: another master's begin anew. */
  readonly storeId: string;
  readonly commit: { readonly id: string; readonly rollbackMs: number } | null;
  /** What its text refers to; absent: nothing. */
  readonly sealed?: readonly SealedItem[];
  /** Revision of the publication that asks for one more try of what was refused; 0 or absent: nobody has asked. */
  readonly retry?: Revision;
}

/** Why a document was not put into force. `transient`: not the document's fault, worth another try. */
export interface Failure {
  readonly phase: ConfigPhase;
  readonly refusal: Refusal;
  readonly transient: boolean;
  /** The engine's last lines, at most 4 KB. */
  readonly logTail: string;
}

/** What a node remembers of its documents; it outlives the agent and the host. */
export interface Kept {
  readonly storeId: string;
  /** The highest revision this node has answered. */
  readonly revision: Revision;
  /** What the engine should run while no offer says otherwise: the last-known-good. */
  readonly effective: Body | null;
  /** What ran before it. */
  readonly previous: Body | null;
  readonly switchedAt: Millis | null;
  readonly commit: Commit;
  /** Refused again at once, until another document is accepted. */
  readonly rejected: {
    readonly hash: ConfigHash;
    readonly failure: Failure;
    readonly reverted: boolean;
    /** Of the offer that was refused; absent: an earlier release did not say. */
    readonly revision?: Revision;
  } | null;
}

export const NOTHING_KEPT: Kept = {
  storeId: '',
  revision: 0,
  effective: null,
  previous: null,
  switchedAt: null,
  commit: { kind: 'none' },
  rejected: null,
};

/** All the agent does to a node, one executor each (host/executors.ts). */
export type Step =
  /** `applying` in this phase, to the master. */
  | { readonly do: 'report'; readonly nonce: string; readonly phase: ConfigPhase }
  /** Reads the text, checks hash and capabilities. */
  | { readonly do: 'validate'; readonly body: Body }
  /** What the document refers to, to the node's disk. */
  | { readonly do: 'keep-sealed'; readonly sealed: readonly SealedItem[] }
  /** The engine loads certificates and tries ports; nothing changes. */
  | { readonly do: 'prepare'; readonly body: Body }
  | { readonly do: 'switch'; readonly body: Body }
  | { readonly do: 'confirm'; readonly body: Body }
  /** The effective document to `gost.config_path`, and what is kept, durably. */
  | { readonly do: 'keep-lkg'; readonly kept: Kept }
  /** What is kept, durably; the effective document's file stays as it is. */
  | { readonly do: 'remember'; readonly kept: Kept }
  /** Back to this document; `null`: to whatever ran before the switch. */
  | { readonly do: 'put-back'; readonly to: Body | null }
  | { readonly do: 'ack'; readonly nonce: string; readonly hash: ConfigHash }
  | {
      readonly do: 'nack';
      readonly nonce: string;
      readonly hash: ConfigHash;
      readonly failure: Failure;
      readonly reverted: boolean;
    }
  /** The engine runs a document nobody remembers: keep the file it came from, if it is that one. */
  | { readonly do: 'adopt'; readonly hash: ConfigHash }
  /** Finds the engine again, or starts it where that is ours to do. */
  | { readonly do: 'find-engine' }
  /** For the master's timeline, spooled while it is away. */
  | { readonly do: 'note'; readonly kind: string; readonly text: string };
