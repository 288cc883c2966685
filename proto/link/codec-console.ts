import {
  AlertState,
  type AssignedLabel,
  type Alert as WireAlert,
  type Event as WireEvent,
  type Matcher as WireMatcher,
  type Node as WireNode,
  NodeStatus as WireNodeStatus,
  type CommandOptions as WireOptions,
  type Silence as WireSilence,
  type Target as WireTarget,
  type CommandTask as WireTask,
  TaskState as WireTaskState,
  type ConfigVersion as WireVersion,
  type NodeVitals as WireVitals,
} from '../gen/aicdn/v1/console.ts';
import type { AlertView } from '../vocab/alert.ts';
import { COMMAND_TYPES, type CommandOptions, type CommandTask, type TaskState } from '../vocab/command.ts';
import type { ConfigVersion, Target } from '../vocab/config-version.ts';
import type { FleetEvent } from '../vocab/event.ts';
import type { CommandId, Fingerprint, RolloutId, SilenceId } from '../vocab/ids.ts';
import type { Matcher } from '../vocab/matcher.ts';
import {
  type ConfigFailure,
  NODE_TYPES,
  type Node,
  type NodeStatus,
  type NodeVitals,
} from '../vocab/node.ts';
import type { Silence } from '../vocab/silence.ts';
import {
  decodeCommandResult,
  decodeEngine,
  decodeRefusal,
  encodeCommandResult,
  encodeEngine,
  encodeRefusal,
} from './codec-common.ts';
import * as w from './wire.ts';

// The entities of the console's conversation, wire ⇄ vocab. Decoders throw AppError `invalid`.

/** Nodes a message may name at once. */
export const MOST_NODES = 20_000;
const MOST_PUBLICATIONS = 4096;
const MOST_MATCHERS = 64;

export const ELIGIBILITY = ['eligible', 'ineligible'] as const;
const DRAIN = ['none', 'draining', 'drained'] as const;
const CONFIG_SYNC = ['in_sync', 'out_of_sync', 'applying', 'failed', 'drifted', 'unknown'] as const;
const IDENTITY = ['pending', 'accepted', 'revoked'] as const;
const PHASES = ['validate', 'prepare', 'switch', 'confirm'] as const;
const SEVERITIES = ['critical', 'warning'] as const;
const EVENT_KINDS = ['node', 'config', 'command', 'alert', 'silence', 'master'] as const;
const EVENT_LEVELS = ['info', 'warn', 'error'] as const;

const NODE_STATUS = w.enumCodec<NodeStatus, WireNodeStatus>({
  initializing: WireNodeStatus.INITIALIZING,
  ready: WireNodeStatus.READY,
  disconnected: WireNodeStatus.DISCONNECTED,
  down: WireNodeStatus.DOWN,
  unknown: WireNodeStatus.UNKNOWN,
});
const TASK_STATE = w.enumCodec<TaskState, WireTaskState>({
  queued: WireTaskState.QUEUED,
  running: WireTaskState.RUNNING,
  succeeded: WireTaskState.SUCCEEDED,
  partial: WireTaskState.PARTIAL,
  failed: WireTaskState.FAILED,
  timed_out: WireTaskState.TIMED_OUT,
  cancelled: WireTaskState.CANCELLED,
});

