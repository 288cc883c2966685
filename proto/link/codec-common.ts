import {
  type CommandResult as WireCommandResult,
  CommandState as WireCommandState,
  type Drain as WireDrain,
  type Engine as WireEngine,
  type ErrorDetail as WireErrorDetail,
  type Histogram as WireHistogram,
} from '../gen/aicdn/v1/common.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import type { CommandResult, CommandState } from '../vocab/command.ts';
import type { CommandId } from '../vocab/ids.ts';
import { BUCKETS_MS, type LogLine, type SparseHistogram } from '../vocab/metrics.ts';
import type { DrainView, EngineInfo, Refusal } from '../vocab/node.ts';
import * as w from './wire.ts';

// What both conversations, the agent's and the console's, say alike.

const MOST_LISTENERS = 256;
const MOST_WORKERS = 64;
const ENGINE_KINDS = ['embedded', 'gost'] as const;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export function encodeEngine(e: EngineInfo | null): WireEngine | undefined {
  if (!e) return undefined;
  return {
    kind: e.kind,
    version: e.version,
    instance: e.instance,
    generation: w.big(e.generation, 'engine.generation'),
    documentHash: e.documentHash ?? '',
    pid: w.whole(e.pid, 'engine.pid'),
    reason: w.head(e.reason, w.LONGEST.line),
    listeners: e.listeners.slice(0, MOST_LISTENERS).map((l) => ({ ...l })),
    startedAt: w.stamp(e.startedAt),
    workers: (e.workers ?? []).slice(0, MOST_WORKERS).map(({ pid, version }) => ({
      pid: w.whole(pid, 'engine.workers.pid'),
      version,
    })),
    restarts: w.whole(e.restarts ?? 0, 'engine.restarts'),
  };
}

export function decodeEngine(e: WireEngine | undefined, field: string): EngineInfo | null {
  if (!e) return null;
  return {
    kind: w.oneOf(e.kind, ENGINE_KINDS, `${field}.kind`),
    version: w.text(e.version, `${field}.version`, w.LONGEST.word),
    instance: w.text(e.instance, `${field}.instance`, w.LONGEST.word),
    generation: w.int(e.generation, `${field}.generation`),
    documentHash: w.configHashOrNull(e.documentHash, `${field}.document_hash`),
    pid: e.pid,
    reason: w.text(e.reason, `${field}.reason`, w.LONGEST.line),
    listeners: w.bounded(e.listeners, MOST_LISTENERS, `${field}.listeners`).map((l) => ({
      service: w.text(l.service, `${field}.listeners.service`, w.LONGEST.word),
      addr: w.text(l.addr, `${field}.listeners.addr`, w.LONGEST.word),
      type: w.text(l.type, `${field}.listeners.type`, w.LONGEST.word),
    })),
    startedAt: w.millis(e.startedAt, `${field}.started_at`),
    ...(e.workers.length === 0
      ? {}
      : {
          workers: w.bounded(e.workers, MOST_WORKERS, `${field}.workers`).map(({ pid, version }) => ({
            pid,
            version: w.text(version, `${field}.workers.version`, w.LONGEST.word),
          })),
          restarts: e.restarts,
        }),
  };
}

export function encodeRefusal(r: Refusal): WireErrorDetail {
  return {
    code: r.code,
    message: w.head(r.message, w.LONGEST.tail),
    line: w.whole(r.line ?? 0, 'refusal.line'),
    column: w.whole(r.column ?? 0, 'refusal.column'),
    path: w.head(r.path ?? '', w.LONGEST.line),
    hint: w.head(r.hint ?? '', w.LONGEST.line),
  };
}

/** Zero and empty are "no place". */
export function decodeRefusal(r: WireErrorDetail, field: string): Refusal {
  return {
    code: w.text(r.code, `${field}.code`, w.LONGEST.word),
    message: w.text(r.message, `${field}.message`, w.LONGEST.tail),
    ...(r.line ? { line: r.line } : {}),
    ...(r.column ? { column: r.column } : {}),
    ...(r.path ? { path: w.text(r.path, `${field}.path`, w.LONGEST.line) } : {}),
    ...(r.hint ? { hint: w.text(r.hint, `${field}.hint`, w.LONGEST.line) } : {}),
  };
}

export function encodeHistogram(h: SparseHistogram): WireHistogram {
  return {
    index: h.index.map((i) => w.whole(i, 'histogram.index')),
    count: h.count.map((n) => w.big(n, 'histogram.count')),
    sumMs: h.sumMs,
  };
}

