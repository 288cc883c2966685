import type {
  GetNodeDetailResponse,
  ServiceFigures,
  SnapshotBegin,
  WatchResponse,
  Entity as WireEntity,
  FleetVitals as WireFleet,
  RegionVitals as WireRegion,
} from '../gen/aicdn/v1/console.ts';
import { ROLES } from '../vocab/can.ts';
import { AppError } from '../vocab/errors.ts';
import { type FleetVitals, NODE_TYPES, type RegionVitals } from '../vocab/node.ts';
import type { NodeDetail, ServiceWindow } from '../vocab/node-detail.ts';
import type { Entity, EntityKey, WatchBegin, WatchEvent } from '../vocab/watch.ts';
import {
  decodeDrains,
  decodeHistogram,
  decodeLogLine,
  encodeDrains,
  encodeHistogram,
  encodeLogLine,
} from './codec-common.ts';
import * as c from './codec-console.ts';
import { decodeRollout, encodeRollout } from './codec-rollouts.ts';
import * as w from './wire.ts';

// The console stream and a node's detail, wire ⇄ vocab. An entity's key is derived from it, never sent beside it.

const MOST_ENTITIES = 50_000;
const MOST_REGIONS = 2_048;
const REGION_MINUTES = 30;
const KINDS = ['node', 'version', 'alert', 'silence', 'command', 'rollout', 'event'] as const;

export function encodeEntity(e: Entity): WireEntity {
  switch (e.kind) {
    case 'node':
      return { entity: { $case: 'node', value: c.encodeNode(e.value) } };
    case 'version':
      return { entity: { $case: 'version', value: c.encodeVersion(e.value) } };
    case 'alert':
      return { entity: { $case: 'alert', value: c.encodeAlert(e.value) } };
    case 'silence':
      return { entity: { $case: 'silence', value: c.encodeSilence(e.value) } };
    case 'command':
      return { entity: { $case: 'command', value: c.encodeTask(e.value) } };
    case 'rollout':
      return { entity: { $case: 'rollout', value: encodeRollout(e.value) } };
    case 'event':
      return { entity: { $case: 'event', value: c.encodeEvent(e.value) } };
  }
}

export function decodeEntity(m: WireEntity): Entity {
  const e = m.entity;
  switch (e?.$case) {
    case 'node': {
      const value = c.decodeNode(e.value);
      return { kind: 'node', key: value.name, value };
    }
    case 'version': {
      const value = c.decodeVersion(e.value);
      return { kind: 'version', key: value.label, value };
    }
    case 'alert': {
      const value = c.decodeAlert(e.value);
      return { kind: 'alert', key: value.fingerprint, value };
    }
    case 'silence': {
      const value = c.decodeSilence(e.value);
      return { kind: 'silence', key: value.id, value };
    }
    case 'command': {
      const value = c.decodeTask(e.value);
      return { kind: 'command', key: value.id, value };
    }
    case 'rollout': {
      const value = decodeRollout(e.value);
      return { kind: 'rollout', key: value.id, value };
    }
    case 'event': {
      const value = c.decodeEvent(e.value);
      return { kind: 'event', key: value.id, value };
    }
    default:
      throw new AppError('unsupported', 'an entity of a kind this build does not know');
  }
}

function encodeBegin(b: WatchBegin): SnapshotBegin {
  return {
    revision: w.big(b.revision, 'begin.revision'),
    storeId: b.storeId,
    watchId: b.watchId,
    caller: { actor: b.caller.actor, role: b.caller.role },
    context: b.context,
    masterVersion: b.masterVersion,
    heartbeatIntervalMs: w.whole(b.heartbeatIntervalMs, 'begin.heartbeat_interval_ms'),
    advertise: b.advertise,
    caPin: b.caPin,
  };
}

function decodeBegin(b: SnapshotBegin): WatchBegin {
  const caller = w.present(b.caller, 'begin.caller');
  return {
    revision: w.int(b.revision, 'begin.revision'),
    storeId: w.required(b.storeId, 'begin.store_id'),
    watchId: w.required(b.watchId, 'begin.watch_id'),
    caller: {
      actor: w.text(caller.actor, 'begin.caller.actor', w.LONGEST.word),
      role: w.oneOf(caller.role, ROLES, 'begin.caller.role'),
    },
    context: w.text(b.context, 'begin.context', w.LONGEST.word),
    masterVersion: w.text(b.masterVersion, 'begin.master_version', w.LONGEST.word),
    heartbeatIntervalMs: b.heartbeatIntervalMs,
    advertise: w.text(b.advertise, 'begin.advertise', w.LONGEST.line),
    caPin: w.text(b.caPin, 'begin.ca_pin', w.LONGEST.word),
  };
}