export function encodeNode(n: Node): WireNode {
  return {
    name: n.name,
    nodeType: n.nodeType,
    region: n.region,
    labels: { ...n.labels },
    eligibility: n.eligibility,
    drain: n.drain,
    configSync: n.configSync,
    identity: n.identity,
    targetVersion: n.target?.version ?? '',
    targetConfigHash: n.target?.hash ?? '',
    effectiveVersion: n.effective?.version ?? '',
    effectiveConfigHash: n.effective?.hash ?? '',
    rejectedConfigHash: n.rejectedHash ?? '',
    configError: n.failure ? encodeRefusal(n.failure.refusal) : undefined,
    configErrorPhase: n.failure?.phase ?? '',
    configErrorLog: w.tail(n.failure?.logTail ?? ''),
    configErrorReverted: n.failure?.reverted ?? false,
    configErrorAt: n.failure ? w.stamp(n.failure.at) : undefined,
    agentVersion: n.agentVersion,
    engine: encodeEngine(n.engine),
    capabilities: [...n.capabilities],
    addresses: [...(n.addresses ?? [])],
    joinedAt: w.stamp(n.joinedAt),
    certificateNotAfter: n.certificate ? w.stamp(n.certificate.notAfter) : undefined,
    certificateSerial: n.certificate?.serial ?? '',
    modRevision: w.big(n.modRevision, 'node.mod_revision'),
    configWarnings: n.warnings.map((t) => w.head(t, w.LONGEST.line)),
    initialized: n.initialized,
    stopped: n.stopped ?? false,
    assigned: encodeAssigned(n.assigned ?? {}),
  };
}

export function decodeNode(n: WireNode): Node {
  return {
    name: w.nodeName(n.name, 'node.name'),
    nodeType: w.oneOf(n.nodeType, NODE_TYPES, 'node.node_type'),
    region: w.text(n.region, 'node.region', w.LONGEST.word),
    labels: w.labels(n.labels, 'node.labels'),
    eligibility: w.oneOf(n.eligibility, ELIGIBILITY, 'node.eligibility'),
    drain: w.oneOf(n.drain, DRAIN, 'node.drain'),
    configSync: w.oneOf(n.configSync, CONFIG_SYNC, 'node.config_sync'),
    identity: w.oneOf(n.identity, IDENTITY, 'node.identity'),
    initialized: n.initialized,
    target:
      n.targetVersion === ''
        ? null
        : {
            version: w.versionLabel(n.targetVersion, 'node.target_version'),
            hash: w.configHash(n.targetConfigHash, 'node.target_config_hash'),
          },
    effective:
      n.effectiveConfigHash === ''
        ? null
        : {
            version: w.versionLabelOrNull(n.effectiveVersion, 'node.effective_version'),
            hash: w.configHash(n.effectiveConfigHash, 'node.effective_config_hash'),
          },
    rejectedHash: w.configHashOrNull(n.rejectedConfigHash, 'node.rejected_config_hash'),
    failure: decodeFailure(n),
    warnings: w
      .bounded(n.configWarnings, 256, 'node.config_warnings')
      .map((t) => w.text(t, 'node.config_warnings', w.LONGEST.line)),
    agentVersion: w.text(n.agentVersion, 'node.agent_version', w.LONGEST.word),
    engine: decodeEngine(n.engine, 'node.engine'),
    capabilities: w
      .bounded(n.capabilities, 256, 'node.capabilities')
      .map((c) => w.text(c, 'node.capabilities', w.LONGEST.word)),
    joinedAt: w.millis(n.joinedAt, 'node.joined_at'),
    certificate: n.certificateNotAfter
      ? {
          serial: w.text(n.certificateSerial, 'node.certificate_serial', w.LONGEST.word),
          notAfter: w.millis(n.certificateNotAfter, 'node.certificate_not_after'),
        }
      : null,
    ...(n.addresses.length > 0
      ? {
          addresses: w
            .bounded(n.addresses, 64, 'node.addresses')
            .map((x) => w.text(x, 'node.addresses', w.LONGEST.word)),
        }
      : {}),
    ...(n.stopped ? { stopped: true } : {}),
    ...(Object.keys(n.assigned).length > 0 ? { assigned: decodeAssigned(n.assigned, 'node.assigned') } : {}),
    modRevision: w.int(n.modRevision, 'node.mod_revision'),
  };
}

type Assigned = Readonly<Record<string, string | null>>;

export function encodeAssigned(labels: Assigned): Record<string, AssignedLabel> {
  return Object.fromEntries(Object.entries(labels).map(([k, v]) => [k, { value: v ?? undefined }]));
}