/** Absent is empty. Indices ascend, none twice, none beyond the table. */
export function decodeHistogram(h: WireHistogram | undefined, field: string): SparseHistogram {
  if (!h) return { index: [], count: [], sumMs: 0 };
  if (h.index.length !== h.count.length) throw w.invalid(field, 'as many indices as counts are needed');
  let last = -1;
  for (const i of h.index) {
    if (i <= last || i > BUCKETS_MS.length) throw w.invalid(`${field}.index`, `no such bucket here: ${i}`);
    last = i;
  }
  return {
    index: h.index,
    count: h.count.map((n) => w.int(n, `${field}.count`)),
    sumMs: w.finite(h.sumMs, `${field}.sum_ms`),
  };
}

const COMMAND_STATE = w.enumCodec<CommandState, WireCommandState>({
  queued: WireCommandState.QUEUED,
  received: WireCommandState.RECEIVED,
  running: WireCommandState.RUNNING,
  succeeded: WireCommandState.SUCCEEDED,
  failed: WireCommandState.FAILED,
  rejected: WireCommandState.REJECTED,
  timed_out: WireCommandState.TIMED_OUT,
  cancelled: WireCommandState.CANCELLED,
  expired: WireCommandState.EXPIRED,
});

export function encodeCommandResult(r: CommandResult): WireCommandResult {
  return {
    commandId: r.commandId,
    state: COMMAND_STATE.write(r.state),
    exitCode: r.exitCode,
    outputTail: w.tail(r.outputTail),
    before: encodeEngine(r.before),
    after: encodeEngine(r.after),
    unchanged: r.unchanged,
    tookMs: w.whole(r.tookMs, 'command.took_ms'),
    streamsKept: w.whole(r.streamsKept, 'command.streams_kept'),
    streamsCut: w.whole(r.streamsCut ?? 0, 'command.streams_cut'),
    sentAt: r.sentAt === undefined ? undefined : w.stamp(r.sentAt),
  };
}

export function decodeCommandResult(r: WireCommandResult, field: string): CommandResult {
  return {
    commandId: w.required(r.commandId, `${field}.command_id`) as CommandId,
    state: COMMAND_STATE.read(r.state, `${field}.state`),
    exitCode: r.exitCode,
    outputTail: w.text(r.outputTail, `${field}.output_tail`, w.LONGEST.tail),
    before: decodeEngine(r.before, `${field}.before`),
    after: decodeEngine(r.after, `${field}.after`),
    unchanged: r.unchanged,
    tookMs: r.tookMs,
    streamsKept: r.streamsKept,
    ...(r.streamsCut > 0 ? { streamsCut: r.streamsCut } : {}),
    ...(r.sentAt ? { sentAt: w.millis(r.sentAt, `${field}.sent_at`) } : {}),
  };
}

/** Services a node may have drains of, and one of all. */
const MOST_DRAINS = 257;

export function encodeDrains(drains: readonly DrainView[]): WireDrain[] {
  return drains.slice(0, MOST_DRAINS).map((d) => ({
    service: d.service ?? '',
    streams: w.whole(d.streams, 'drain.streams'),
    oldestMs: w.big(d.oldestMs, 'drain.oldest_ms'),
    deadline: w.stamp(d.deadline),
    etaMs: d.etaMs === null ? undefined : w.big(d.etaMs, 'drain.eta_ms'),
  }));
}

export function decodeDrains(drains: readonly WireDrain[], field: string): readonly DrainView[] {
  return w.bounded(drains, MOST_DRAINS, field).map((d) => ({
    service: d.service === '' ? null : w.text(d.service, `${field}.service`, w.LONGEST.word),
    streams: d.streams,
    oldestMs: w.int(d.oldestMs, `${field}.oldest_ms`),
    deadline: w.millis(d.deadline, `${field}.deadline`),
    etaMs: d.etaMs === undefined ? null : w.int(d.etaMs, `${field}.eta_ms`),
  }));
}

/** Console and agent have a message each for a log line, alike in shape. */
interface WireLogLine {
  at: Timestamp | undefined;
  level: string;
  text: string;
}

export function encodeLogLine(l: LogLine): WireLogLine {
  return { at: w.stamp(l.at), level: l.level, text: w.head(l.text, w.LONGEST.line) };
}

export function decodeLogLine(l: WireLogLine, field: string): LogLine {
  return {
    at: w.millis(l.at, `${field}.at`),
    level: w.oneOf(l.level, LEVELS, `${field}.level`),
    text: w.text(l.text, `${field}.text`, w.LONGEST.line),
  };
}
