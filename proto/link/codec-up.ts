import type {
  ConnectRequest,
  EnrollRequest,
  Hello,
  Metrics,
  RemoteConfigStatus,
} from '../gen/aicdn/v1/agent.ts';
import { ConfigStatus, Health, ConfigPhase as WirePhase } from '../gen/aicdn/v1/agent.ts';
import type { AgentHello, AgentUp, ConfigStatusReport, UpEnvelope } from '../vocab/agent-link.ts';
import { AppError } from '../vocab/errors.ts';
import type { MetricsReport } from '../vocab/metrics.ts';
import type { ConfigPhase, DrainView } from '../vocab/node.ts';
import {
  decodeCommandResult,
  decodeDrains,
  decodeEngine,
  decodeHistogram,
  decodeLogLine,
  decodeRefusal,
  encodeCommandResult,
  encodeDrains,
  encodeEngine,
  encodeHistogram,
  encodeLogLine,
  encodeRefusal,
} from './codec-common.ts';
import * as w from './wire.ts';

// The agent link, wire ⇄ vocab, from the agents up; and who joins. Decoders throw AppError `invalid` for what makes no
// sense and `unsupported` for a body this build does not know: the latter comes from a newer peer and may be passed over.

/** Of one certificate, or of a request for one. */
export const MOST_DER = 16 * 1024;
/** Of a followed log, a message. */
export const MOST_LINES = 128;

export const HEALTH = w.enumCodec<'ok' | 'engine_lost' | 'degraded', Health>({
  ok: Health.OK,
  engine_lost: Health.ENGINE_LOST,
  degraded: Health.DEGRADED,
});
const PHASE = w.enumCodec<ConfigPhase, WirePhase>({
  validate: WirePhase.VALIDATE,
  prepare: WirePhase.PREPARE,
  switch: WirePhase.SWITCH,
  confirm: WirePhase.CONFIRM,
});

export function encodeUp(up: UpEnvelope): ConnectRequest {
  return {
    instanceUid: w.unhex(up.instanceUid),
    sequenceNum: w.big(up.sequence, 'sequence_num'),
    body: encodeUpBody(up.body),
  };
}

function encodeUpBody(b: AgentUp): NonNullable<ConnectRequest['body']> {
  switch (b.kind) {
    case 'hello':
      return { $case: 'hello', value: encodeHello(b) };
    case 'heartbeat':
      return {
        $case: 'heartbeat',
        value: { sentAt: w.stamp(b.sentAt), health: HEALTH.write(b.health), engine: encodeEngine(b.engine) },
      };
    case 'config_status':
      return { $case: 'configStatus', value: encodeStatus(b.report) };
    case 'command_status':
      return { $case: 'commandStatus', value: encodeCommandResult(b.result) };
    case 'metrics':
      return { $case: 'metrics', value: encodeMetrics(b.report) };
    case 'events':
      return {
        $case: 'events',
        value: {
          events: b.events.map((e) => ({
            at: w.stamp(e.at),
            kind: e.kind,
            text: w.head(e.text, w.LONGEST.line),
          })),
        },
      };
    case 'renew':
      return { $case: 'renew', value: { csrDer: w.buffer(b.csrDer) } };
    case 'standing': {
      const { drains, stopped } = b.standing;
      return { $case: 'drain', value: { ...sumOf(drains), drains: encodeDrains(drains), stopped } };
    }
    case 'log_lines':
      return {
        $case: 'logLines',
        value: {
          followId: b.followId,
          lines: b.lines.map(encodeLogLine),
          dropped: w.whole(b.dropped, 'log_lines.dropped'),
          over: b.ended !== null,
          reason: w.head(b.ended ?? '', w.LONGEST.line),
        },
      };
  }
}

/** For a master that knows one drain only. */
function sumOf(drains: readonly DrainView[]): { streamsLeft: number; oldestS: number; etaS: number } {
  const most = (of: (d: DrainView) => number): number =>
    Math.min(0xffff_ffff, Math.round(drains.reduce((m, d) => Math.max(m, of(d)), 0) / 1000));
  return {
    streamsLeft: Math.min(
      0xffff_ffff,
      drains.reduce((sum, d) => sum + d.streams, 0),
    ),
    oldestS: most((d) => d.oldestMs),
    etaS: most((d) => d.etaMs ?? 0),
  };
}