/** Without a value: taken away. */
export function decodeAssigned(labels: Readonly<Record<string, AssignedLabel>>, field: string): Assigned {
  const given = Object.entries(labels);
  w.labels(Object.fromEntries(given.map(([k, v]) => [k, v.value ?? ''])), field);
  return Object.fromEntries(given.map(([k, v]) => [k, v.value ?? null]));
}

function decodeFailure(n: WireNode): ConfigFailure | null {
  if (!n.configError) return null;
  return {
    phase: w.oneOf(n.configErrorPhase, PHASES, 'node.config_error_phase'),
    refusal: decodeRefusal(n.configError, 'node.config_error'),
    logTail: w.text(n.configErrorLog, 'node.config_error_log', w.LONGEST.tail),
    reverted: n.configErrorReverted,
    at: w.millis(n.configErrorAt, 'node.config_error_at'),
  };
}

/** A minute without data is -1 on the wire. */
export function minuteOut(n: number | null): number {
  return n === null || !Number.isFinite(n) ? -1 : Math.round(n);
}

export function encodeVitals(v: NodeVitals): WireVitals {
  return {
    name: v.name,
    status: NODE_STATUS.write(v.status),
    lastSeen: v.lastSeen === null ? undefined : w.stamp(v.lastSeen),
    streams: w.wholeOut(v.streams, 'vitals.streams'),
    rps: w.figureOut(v.rps),
    ttft95Ms: w.wholeOut(v.ttft95Ms, 'vitals.ttft95_ms'),
    p99Ms: w.wholeOut(v.p99Ms, 'vitals.p99_ms'),
    errPct: w.figureOut(v.errPct),
    cpuPct: w.figureOut(v.cpuPct),
    memPct: w.figureOut(v.memPct),
    p99Minutes: v.p99Minutes.slice(-10).map(minuteOut),
    gap99Ms: w.wholeOut(v.gap99Ms, 'vitals.gap99_ms'),
    abortedPct: w.figureOut(v.abortedPct),
    clockSkewMs: v.clockSkewMs == null ? undefined : BigInt(Math.round(v.clockSkewMs)),
  };
}

export function decodeVitals(v: WireVitals): NodeVitals {
  return {
    name: w.nodeName(v.name, 'vitals.name'),
    status: NODE_STATUS.read(v.status, 'vitals.status'),
    lastSeen: w.millisOrNull(v.lastSeen, 'vitals.last_seen'),
    streams: w.figure(v.streams, 'vitals.streams'),
    rps: w.figure(v.rps, 'vitals.rps'),
    ttft95Ms: w.figure(v.ttft95Ms, 'vitals.ttft95_ms'),
    p99Ms: w.figure(v.p99Ms, 'vitals.p99_ms'),
    errPct: w.figure(v.errPct, 'vitals.err_pct'),
    abortedPct: w.figure(v.abortedPct, 'vitals.aborted_pct'),
    gap99Ms: w.figure(v.gap99Ms, 'vitals.gap99_ms'),
    cpuPct: w.figure(v.cpuPct, 'vitals.cpu_pct'),
    memPct: w.figure(v.memPct, 'vitals.mem_pct'),
    p99Minutes: w.bounded(v.p99Minutes, 10, 'vitals.p99_minutes').map((n) => (n < 0 ? null : n)),
    ...(v.clockSkewMs === undefined ? {} : { clockSkewMs: w.signed(v.clockSkewMs, 'vitals.clock_skew_ms') }),
  };
}

export function encodeTarget(t: Target): WireTarget {
  return {
    nodes: [...(t.nodes ?? [])],
    labels: { ...t.labels },
    nodeType: t.nodeType ?? '',
    regions: [...(t.regions ?? [])],
  };
}

