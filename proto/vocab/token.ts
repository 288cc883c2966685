import type { Millis, NodeName, Revision } from './ids.ts';
import type { NodeType } from './node.ts';

/** A join token as it is listed: never its secret, nor the secret's hash. */
export interface TokenView {
  readonly id: string;
  readonly nodeType: NodeType;
  readonly region: string;
  /** Bound to this name, or to none. */
  readonly name: NodeName | null;
  /** Whether it may put another host in the place of the node of this name. */
  readonly replace: boolean;
  readonly createdBy: string;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly usedAt: Millis | null;
  readonly usedBy: NodeName | null;
  readonly revokedAt: Millis | null;
  readonly modRevision: Revision;
}
