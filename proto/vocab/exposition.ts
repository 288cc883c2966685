import { BUCKETS_MS, type Histogram, type HostFigures, type Totals } from './metrics.ts';
import type { EngineInfo } from './node.ts';

// What Prometheus reads, by name: the master, of the fleet and of each node, and an agent, of its own, say the same words.

export type Labels = Readonly<Record<string, string>>;
export interface Sample {
  /** Behind the family's name: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
  readonly labels: Labels;
  readonly value: number;
}
export interface Family {
  /** With its prefix. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

/** `labels` tell them apart: a region's and a type's, or none for one node. */
export interface Counted {
  readonly labels: Labels;
  readonly all: Pick<HistogramSums, 'connect' | 'ttft' | 'gap'>;
  readonly services: ReadonlyMap<string, Totals>;
}
interface HistogramSums {
  readonly connect: Histogram;
  readonly ttft: Histogram;
  readonly gap: Histogram;
}

export const PREFIX = 'ai_cdn_';
const COUNTERS = [
  ['requests_total', 'Requests that were answered.', 'requests'],
  ['request_errors_total', 'Requests and connections that were refused or failed.', 'errors'],
  ['streams_opened_total', 'Streams that began.', 'opened'],
  ['streams_closed_total', 'Streams that are over.', 'closed'],
  ['received_bytes_total', 'Bytes from clients.', 'bytesIn'],
  ['sent_bytes_total', 'Bytes to clients.', 'bytesOut'],
] as const satisfies readonly (readonly [string, string, keyof Totals])[];
const ABORTED = [
  ['client', 'abortedClient'],
  ['origin', 'abortedOrigin'],
  ['tunnel', 'abortedTunnel'],
] as const satisfies readonly (readonly [string, keyof Totals])[];
const HISTOGRAMS = [
  ['connect_seconds', 'Client accepted to tunnel up.', 'connect'],
  // The name that dashboards of before know.
  [
    'request_duration_seconds',
    'The samples of connect_seconds once more: once a stream, no whole request. How long an answer takes is in ttft_seconds and chunk_gap_seconds.',
    'connect',
  ],
  ['ttft_seconds', 'Last byte of a request to the first token of its answer.', 'ttft'],
  ['chunk_gap_seconds', 'Between two chunks of an answer.', 'gap'],
] as const satisfies readonly (readonly [string, string, keyof HistogramSums])[];

/** Counters by service, and the merged buckets themselves. They only grow while who counts them lives. */
export function countedFamilies(all: readonly Counted[]): readonly Family[] {
  const perService = (value: (t: Totals) => number, more: Labels = {}): Sample[] =>
    all.flatMap(({ labels, services }) =>
      [...services].map(([service, t]) => ({ labels: { ...labels, service, ...more }, value: value(t) })),
    );
  return [
    ...COUNTERS.map(([name, help, of]) =>
      family(
        name,
        'counter',
        help,
        perService((t) => t[of]),
      ),
    ),
    family(
      'streams_aborted_total',
      'counter',
      'Streams that were broken off, by whose doing.',
      ABORTED.flatMap(([by, of]) => perService((t) => t[of], { by })),
    ),
    ...HISTOGRAMS.map(([name, help, of]) =>
      family(
        name,
        'histogram',
        help,
        all.flatMap((c) => histogramSamples(c.labels, c.all[of])),
      ),
    ),
  ];
}

/** Of one node's host; what cannot be read is absent. */
export function hostFamilies(host: HostFigures): readonly Family[] {
  const ratio = (pct: number | null): number | null => pct && pct / 100;
  return [
    one('host_cpu_ratio', 'Processor time in use, of all processors.', ratio(host.cpuPct)),
    one('host_memory_ratio', 'Memory in use.', ratio(host.memPct)),
    one('open_fds', 'Open files of agent, engine and its workers.', host.openFiles),
    one('max_fds', 'Limit of open files of the same processes together.', host.openFilesLimit),
    one('host_disk_free_bytes', 'Free where the agent keeps its state.', host.diskFreeBytes),
    one('host_disk_bytes', 'Size of that disk.', host.diskBytes),
  ].flat();
}

/** Of the engine beside an agent. */
export function engineFamilies(e: Pick<EngineInfo, 'startedAt' | 'workers' | 'restarts'>): readonly Family[] {
  const at = (value: number): readonly Sample[] => [{ labels: {}, value }];
  return [
    family('engine_start_time_seconds', 'gauge', 'When the engine was started.', at(e.startedAt / 1000)),
    ...(e.workers
      ? [family('engine_workers', 'gauge', 'Processes that carry streams.', at(e.workers.length))]
      : []),
    ...(e.restarts === undefined
      ? []
      : [
          family(
            'engine_worker_restarts_total',
            'counter',
            'Workers that died and were replaced.',
            at(e.restarts),
          ),
        ]),
  ];
}

export function family(name: string, type: Family['type'], help: string, samples: readonly Sample[]): Family {
  return { name: `${PREFIX}${name}`, help, type, samples };
}

/** One gauge without labels; none at all where the value is not known. */
export function one(
  name: string,
  help: string,
  value: number | null | undefined,
  labels: Labels = {},
): readonly Family[] {
  return value === null || value === undefined ? [] : [family(name, 'gauge', help, [{ labels, value }])];
}

/** All buckets, each with those below it, also those that nothing is in: what begins later looks like a burst. */
function histogramSamples(labels: Labels, h: Histogram): Sample[] {
  let below = 0;
  const buckets = BOUNDS.map((le, i): Sample => {
    below += h.counts[i] ?? 0;
    return { suffix: '_bucket', labels: { ...labels, le }, value: below };
  });
  return [
    ...buckets,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: h.total },
    { suffix: '_sum', labels, value: h.sumMs / 1000 },
    { suffix: '_count', labels, value: h.total },
  ];
}

/** In seconds, as short as they can be told apart. */
const BOUNDS: readonly string[] = BUCKETS_MS.map((ms) => String(Number((ms / 1000).toPrecision(6))));