/** Absent and empty are everybody. */
export function decodeTarget(t: WireTarget | undefined, field = 'target'): Target {
  if (!t) return {};
  const labels = w.labels(t.labels, `${field}.labels`);
  return {
    ...(t.nodes.length > 0 ? { nodes: w.nodeNames(t.nodes, MOST_NODES, `${field}.nodes`) } : {}),
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(t.nodeType === '' ? {} : { nodeType: w.oneOf(t.nodeType, NODE_TYPES, `${field}.node_type`) }),
    ...(t.regions.length > 0
      ? {
          regions: w
            .bounded(t.regions, 256, `${field}.regions`)
            .map((r) => w.required(r, `${field}.regions`)),
        }
      : {}),
  };
}

export function encodeVersion(v: ConfigVersion): WireVersion {
  return {
    label: v.label,
    description: v.description,
    bodyHash: v.bodyHash,
    parent: v.parent ?? '',
    createdBy: v.createdBy,
    createdAt: w.stamp(v.createdAt),
    publications: v.publications.map((p) => ({
      target: encodeTarget(p.target),
      publishedBy: p.publishedBy,
      publishedAt: w.stamp(p.publishedAt),
      reason: p.reason,
      revision: w.big(p.revision, 'publication.revision'),
      rollout: p.rollout ?? '',
      open: p.open ?? false,
      only: p.only && { names: [...p.only] },
    })),
    modRevision: w.big(v.modRevision, 'version.mod_revision'),
    rollbackOf: v.rollbackOf ?? '',
    target: v.target && encodeTarget(v.target),
  };
}

export function decodeVersion(v: WireVersion): ConfigVersion {
  return {
    label: w.versionLabel(v.label, 'version.label'),
    description: w.text(v.description, 'version.description', w.LONGEST.line),
    bodyHash: w.bodyHash(v.bodyHash, 'version.body_hash'),
    parent: w.versionLabelOrNull(v.parent, 'version.parent'),
    rollbackOf: w.versionLabelOrNull(v.rollbackOf, 'version.rollback_of'),
    createdBy: w.text(v.createdBy, 'version.created_by', w.LONGEST.word),
    createdAt: w.millis(v.createdAt, 'version.created_at'),
    publications: w.bounded(v.publications, MOST_PUBLICATIONS, 'version.publications').map((p) => ({
      target: decodeTarget(p.target, 'publication.target'),
      publishedBy: w.text(p.publishedBy, 'publication.published_by', w.LONGEST.word),
      publishedAt: w.millis(p.publishedAt, 'publication.published_at'),
      reason: w.text(p.reason, 'publication.reason', w.LONGEST.line),
      revision: w.int(p.revision, 'publication.revision'),
      ...(p.rollout === '' ? {} : { rollout: w.required(p.rollout, 'publication.rollout') as RolloutId }),
      ...(p.open ? { open: true as const } : {}),
      ...(p.only ? { only: w.nodeNames(p.only.names, MOST_NODES, 'publication.only') } : {}),
    })),
    ...(v.target ? { target: decodeTarget(v.target, 'version.target') } : {}),
    modRevision: w.int(v.modRevision, 'version.mod_revision'),
  };
}

export function encodeMatcher(m: Matcher): WireMatcher {
  return { ...m };
}

export function decodeMatchers(list: readonly WireMatcher[], field = 'matchers'): readonly Matcher[] {
  return w.bounded(list, MOST_MATCHERS, field).map((m, i) => ({
    name: w.required(m.name, `${field}[${i}].name`, 128),
    value: w.text(m.value, `${field}[${i}].value`, 512),
    isRegex: m.isRegex,
    isEqual: m.isEqual,
  }));
}

