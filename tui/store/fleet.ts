import type { AlertView } from '../../proto/vocab/alert.ts';
import type { CommandTask } from '../../proto/vocab/command.ts';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import type { FleetEvent } from '../../proto/vocab/event.ts';
import type { Millis, Revision } from '../../proto/vocab/ids.ts';
import type { FleetVitals, Node, NodeVitals, RegionVitals } from '../../proto/vocab/node.ts';
import type { Rollout, RolloutTarget } from '../../proto/vocab/rollout.ts';
import type { Silence } from '../../proto/vocab/silence.ts';
import type { Entity, EntityKey, WatchBegin, WatchEvent } from '../../proto/vocab/watch.ts';

export interface Facts {
  readonly node: ReadonlyMap<string, Node>;
  readonly version: ReadonlyMap<string, ConfigVersion>;
  readonly alert: ReadonlyMap<string, AlertView>;
  readonly silence: ReadonlyMap<string, Silence>;
  readonly command: ReadonlyMap<string, CommandTask>;
  readonly rollout: ReadonlyMap<string, Rollout>;
  readonly event: ReadonlyMap<string, FleetEvent>;
}

const NO_FACTS: Facts = {
  node: new Map(),
  version: new Map(),
  alert: new Map(),
  silence: new Map(),
  command: new Map(),
  rollout: new Map(),
  event: new Map(),
};

/** What becomes of a node in a rollout that goes on. */
export interface TargetFact {
  readonly target: RolloutTarget;
  readonly version: string;
  readonly minHealthyMs: Millis;
}

/** What the stream has told so far. Only whole snapshots are shown: one on its way is kept apart until its end. */
export interface Fleet {
  readonly begin: WatchBegin | null;
  readonly revision: Revision;
  readonly facts: Facts;
  readonly vitals: ReadonlyMap<string, NodeVitals>;
  readonly figures: FleetVitals | null;
  /** All edges, then each region's nodes by type. */
  readonly regions: readonly RegionVitals[];
  /** Not of the stream: read beside it while a rollout goes on. */
  readonly targets: ReadonlyMap<string, TargetFact>;
  /** The master's clock at the last vitals. */
  readonly at: Millis | null;
  /** Our clock then: the age of the data. */
  readonly receivedAt: Millis | null;
  readonly stream:
    | { readonly kind: 'none' }
    /** A snapshot is on its way. */
    | { readonly kind: 'reading'; readonly facts: Facts }
    /**
     * Every change must follow its predecessor. Up to `replayed` (the revision a resumed stream began at) the master
     * says what was missed, and only that: revisions may be absent there.
     */
    | { readonly kind: 'following'; readonly replayed: Revision }
    /** A revision was missed: what follows is not taken in until the stream starts again. */
    | { readonly kind: 'gap' };
  /** Changes taken in since the stream last (re)started. */
  readonly changes: number;
}

export const EMPTY_FLEET: Fleet = {
  begin: null,
  revision: 0,
  facts: NO_FACTS,
  vitals: new Map(),
  figures: null,
  regions: [],
  targets: new Map(),
  at: null,
  receivedAt: null,
  stream: { kind: 'none' },
  changes: 0,
};

const EVENTS_KEPT = 500;

function putInto(facts: Facts, put: readonly Entity[], deleted: readonly EntityKey[]): Facts {
  if (put.length === 0 && deleted.length === 0) return facts;
  const next: { -readonly [K in keyof Facts]: Facts[K] } = { ...facts };
  const copied = new Set<keyof Facts>();
  const open = (kind: keyof Facts): Map<string, unknown> => {
    if (!copied.has(kind)) {
      copied.add(kind);
      // Maps keep their value types by kind; the copy is opened for writing once a change.
      Object.assign(next, { [kind]: new Map<string, unknown>(facts[kind]) });
    }
    return next[kind] as unknown as Map<string, unknown>;
  };
  for (const k of deleted) open(k.kind).delete(k.key);
  for (const e of put) open(e.kind).set(e.key, e.value);
  if (copied.has('event') && next.event.size > EVENTS_KEPT) {
    const spare = next.event.size - EVENTS_KEPT;
    const all = open('event');
    for (const key of [...all.keys()].slice(0, spare)) all.delete(key);
  }
  return next;
}

