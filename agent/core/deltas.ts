import type { ServiceSlice, SparseHistogram } from '../../proto/vocab/metrics.ts';

/** An engine's counters since its start; `streams` is the count now. */
export interface Counters {
  readonly instance: string;
  readonly services: readonly ServiceSlice[];
}

/**
 * What happened between two readings. Another instance has counted from 0. Without an earlier reading nothing is known
 * but the streams now: the engine may be a month old.
 */
export function deltas(before: Counters | null, after: Counters): readonly ServiceSlice[] {
  const base = new Map(
    before?.instance === after.instance ? before.services.map((s) => [s.service, s] as const) : [],
  );
  return after.services.map((s) => since(before === null ? s : base.get(s.service), s));
}

function since(base: ServiceSlice | undefined, s: ServiceSlice): ServiceSlice {
  const d = (key: Counter): number => Math.max(0, s[key] - (base?.[key] ?? 0));
  return {
    service: s.service,
    streams: s.streams,
    opened: d('opened'),
    closed: d('closed'),
    errors: d('errors'),
    abortedClient: d('abortedClient'),
    abortedOrigin: d('abortedOrigin'),
    abortedTunnel: d('abortedTunnel'),
    bytesIn: d('bytesIn'),
    bytesOut: d('bytesOut'),
    requests: d('requests'),
    connect: histogramSince(base?.connect, s.connect),
    ttft: histogramSince(base?.ttft, s.ttft),
    gap: histogramSince(base?.gap, s.gap),
  };
}

type Counter = {
  [K in keyof ServiceSlice]: K extends 'streams' ? never : ServiceSlice[K] extends number ? K : never;
}[keyof ServiceSlice];

function histogramSince(base: SparseHistogram | undefined, h: SparseHistogram): SparseHistogram {
  const earlier = new Map(base?.index.map((i, at) => [i, base.count[at] ?? 0] as const) ?? []);
  const index: number[] = [];
  const count: number[] = [];
  h.index.forEach((bucket, at) => {
    const n = (h.count[at] ?? 0) - (earlier.get(bucket) ?? 0);
    if (n <= 0) return;
    index.push(bucket);
    count.push(n);
  });
  return { index, count, sumMs: Math.max(0, h.sumMs - (base?.sumMs ?? 0)) };
}