export function encodeAlert(a: AlertView): WireAlert {
  return {
    fingerprint: a.fingerprint,
    rule: a.rule,
    severity: a.severity,
    labels: { ...a.labels },
    state: { pending: AlertState.PENDING, firing: AlertState.FIRING, resolved: AlertState.RESOLVED }[a.state],
    pendingAt: w.stamp(a.pendingAt),
    firingAt: a.state === 'pending' ? undefined : w.stamp(a.firingAt),
    resolvedAt: a.state === 'resolved' ? w.stamp(a.resolvedAt) : undefined,
    value: w.head(a.value, w.LONGEST.line),
    silencedBy: [...a.silencedBy],
    inhibitedBy: [...a.inhibitedBy],
    modRevision: w.big(a.modRevision, 'alert.mod_revision'),
  };
}

export function decodeAlert(a: WireAlert): AlertView {
  const base = {
    fingerprint: w.required(a.fingerprint, 'alert.fingerprint') as Fingerprint,
    rule: w.required(a.rule, 'alert.rule'),
    severity: w.oneOf(a.severity, SEVERITIES, 'alert.severity'),
    labels: w.labels(a.labels, 'alert.labels'),
    value: w.text(a.value, 'alert.value', w.LONGEST.line),
    pendingAt: w.millis(a.pendingAt, 'alert.pending_at'),
    modRevision: w.int(a.modRevision, 'alert.mod_revision'),
    silencedBy: w
      .bounded(a.silencedBy, 1024, 'alert.silenced_by')
      .map((s) => w.required(s, 'alert.silenced_by') as SilenceId),
    inhibitedBy: w
      .bounded(a.inhibitedBy, 1024, 'alert.inhibited_by')
      .map((f) => w.required(f, 'alert.inhibited_by') as Fingerprint),
  };
  switch (a.state) {
    case AlertState.PENDING:
      return { ...base, state: 'pending' };
    case AlertState.FIRING:
      return { ...base, state: 'firing', firingAt: w.millis(a.firingAt, 'alert.firing_at') };
    case AlertState.RESOLVED:
      return {
        ...base,
        state: 'resolved',
        firingAt: w.millis(a.firingAt, 'alert.firing_at'),
        resolvedAt: w.millis(a.resolvedAt, 'alert.resolved_at'),
      };
    default:
      throw w.invalid('alert.state', `unknown value ${a.state}`);
  }
}

export function encodeSilence(s: Silence): WireSilence {
  return {
    id: s.id,
    matchers: s.matchers.map(encodeMatcher),
    startsAt: w.stamp(s.startsAt),
    endsAt: w.stamp(s.endsAt),
    createdBy: s.createdBy,
    comment: s.comment,
    createdAt: w.stamp(s.createdAt),
    modRevision: w.big(s.modRevision, 'silence.mod_revision'),
  };
}

export function decodeSilence(s: WireSilence): Silence {
  return {
    id: w.required(s.id, 'silence.id') as SilenceId,
    matchers: decodeMatchers(s.matchers, 'silence.matchers'),
    startsAt: w.millis(s.startsAt, 'silence.starts_at'),
    endsAt: w.millis(s.endsAt, 'silence.ends_at'),
    createdBy: w.text(s.createdBy, 'silence.created_by', w.LONGEST.word),
    createdAt: w.millis(s.createdAt, 'silence.created_at'),
    comment: w.text(s.comment, 'silence.comment', w.LONGEST.line),
    modRevision: w.int(s.modRevision, 'silence.mod_revision'),
  };
}

export function encodeTask(t: CommandTask): WireTask {
  return {
    id: t.id,
    type: t.type,
    target: encodeTarget(t.target),
    state: TASK_STATE.write(t.state),
    results: Object.fromEntries(Object.entries(t.results).map(([n, r]) => [n, encodeCommandResult(r)])),
    createdBy: t.createdBy,
    createdAt: w.stamp(t.createdAt),
    endedAt: t.endedAt === null ? undefined : w.stamp(t.endedAt),
    reason: t.reason,
    modRevision: w.big(t.modRevision, 'command.mod_revision'),
    expiresAt: w.stamp(t.expiresAt),
    timeoutMs: w.whole(t.timeoutMs, 'command.timeout_ms'),
    maxParallel: w.whole(t.maxParallel ?? 0, 'command.max_parallel'),
    options: t.options && encodeOptions(t.options),
    cancelledAt: t.cancelledAt === undefined ? undefined : w.stamp(t.cancelledAt),
  };
}

