import { Histogram, type MetricsReport, type ServiceSlice } from '../../proto/vocab/metrics.ts';

// Believable figures of LLM streams, the same for the same seed.

/** A sequence of numbers in [0, 1), the same for the same seed [mulberry32]. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Log-normal around `median`: what latencies look like. `spread` 0.5 is a p99 of about 3.2 medians. */
export function latency(random: () => number, median: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(spread * normal);
}

export interface Samples {
  readonly connect: readonly number[];
  readonly ttft: readonly number[];
  readonly gap: readonly number[];
}

const none: Samples = { connect: [], ttft: [], gap: [] };

/** A slice of these samples; requests are its TTFTs where not given otherwise. */
export function sliceOf(
  service: string,
  samples: Partial<Samples>,
  over: Partial<ServiceSlice> = {},
): ServiceSlice {
  const of = (values: readonly number[]) => {
    const h = new Histogram();
    for (const v of values) h.observe(v);
    return h.toSparse();
  };
  const { connect, ttft, gap } = { ...none, ...samples };
  return {
    service,
    streams: 0,
    opened: 0,
    closed: 0,
    errors: 0,
    abortedClient: 0,
    abortedOrigin: 0,
    abortedTunnel: 0,
    bytesIn: 0,
    bytesOut: 0,
    requests: ttft.length,
    connect: of(connect),
    ttft: of(ttft),
    gap: of(gap),
    ...over,
  };
}

export function reportOf(services: readonly ServiceSlice[], sliceMs = 10_000): MetricsReport {
  const host = { cpuPct: 21.5, memPct: 34, openFiles: 812, diskFreeBytes: 64e9 };
  return { engineInstance: 'e', from: 0, sliceMs, services, host, log: [] };
}

/** Ten seconds of a busy service: 5 requests a second, 40 chunks an answer. */
export function busySlice(service: string, random: () => number): ServiceSlice {
  const many = (n: number, median: number, spread: number) =>
    Array.from({ length: n }, () => latency(random, median, spread));
  const samples = { connect: many(10, 18, 0.5), ttft: many(50, 420, 0.6), gap: many(2000, 24, 0.7) };
  return sliceOf(service, samples, {
    streams: Math.round(60 + 30 * random()),
    opened: 10,
    closed: 9,
    errors: Math.round(2 * random()),
    abortedClient: Math.round(3 * random()),
    bytesIn: Math.round(4e5 * random()),
    bytesOut: Math.round(9e6 * random()),
  });
}
