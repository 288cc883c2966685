import type { Millis, Revision } from './ids.ts';

export type EventKind = 'node' | 'config' | 'command' | 'alert' | 'silence' | 'master';

/** Something that happened, for the message line and, later, the incident's timeline. Kept 30 days. */
export interface FleetEvent {
  readonly id: string;
  readonly at: Millis;
  readonly kind: EventKind;
  /** An actor (`lin(1000)`), a node's name, or `master`. */
  readonly who: string;
  readonly subject: string;
  readonly text: string;
  readonly level: 'info' | 'warn' | 'error';
  readonly revision: Revision;
}