export function decodeTask(t: WireTask): CommandTask {
  const results = w.bounded(Object.entries(t.results), MOST_NODES, 'command.results');
  return {
    id: w.required(t.id, 'command.id') as CommandId,
    type: w.oneOf(t.type, COMMAND_TYPES, 'command.type'),
    target: decodeTarget(t.target, 'command.target'),
    state: TASK_STATE.read(t.state, 'command.state'),
    results: Object.fromEntries(
      results.map(([n, r]) => [w.nodeName(n, 'command.results'), decodeCommandResult(r, 'command.results')]),
    ),
    createdBy: w.text(t.createdBy, 'command.created_by', w.LONGEST.word),
    createdAt: w.millis(t.createdAt, 'command.created_at'),
    expiresAt: w.millis(t.expiresAt, 'command.expires_at'),
    timeoutMs: t.timeoutMs,
    endedAt: w.millisOrNull(t.endedAt, 'command.ended_at'),
    reason: w.text(t.reason, 'command.reason', w.LONGEST.line),
    ...(t.maxParallel > 0 ? { maxParallel: t.maxParallel } : {}),
    ...(t.options ? { options: decodeOptions(t.options, 'command.options') } : {}),
    ...(t.cancelledAt ? { cancelledAt: w.millis(t.cancelledAt, 'command.cancelled_at') } : {}),
    modRevision: w.int(t.modRevision, 'command.mod_revision'),
  };
}

export function encodeOptions(o: CommandOptions): WireOptions {
  return {
    deadlineMs: o.deadlineMs === undefined ? undefined : w.big(o.deadlineMs, 'options.deadline_ms'),
    lines: o.lines === undefined ? undefined : w.whole(o.lines, 'options.lines'),
    service: o.service,
    hard: o.hard,
  };
}

export function decodeOptions(o: WireOptions | undefined, field: string): CommandOptions {
  if (!o) return {};
  return {
    ...(o.deadlineMs === undefined ? {} : { deadlineMs: w.int(o.deadlineMs, `${field}.deadline_ms`) }),
    ...(o.lines === undefined ? {} : { lines: o.lines }),
    ...(o.service === undefined ? {} : { service: w.required(o.service, `${field}.service`) }),
    ...(o.hard === undefined ? {} : { hard: o.hard }),
  };
}

/** Unspecified is none in particular. */
export function decodeTaskState(state: WireTaskState, field: string): TaskState | undefined {
  return state === WireTaskState.UNSPECIFIED ? undefined : TASK_STATE.read(state, field);
}

export function encodeTaskState(state: TaskState | undefined): WireTaskState {
  return state === undefined ? WireTaskState.UNSPECIFIED : TASK_STATE.write(state);
}

export function encodeEvent(e: FleetEvent): WireEvent {
  return {
    id: e.id,
    at: w.stamp(e.at),
    kind: e.kind,
    who: e.who,
    subject: e.subject,
    text: w.head(e.text, w.LONGEST.line),
    level: e.level,
    revision: w.big(e.revision, 'event.revision'),
  };
}

export function decodeEvent(e: WireEvent): FleetEvent {
  return {
    id: w.required(e.id, 'event.id'),
    at: w.millis(e.at, 'event.at'),
    kind: w.oneOf(e.kind, EVENT_KINDS, 'event.kind'),
    who: w.text(e.who, 'event.who', w.LONGEST.word),
    subject: w.text(e.subject, 'event.subject', w.LONGEST.word),
    text: w.text(e.text, 'event.text', w.LONGEST.line),
    level: w.oneOf(e.level, EVENT_LEVELS, 'event.level'),
    revision: w.int(e.revision, 'event.revision'),
  };
}
