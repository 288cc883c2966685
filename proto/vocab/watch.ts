import type { AlertView } from './alert.ts';
import type { Caller } from './can.ts';
import type { CommandTask } from './command.ts';
import type { ConfigVersion } from './config-version.ts';
import type { FleetEvent } from './event.ts';
import type { Millis, Revision } from './ids.ts';
import type { FleetVitals, Node, NodeVitals, RegionVitals } from './node.ts';
import type { Rollout } from './rollout.ts';
import type { Silence } from './silence.ts';

/** What a console knows of the fleet, by kind. */
export interface Entities {
  node: Node;
  version: ConfigVersion;
  alert: AlertView;
  silence: Silence;
  command: CommandTask;
  rollout: Rollout;
  event: FleetEvent;
}
export type EntityKind = keyof Entities;
export type Entity = {
  [K in EntityKind]: { readonly kind: K; readonly key: string; readonly value: Entities[K] };
}[EntityKind];

export interface EntityKey {
  readonly kind: EntityKind;
  readonly key: string;
}

export interface WatchBegin {
  readonly revision: Revision;
  readonly storeId: string;
  readonly watchId: string;
  readonly caller: Pick<Caller, 'actor' | 'role'>;
  /** The master's own name for itself (`default`, `prod-asia`). */
  readonly context: string;
  readonly masterVersion: string;
  readonly heartbeatIntervalMs: number;
  readonly advertise: string;
  readonly caPin: string;
}

/** The console stream in our words: begin, part…, end; then changes under one revision, and vitals each second. */
export type WatchEvent =
  | ({ readonly kind: 'begin' } & WatchBegin)
  | { readonly kind: 'part'; readonly entities: readonly Entity[] }
  | { readonly kind: 'end'; readonly revision: Revision }
  | ({ readonly kind: 'resumed' } & WatchBegin)
  | {
      readonly kind: 'change';
      readonly revision: Revision;
      readonly put: readonly Entity[];
      readonly deleted: readonly EntityKey[];
      /** Several commits in one: a slow subscriber's changes were merged. */
      readonly conflated: boolean;
    }
  | {
      readonly kind: 'vitals';
      readonly tick: number;
      readonly at: Millis;
      readonly nodes: readonly NodeVitals[];
      readonly fleet: FleetVitals;
      /** All edges first, then each region's nodes by type; in the first message of a tick, empty in further ones. */
      readonly regions: readonly RegionVitals[];
    }
  | { readonly kind: 'compacted'; readonly oldest: Revision };