export function encodeFleet(f: FleetVitals): WireFleet {
  return {
    streams: w.whole(f.streams, 'fleet.streams'),
    rps: w.figureOut(f.rps),
    ttft95Ms: w.wholeOut(f.ttft95Ms, 'fleet.ttft95_ms'),
    p99Ms: w.wholeOut(f.p99Ms, 'fleet.p99_ms'),
    errPct: w.figureOut(f.errPct),
    degraded: f.degraded !== null,
    degradedReason: w.head(f.degraded ?? '', w.LONGEST.line),
  };
}

export function decodeFleet(f: WireFleet): FleetVitals {
  return {
    streams: f.streams,
    rps: w.figure(f.rps, 'fleet.rps'),
    ttft95Ms: w.figure(f.ttft95Ms, 'fleet.ttft95_ms'),
    p99Ms: w.figure(f.p99Ms, 'fleet.p99_ms'),
    errPct: w.figure(f.errPct, 'fleet.err_pct'),
    degraded: f.degraded ? w.text(f.degradedReason, 'fleet.degraded_reason', w.LONGEST.line) : null,
  };
}

function encodeRegion(r: RegionVitals): WireRegion {
  return {
    region: r.region ?? '',
    nodeType: r.nodeType,
    streams: w.whole(r.streams, 'region.streams'),
    rps: w.figureOut(r.rps),
    ttft50Ms: w.wholeOut(r.ttft50Ms, 'region.ttft50_ms'),
    ttft95Ms: w.wholeOut(r.ttft95Ms, 'region.ttft95_ms'),
    gap99Ms: w.wholeOut(r.gap99Ms, 'region.gap99_ms'),
    p99Ms: w.wholeOut(r.p99Ms, 'region.p99_ms'),
    errPct: w.figureOut(r.errPct),
    abortedPct: w.figureOut(r.abortedPct),
    ttft95Minutes: r.ttft95Minutes.slice(-REGION_MINUTES).map(c.minuteOut),
  };
}

function decodeRegion(r: WireRegion): RegionVitals {
  return {
    region: r.region === '' ? null : w.text(r.region, 'region.region', w.LONGEST.word),
    nodeType: w.oneOf(r.nodeType, NODE_TYPES, 'region.node_type'),
    streams: r.streams,
    rps: w.figure(r.rps, 'region.rps'),
    ttft50Ms: w.figure(r.ttft50Ms, 'region.ttft50_ms'),
    ttft95Ms: w.figure(r.ttft95Ms, 'region.ttft95_ms'),
    gap99Ms: w.figure(r.gap99Ms, 'region.gap99_ms'),
    p99Ms: w.figure(r.p99Ms, 'region.p99_ms'),
    errPct: w.figure(r.errPct, 'region.err_pct'),
    abortedPct: w.figure(r.abortedPct, 'region.aborted_pct'),
    ttft95Minutes: w
      .bounded(r.ttft95Minutes, REGION_MINUTES, 'region.ttft95_minutes')
      .map((n) => (n < 0 ? null : n)),
  };
}

export function encodeWatch(e: WatchEvent): WatchResponse {
  switch (e.kind) {
    case 'begin':
      return { body: { $case: 'begin', value: encodeBegin(e) } };
    case 'resumed':
      return { body: { $case: 'resumed', value: { begin: encodeBegin(e) } } };
    case 'part':
      return { body: { $case: 'part', value: { entities: e.entities.map(encodeEntity) } } };
    case 'end':
      return { body: { $case: 'end', value: { revision: w.big(e.revision, 'end.revision') } } };
    case 'change':
      return {
        body: {
          $case: 'change',
          value: {
            revision: w.big(e.revision, 'change.revision'),
            put: e.put.map(encodeEntity),
            deleted: e.deleted.map((d) => ({ kind: d.kind, key: d.key })),
            conflated: e.conflated,
          },
        },
      };
    case 'vitals':
      return {
        body: {
          $case: 'vitals',
          value: {
            tick: w.big(e.tick, 'vitals.tick'),
            at: w.stamp(e.at),
            nodes: e.nodes.map(c.encodeVitals),
            fleet: encodeFleet(e.fleet),
            regions: e.regions.map(encodeRegion),
          },
        },
      };
    case 'compacted':
      return {
        body: { $case: 'compacted', value: { oldestRevision: w.big(e.oldest, 'compacted.oldest_revision') } },
      };
  }
}

