import { LogLine as WireLogLine } from '../gen/aicdn/v1/agent.ts';
import type { Millis } from '../vocab/ids.ts';
import {
  BUCKETS_MS,
  type HostFigures,
  type LogLine,
  type MetricsReport,
  type ServiceSlice,
  type SparseHistogram,
} from '../vocab/metrics.ts';
import { decodeLogLine } from './codec-common.ts';
import type { FastReader } from './fast-reader.ts';
import * as w from './wire.ts';

// aicdn.v1.Metrics from the wire into our words in one go: tags are field << 3 | wire type. What is refused is what
// `decodeUp` refuses.

const MOST_SERVICES = 256;
const MOST_LOG = 512;

/** Of the report before of the same agent: its names are most likely the same. */
export interface KnownNames {
  engineInstance: string;
  readonly services: string[];
}

/** @param known brought up to date */
export function readMetrics(r: FastReader, end: number, known: KnownNames): MetricsReport {
  let engineInstance = '';
  let from: Millis | null = null;
  let sliceMs = 0;
  const services: ServiceSlice[] = [];
  let host = NO_HOST;
  const log: LogLine[] = [];
  while (r.more(end)) {
    const tag = r.tag();
    switch (tag) {
      case 10:
        engineInstance = word(r, known.engineInstance, 'metrics.engine_instance');
        break;
      case 18:
        from = r.millis('metrics.from');
        break;
      case 24:
        sliceMs = r.uint32();
        break;
      case 34:
        services.push(readService(r, r.end(), known.services[services.length]));
        break;
      case 42:
        host = readHost(r, r.end());
        break;
      case 50:
        log.push(readLine(r, r.end()));
        break;
      default:
        r.skip(tag);
    }
  }
  if (from === null) throw w.invalid('metrics.from', 'is missing');
  w.bounded(services, MOST_SERVICES, 'metrics.services');
  w.bounded(log, MOST_LOG, 'metrics.log');
  known.engineInstance = engineInstance;
  known.services.length = services.length;
  services.forEach(({ service }, i) => {
    if (known.services[i] !== service) known.services[i] = service;
  });
  return { engineInstance, from, sliceMs, services, host, log };
}

function word(r: FastReader, known: string | undefined, field: string): string {
  return w.text(r.text(known), field, w.LONGEST.word);
}

function readService(r: FastReader, end: number, known: string | undefined): ServiceSlice {
  let service = '';
  let streams = 0;
  let opened = 0;
  let closed = 0;
  let errors = 0;
  let abortedClient = 0;
  let abortedOrigin = 0;
  let abortedTunnel = 0;
  let bytesIn = 0;
  let bytesOut = 0;
  let requests = 0;
  let connect = EMPTY;
  let ttft = EMPTY;
  let gap = EMPTY;
  while (r.more(end)) {
    const tag = r.tag();
    switch (tag) {
      case 10:
        service = word(r, known, 'metrics.service');
        break;
      case 16:
        streams = r.uint32();
        break;
      case 24:
        opened = r.count('metrics.opened');
        break;
      case 32:
        closed = r.count('metrics.closed');
        break;
      case 40:
        errors = r.count('metrics.errors');
        break;
      case 48:
        abortedClient = r.count('metrics.aborted_client');
        break;
      case 56:
        abortedOrigin = r.count('metrics.aborted_origin');
        break;
      case 64:
        abortedTunnel = r.count('metrics.aborted_tunnel');
        break;
      case 72:
        bytesIn = r.count('metrics.bytes_in');
        break;
      case 80:
        bytesOut = r.count('metrics.bytes_out');
        break;
      case 88:
        requests = r.count('metrics.requests');
        break;
      case 98:
        connect = readHistogram(r, r.end(), 'metrics.connect');
        break;
      case 106:
        ttft = readHistogram(r, r.end(), 'metrics.ttft');
        break;
      case 114:
        gap = readHistogram(r, r.end(), 'metrics.gap');
        break;
      default:
        r.skip(tag);
    }
  }
  return {
    service,
    streams,
    opened,
    closed,
    errors,
    abortedClient,
    abortedOrigin,
    abortedTunnel,
    bytesIn,
    bytesOut,
    requests,
    connect,
    ttft,
    gap,
  };
}

const EMPTY: SparseHistogram = { index: [], count: [], sumMs: 0 };

/** Behind those of before. Lists made as long as they get: six of each service, each report. @param count as of `count`; `null`: uint32 */
function packed(r: FastReader, before: readonly number[], count: string | null): number[] {
  const end = r.end();
  const list = new Array<number>(before.length + r.numbers(end));
  let at = 0;
  for (const n of before) list[at++] = n;
  while (r.more(end)) list[at++] = count === null ? r.uint32() : r.count(count);
  return list;
}

/** Indices ascend, none twice, none beyond the table; both lists packed, as every writer of today does, or one by one. */
function readHistogram(r: FastReader, end: number, field: string): SparseHistogram {
  let index: number[] = [];
  let count: number[] = [];
  let sumMs = 0;
  while (r.more(end)) {
    const tag = r.tag();
    switch (tag) {
      case 10:
        index = packed(r, index, null);
        break;
      case 8:
        index.push(r.uint32());
        break;
      case 18:
        count = packed(r, count, field);
        break;
      case 16:
        count.push(r.count(field));
        break;
      case 25:
        sumMs = r.double();
        break;
      default:
        r.skip(tag);
    }
  }
  if (index.length !== count.length) throw w.invalid(field, 'as many indices as counts are needed');
  let last = -1;
  for (const i of index) {
    if (i <= last || i > BUCKETS_MS.length) throw w.invalid(`${field}.index`, `no such bucket here: ${i}`);
    last = i;
  }
  return { index, count, sumMs: w.finite(sumMs, `${field}.sum_ms`) };
}

const NO_HOST: HostFigures = {
  cpuPct: null,
  memPct: null,
  openFiles: null,
  diskFreeBytes: null,
  openFilesLimit: null,
  diskBytes: null,
  netInBytes: null,
  netOutBytes: null,
};

function readHost(r: FastReader, end: number): HostFigures {
  let { cpuPct, memPct, openFiles, diskFreeBytes } = NO_HOST;
  let openFilesLimit: number | null = null;
  let diskBytes: number | null = null;
  let netInBytes: number | null = null;
  let netOutBytes: number | null = null;
  while (r.more(end)) {
    const tag = r.tag();
    switch (tag) {
      case 13:
        cpuPct = w.finite(r.float(), 'metrics.cpu_pct');
        break;
      case 21:
        memPct = w.finite(r.float(), 'metrics.mem_pct');
        break;
      case 24:
        openFiles = r.uint32();
        break;
      case 32:
        diskFreeBytes = r.count('metrics.disk_free_bytes');
        break;
      case 40:
        openFilesLimit = r.count('metrics.open_files_limit');
        break;
      case 48:
        diskBytes = r.count('metrics.disk_bytes');
        break;
      case 56:
        netInBytes = r.count('metrics.net_in_bytes');
        break;
      case 64:
        netOutBytes = r.count('metrics.net_out_bytes');
        break;
      default:
        r.skip(tag);
    }
  }
  return {
    cpuPct,
    memPct,
    openFiles,
    diskFreeBytes,
    openFilesLimit,
    diskBytes,
    netInBytes,
    netOutBytes,
  };
}

function readLine(r: FastReader, end: number): LogLine {
  const line = decodeLogLine(WireLogLine.decode(r.slice(r.at, end)), 'metrics.log');
  r.skipTo(end);
  return line;
}
