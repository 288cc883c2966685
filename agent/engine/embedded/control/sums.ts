import { Histogram, type SparseHistogram } from '../../../../proto/vocab/metrics.ts';
import type { ServiceStats } from '../../port.ts';
import type { Streams } from '../data/messages.ts';

type Stats = readonly ServiceStats[];

/** Services by name, in the order they first appear; every figure added. */
export function sumStats(parts: readonly Stats[]): Stats {
  const byName = new Map<string, ServiceStats[]>();
  for (const s of parts.flat()) {
    const same = byName.get(s.service);
    if (same === undefined) byName.set(s.service, [s]);
    else same.push(s);
  }
  return [...byName.values()].map((same) => same.reduce(add));
}

/** The figures a dead worker leaves behind: the streams it had were cut. */
export function bury(stats: Stats): Stats {
  return stats.map((s) => ({
    ...s,
    streams: 0,
    closed: s.opened,
    abortedTunnel: s.abortedTunnel + s.streams,
  }));
}

/** Of two accounts of one process, service by service the later one: figures only grow. */
export function later(a: Stats, b: Stats): Stats {
  const newest = new Map<string, ServiceStats>();
  for (const s of [...a, ...b]) {
    const other = newest.get(s.service);
    if (other === undefined || ageOf(other) < ageOf(s)) newest.set(s.service, s);
  }
  return [...newest.values()];
}

function ageOf(s: ServiceStats): number {
  const streams = s.opened + s.closed + s.errors + s.abortedClient + s.abortedOrigin + s.abortedTunnel;
  return streams + s.requests + s.bytesIn + s.bytesOut;
}

function add(a: ServiceStats, b: ServiceStats): ServiceStats {
  return {
    service: a.service,
    streams: a.streams + b.streams,
    opened: a.opened + b.opened,
    closed: a.closed + b.closed,
    errors: a.errors + b.errors,
    abortedClient: a.abortedClient + b.abortedClient,
    abortedOrigin: a.abortedOrigin + b.abortedOrigin,
    abortedTunnel: a.abortedTunnel + b.abortedTunnel,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    requests: a.requests + b.requests,
    connect: merge(a.connect, b.connect),
    ttft: merge(a.ttft, b.ttft),
    gap: merge(a.gap, b.gap),
  };
}

function merge(a: SparseHistogram, b: SparseHistogram): SparseHistogram {
  const sum = new Histogram();
  sum.merge(a);
  sum.merge(b);
  return sum.toSparse();
}

/** Streams of one name together; the oldest of all is the oldest. */
export function addStreams(all: readonly Streams[]): Streams['services'] {
  const sums = new Map<string, { service: string; streams: number; oldestMs: number }>();
  for (const s of all.flatMap((a) => a.services)) {
    const sum = sums.get(s.service) ?? { service: s.service, streams: 0, oldestMs: 0 };
    sums.set(s.service, {
      ...sum,
      streams: sum.streams + s.streams,
      oldestMs: Math.max(sum.oldestMs, s.oldestMs),
    });
  }
  return [...sums.values()];
}