export function decodeWatch(m: WatchResponse): WatchEvent {
  const b = m.body;
  switch (b?.$case) {
    case 'begin':
      return { kind: 'begin', ...decodeBegin(b.value) };
    case 'resumed':
      return { kind: 'resumed', ...decodeBegin(w.present(b.value.begin, 'resumed.begin')) };
    case 'part':
      return {
        kind: 'part',
        entities: w.bounded(b.value.entities, MOST_ENTITIES, 'part.entities').map(decodeEntity),
      };
    case 'end':
      return { kind: 'end', revision: w.int(b.value.revision, 'end.revision') };
    case 'change':
      return {
        kind: 'change',
        revision: w.int(b.value.revision, 'change.revision'),
        put: w.bounded(b.value.put, MOST_ENTITIES, 'change.put').map(decodeEntity),
        deleted: w.bounded(b.value.deleted, MOST_ENTITIES, 'change.deleted').map(
          (d): EntityKey => ({
            kind: w.oneOf(d.kind, KINDS, 'change.deleted.kind'),
            key: w.required(d.key, 'change.deleted.key'),
          }),
        ),
        conflated: b.value.conflated,
      };
    case 'vitals':
      return {
        kind: 'vitals',
        tick: w.int(b.value.tick, 'vitals.tick'),
        at: w.millis(b.value.at, 'vitals.at'),
        nodes: w.bounded(b.value.nodes, c.MOST_NODES, 'vitals.nodes').map(c.decodeVitals),
        fleet: decodeFleet(w.present(b.value.fleet, 'vitals.fleet')),
        regions: w.bounded(b.value.regions, MOST_REGIONS, 'vitals.regions').map(decodeRegion),
      };
    case 'compacted':
      return { kind: 'compacted', oldest: w.int(b.value.oldestRevision, 'compacted.oldest_revision') };
    default:
      throw new AppError('unsupported', 'a watch message this build does not know');
  }
}

function encodeServiceWindow(s: ServiceWindow): ServiceFigures {
  return {
    service: s.service,
    streams: w.whole(s.streams, 'service.streams'),
    ttft50Ms: w.wholeOut(s.ttft50Ms, 'service.ttft50_ms'),
    ttft95Ms: w.wholeOut(s.ttft95Ms, 'service.ttft95_ms'),
    connect99Ms: w.wholeOut(s.connect99Ms, 'service.connect99_ms'),
    gap99Ms: w.wholeOut(s.gap99Ms, 'service.gap99_ms'),
    requests: w.big(s.requests, 'service.requests'),
    errors: w.big(s.errors, 'service.errors'),
    abortedClient: w.big(s.abortedClient, 'service.aborted_client'),
    abortedOrigin: w.big(s.abortedOrigin, 'service.aborted_origin'),
    abortedTunnel: w.big(s.abortedTunnel, 'service.aborted_tunnel'),
    ttft: encodeHistogram(s.ttft),
    connect: encodeHistogram(s.connect),
    gap: encodeHistogram(s.gap),
  };
}

function decodeServiceWindow(s: ServiceFigures): ServiceWindow {
  return {
    service: w.text(s.service, 'service.service', w.LONGEST.word),
    streams: s.streams,
    ttft50Ms: w.figure(s.ttft50Ms, 'service.ttft50_ms'),
    ttft95Ms: w.figure(s.ttft95Ms, 'service.ttft95_ms'),
    connect99Ms: w.figure(s.connect99Ms, 'service.connect99_ms'),
    gap99Ms: w.figure(s.gap99Ms, 'service.gap99_ms'),
    requests: w.int(s.requests, 'service.requests'),
    errors: w.int(s.errors, 'service.errors'),
    abortedClient: w.int(s.abortedClient, 'service.aborted_client'),
    abortedOrigin: w.int(s.abortedOrigin, 'service.aborted_origin'),
    abortedTunnel: w.int(s.abortedTunnel, 'service.aborted_tunnel'),
    ttft: decodeHistogram(s.ttft, 'service.ttft'),
    connect: decodeHistogram(s.connect, 'service.connect'),
    gap: decodeHistogram(s.gap, 'service.gap'),
  };
}

export function encodeNodeDetail(d: NodeDetail): GetNodeDetailResponse {
  return {
    node: c.encodeNode(d.node),
    vitals: c.encodeVitals(d.vitals),
    series: d.series.map((s) => ({ name: s.name, values: [...s.values] })),
    services: d.services.map(encodeServiceWindow),
    log: d.log.slice(-200).map(encodeLogLine),
    minuteOfLast: w.stamp(d.lastMinuteAt),
    commands: d.commands.map(c.encodeTask),
    events: d.events.map(c.encodeEvent),
    drains: encodeDrains(d.drains),
  };
}

export function decodeNodeDetail(d: GetNodeDetailResponse): NodeDetail {
  return {
    node: c.decodeNode(w.present(d.node, 'node')),
    vitals: c.decodeVitals(w.present(d.vitals, 'vitals')),
    series: w.bounded(d.series, 64, 'series').map((s) => ({
      name: w.text(s.name, 'series.name', w.LONGEST.word),
      values: w.bounded(s.values, 1500, 'series.values'),
    })),
    services: w.bounded(d.services, 256, 'services').map(decodeServiceWindow),
    log: w.bounded(d.log, 200, 'log').map((l) => decodeLogLine(l, 'log')),
    lastMinuteAt: w.millis(d.minuteOfLast, 'minute_of_last'),
    commands: w.bounded(d.commands, 1024, 'commands').map(c.decodeTask),
    events: w.bounded(d.events, 1024, 'events').map(c.decodeEvent),
    drains: decodeDrains(d.drains, 'drains'),
  };
}