export function decodeUp(m: ConnectRequest): UpEnvelope {
  const instanceUid = instanceOf(m.instanceUid);
  return { instanceUid, sequence: w.int(m.sequenceNum, 'sequence_num'), body: decodeUpBody(m.body) };
}

export function instanceOf(bytes: Uint8Array): string {
  const instanceUid = w.hex(bytes, 'instance_uid', 16);
  if (instanceUid.length !== 32) throw w.invalid('instance_uid', 'is not 16 bytes');
  return instanceUid;
}

export function decodeUpBody(b: ConnectRequest['body']): AgentUp {
  switch (b?.$case) {
    case 'hello':
      return { kind: 'hello', ...decodeHello(b.value) };
    case 'heartbeat':
      return {
        kind: 'heartbeat',
        sentAt: w.millis(b.value.sentAt, 'heartbeat.sent_at'),
        health: HEALTH.read(b.value.health, 'heartbeat.health'),
        engine: decodeEngine(b.value.engine, 'heartbeat.engine'),
      };
    case 'configStatus':
      return { kind: 'config_status', report: decodeStatus(b.value) };
    case 'commandStatus':
      return { kind: 'command_status', result: decodeCommandResult(b.value, 'command_status') };
    case 'metrics':
      return { kind: 'metrics', report: decodeMetrics(b.value) };
    case 'events':
      return {
        kind: 'events',
        events: w.bounded(b.value.events, 256, 'events').map((e) => ({
          at: w.millis(e.at, 'events.at'),
          kind: w.text(e.kind, 'events.kind', w.LONGEST.word),
          text: w.text(e.text, 'events.text', w.LONGEST.line),
        })),
      };
    case 'renew':
      return { kind: 'renew', csrDer: w.bytes(b.value.csrDer, 'renew.csr_der', MOST_DER) };
    case 'drain':
      return {
        kind: 'standing',
        standing: { stopped: b.value.stopped, drains: decodeDrains(b.value.drains, 'drain.drains') },
      };
    case 'logLines':
      return {
        kind: 'log_lines',
        followId: w.required(b.value.followId, 'log_lines.follow_id'),
        lines: w
          .bounded(b.value.lines, MOST_LINES, 'log_lines.lines')
          .map((l) => decodeLogLine(l, 'log_lines.lines')),
        dropped: b.value.dropped,
        ended: b.value.over ? w.text(b.value.reason, 'log_lines.reason', w.LONGEST.line) : null,
      };
    default:
      throw new AppError('unsupported', 'a message that this build does not know');
  }
}

function encodeHello(h: AgentHello): Hello {
  return {
    agentVersion: h.agentVersion,
    engine: encodeEngine(h.engine),
    capabilities: [...h.capabilities],
    effectiveConfigHash: h.effectiveHash ?? '',
    rejectedConfigHash: h.rejectedHash ?? '',
    ledgerOpen: h.ledgerOpen.map(encodeCommandResult),
    protocol: h.protocol,
    labels: { ...h.labels },
    publicAddresses: [...h.publicAddresses],
    logTail: h.logTail.map(encodeLogLine),
  };
}

function decodeHello(h: Hello): AgentHello {
  return {
    agentVersion: w.text(h.agentVersion, 'hello.agent_version', w.LONGEST.word),
    engine: decodeEngine(h.engine, 'hello.engine'),
    capabilities: w
      .bounded(h.capabilities, 256, 'hello.capabilities')
      .map((c) => w.text(c, 'hello.capabilities', w.LONGEST.word)),
    effectiveHash: w.configHashOrNull(h.effectiveConfigHash, 'hello.effective_config_hash'),
    rejectedHash: w.configHashOrNull(h.rejectedConfigHash, 'hello.rejected_config_hash'),
    ledgerOpen: w
      .bounded(h.ledgerOpen, 256, 'hello.ledger_open')
      .map((r) => decodeCommandResult(r, 'hello.ledger_open')),
    protocol: h.protocol,
    labels: w.labels(h.labels, 'hello.labels'),
    publicAddresses: w
      .bounded(h.publicAddresses, 64, 'hello.public_addresses')
      .map((a) => w.text(a, 'hello.public_addresses', w.LONGEST.word)),
    logTail: w.bounded(h.logTail, 512, 'hello.log_tail').map((l) => decodeLogLine(l, 'hello.log_tail')),
  };
}