function mergeVitals(
  fleet: Fleet,
  event: Extract<WatchEvent, { kind: 'vitals' }>,
): ReadonlyMap<string, NodeVitals> {
  if (event.nodes.length === 0) return fleet.vitals;
  const next = new Map(fleet.vitals);
  for (const v of event.nodes) next.set(v.name, v);
  return next;
}

/** Where to go on from after a break; `null`: from the start. */
export function resumePoint(fleet: Fleet): { readonly since: Revision; readonly storeId: string } | null {
  if (fleet.begin === null || fleet.stream.kind === 'none' || fleet.stream.kind === 'reading') return null;
  return { since: fleet.revision, storeId: fleet.begin.storeId };
}

/** A stream that ended in the middle of a snapshot left nothing to go on from. */
export function streamEnded(fleet: Fleet): Fleet {
  if (fleet.stream.kind !== 'reading') return fleet;
  return { ...fleet, stream: { kind: 'none' } };
}

/** A record of the stream -> what is known. Pure: `now` is our clock when it came. */
export function fleetReducer(fleet: Fleet, event: WatchEvent, now: Millis): Fleet {
  switch (event.kind) {
    // any -> reading
    case 'begin': {
      const { kind: _, ...begin } = event;
      return { ...fleet, begin, stream: { kind: 'reading', facts: NO_FACTS }, changes: 0 };
    }
    case 'part':
      if (fleet.stream.kind !== 'reading') return fleet;
      return {
        ...fleet,
        stream: { kind: 'reading', facts: putInto(fleet.stream.facts, event.entities, []) },
      };
    // reading -> following
    case 'end': {
      if (fleet.stream.kind !== 'reading') return fleet;
      const { facts } = fleet.stream;
      const vitals = new Map([...fleet.vitals].filter(([name]) => facts.node.has(name)));
      return {
        ...fleet,
        revision: event.revision,
        facts,
        vitals,
        receivedAt: now,
        stream: { kind: 'following', replayed: event.revision },
      };
    }
    // any -> following
    case 'resumed': {
      const { kind: _, ...begin } = event;
      return {
        ...fleet,
        begin,
        receivedAt: now,
        stream: { kind: 'following', replayed: event.revision },
        changes: 0,
      };
    }
    case 'change': {
      if (fleet.stream.kind !== 'following' || event.revision <= fleet.revision) return fleet;
      // following -> gap
      const { replayed } = fleet.stream;
      const next = Math.max(fleet.revision, replayed) + 1;
      if (!event.conflated && event.revision > replayed && event.revision !== next) {
        return { ...fleet, stream: { kind: 'gap' } };
      }
      const facts = putInto(fleet.facts, event.put, event.deleted);
      let { vitals } = fleet;
      if (event.deleted.some((d) => d.kind === 'node' && vitals.has(d.key))) {
        vitals = new Map([...vitals].filter(([name]) => facts.node.has(name)));
      }
      return {
        ...fleet,
        revision: event.revision,
        facts,
        vitals,
        stream: fleet.stream,
        changes: fleet.changes + 1,
      };
    }
    case 'vitals':
      if (fleet.stream.kind === 'none' || fleet.stream.kind === 'reading') return fleet;
      return {
        ...fleet,
        vitals: mergeVitals(fleet, event),
        figures: event.fleet,
        regions: event.regions,
        at: event.at,
        receivedAt: now,
      };
    // any -> none: too old to resume, the whole state is read again
    case 'compacted':
      return { ...fleet, stream: { kind: 'none' } };
  }
}