function encodeStatus(r: ConfigStatusReport): RemoteConfigStatus {
  const base = {
    responseNonce: w.unhex(r.nonce),
    effectiveConfigHash: r.effectiveHash ?? '',
    engine: encodeEngine(r.engine),
    warnings: r.warnings.map((t) => w.head(t, w.LONGEST.line)),
    phase: WirePhase.UNSPECIFIED,
    rejectedConfigHash: '',
    reverted: false,
    errorDetail: undefined,
    logTail: '',
  };
  switch (r.status) {
    case 'applying':
      return { ...base, status: ConfigStatus.APPLYING, phase: PHASE.write(r.phase) };
    case 'applied':
      return { ...base, status: ConfigStatus.APPLIED };
    case 'failed':
      return {
        ...base,
        status: ConfigStatus.FAILED,
        phase: PHASE.write(r.phase),
        rejectedConfigHash: r.rejectedHash,
        reverted: r.reverted,
        errorDetail: encodeRefusal(r.refusal),
        logTail: w.tail(r.logTail),
      };
  }
}

function decodeStatus(s: RemoteConfigStatus): ConfigStatusReport {
  const base = {
    nonce: w.hex(s.responseNonce, 'config_status.response_nonce'),
    effectiveHash: w.configHashOrNull(s.effectiveConfigHash, 'config_status.effective_config_hash'),
    engine: decodeEngine(s.engine, 'config_status.engine'),
    warnings: w
      .bounded(s.warnings, 64, 'config_status.warnings')
      .map((t) => w.text(t, 'config_status.warnings', w.LONGEST.line)),
  };
  switch (s.status) {
    case ConfigStatus.APPLYING:
      return { ...base, status: 'applying', phase: PHASE.read(s.phase, 'config_status.phase') };
    case ConfigStatus.APPLIED:
      return { ...base, status: 'applied' };
    case ConfigStatus.FAILED:
      return {
        ...base,
        status: 'failed',
        phase: PHASE.read(s.phase, 'config_status.phase'),
        rejectedHash: w.configHash(s.rejectedConfigHash, 'config_status.rejected_config_hash'),
        reverted: s.reverted,
        refusal: decodeRefusal(w.present(s.errorDetail, 'config_status.error_detail'), 'error_detail'),
        logTail: w.text(s.logTail, 'config_status.log_tail', w.LONGEST.tail),
      };
    default:
      throw w.invalid('config_status.status', `unknown value ${s.status}`);
  }
}

function bigOut(value: number | null | undefined, field: string): bigint | undefined {
  return value === null || value === undefined ? undefined : w.big(value, field);
}

function intOrNull(value: bigint | undefined, field: string): number | null {
  return value === undefined ? null : w.int(value, field);
}

function encodeMetrics(r: MetricsReport): Metrics {
  return {
    engineInstance: r.engineInstance,
    from: w.stamp(r.from),
    sliceMs: w.whole(r.sliceMs, 'metrics.slice_ms'),
    services: r.services.map((s) => ({
      service: s.service,
      streams: w.whole(s.streams, 'metrics.streams'),
      opened: w.big(s.opened, 'metrics.opened'),
      closed: w.big(s.closed, 'metrics.closed'),
      errors: w.big(s.errors, 'metrics.errors'),
      abortedClient: w.big(s.abortedClient, 'metrics.aborted_client'),
      abortedOrigin: w.big(s.abortedOrigin, 'metrics.aborted_origin'),
      abortedTunnel: w.big(s.abortedTunnel, 'metrics.aborted_tunnel'),
      bytesIn: w.big(s.bytesIn, 'metrics.bytes_in'),
      bytesOut: w.big(s.bytesOut, 'metrics.bytes_out'),
      requests: w.big(s.requests, 'metrics.requests'),
      connect: encodeHistogram(s.connect),
      ttft: encodeHistogram(s.ttft),
      gap: encodeHistogram(s.gap),
    })),
    host: {
      cpuPct: w.figureOut(r.host.cpuPct),
      memPct: w.figureOut(r.host.memPct),
      openFiles: w.wholeOut(r.host.openFiles, 'metrics.open_files'),
      diskFreeBytes: bigOut(r.host.diskFreeBytes, 'metrics.disk_free_bytes'),
      openFilesLimit: bigOut(r.host.openFilesLimit, 'metrics.open_files_limit'),
      diskBytes: bigOut(r.host.diskBytes, 'metrics.disk_bytes'),
      netInBytes: bigOut(r.host.netInBytes, 'metrics.net_in_bytes'),
      netOutBytes: bigOut(r.host.netOutBytes, 'metrics.net_out_bytes'),
    },
    log: r.log.map(encodeLogLine),
  };
}

function decodeMetrics(m: Metrics): MetricsReport {
  return {
    engineInstance: w.text(m.engineInstance, 'metrics.engine_instance', w.LONGEST.word),
    from: w.millis(m.from, 'metrics.from'),
    sliceMs: m.sliceMs,
    services: w.bounded(m.services, 256, 'metrics.services').map((s) => ({
      service: w.text(s.service, 'metrics.service', w.LONGEST.word),
      streams: s.streams,
      opened: w.int(s.opened, 'metrics.opened'),
      closed: w.int(s.closed, 'metrics.closed'),
      errors: w.int(s.errors, 'metrics.errors'),
      abortedClient: w.int(s.abortedClient, 'metrics.aborted_client'),
      abortedOrigin: w.int(s.abortedOrigin, 'metrics.aborted_origin'),
      abortedTunnel: w.int(s.abortedTunnel, 'metrics.aborted_tunnel'),
      bytesIn: w.int(s.bytesIn, 'metrics.bytes_in'),
      bytesOut: w.int(s.bytesOut, 'metrics.bytes_out'),
      requests: w.int(s.requests, 'metrics.requests'),
      connect: decodeHistogram(s.connect, 'metrics.connect'),
      ttft: decodeHistogram(s.ttft, 'metrics.ttft'),
      gap: decodeHistogram(s.gap, 'metrics.gap'),
    })),
    host: {
      cpuPct: w.figure(m.host?.cpuPct, 'metrics.cpu_pct'),
      memPct: w.figure(m.host?.memPct, 'metrics.mem_pct'),
      openFiles: w.figure(m.host?.openFiles, 'metrics.open_files'),
      diskFreeBytes: intOrNull(m.host?.diskFreeBytes, 'metrics.disk_free_bytes'),
      openFilesLimit: intOrNull(m.host?.openFilesLimit, 'metrics.open_files_limit'),
      diskBytes: intOrNull(m.host?.diskBytes, 'metrics.disk_bytes'),
      netInBytes: intOrNull(m.host?.netInBytes, 'metrics.net_in_bytes'),
      netOutBytes: intOrNull(m.host?.netOutBytes, 'metrics.net_out_bytes'),
    },
    log: w.bounded(m.log, 512, 'metrics.log').map((l) => decodeLogLine(l, 'metrics.log')),
  };
}

/** What a joiner says. The name and the rest are checked where the token is. */
export interface EnrolArgs {
  readonly tokenId: string;
  readonly tokenSecret: string;
  readonly csrDer: Uint8Array;
  readonly name: string;
  readonly nodeType: string;
  readonly region: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
}

export function encodeEnrol(a: EnrolArgs): EnrollRequest {
  return {
    tokenId: a.tokenId,
    tokenSecret: a.tokenSecret,
    csrDer: w.buffer(a.csrDer),
    name: a.name,
    nodeType: a.nodeType,
    region: a.region,
    labels: { ...a.labels },
    version: a.agentVersion,
  };
}

export function decodeEnrol(m: EnrollRequest): EnrolArgs {
  return {
    tokenId: w.required(m.tokenId, 'token_id'),
    tokenSecret: w.required(m.tokenSecret, 'token_secret'),
    csrDer: w.bytes(m.csrDer, 'csr_der', MOST_DER),
    name: w.required(m.name, 'name'),
    nodeType: w.required(m.nodeType, 'node_type'),
    region: w.required(m.region, 'region'),
    labels: w.labels(m.labels, 'labels'),
    agentVersion: w.text(m.version, 'version', w.LONGEST.word),
  };
}
