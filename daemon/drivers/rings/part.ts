import { Histogram, type ServiceSlice } from '../../../proto/vocab/metrics.ts';

/** What is only ever added up, in the order in which it is packed. */
export const COUNTS = [
  'requests',
  'errors',
  'abortedClient',
  'abortedOrigin',
  'abortedTunnel',
  'bytesIn',
  'bytesOut',
  'opened',
  'closed',
] as const satisfies readonly (keyof ServiceSlice)[];
type Count = (typeof COUNTS)[number];

export const HISTOGRAMS = ['connect', 'ttft', 'gap'] as const satisfies readonly (keyof ServiceSlice)[];

/** A sum of slices: of one service, of several, of a node or of many nodes. */
export interface Part extends Record<Count, number> {
  /** Of a node: when it was read last. Of a group: the mean over the time. */
  streams: number;
  readonly connect: Histogram;
  readonly ttft: Histogram;
  readonly gap: Histogram;
}

export function newPart(): Part {
  return {
    requests: 0,
    errors: 0,
    abortedClient: 0,
    abortedOrigin: 0,
    abortedTunnel: 0,
    bytesIn: 0,
    bytesOut: 0,
    opened: 0,
    closed: 0,
    streams: 0,
    connect: new Histogram(),
    ttft: new Histogram(),
    gap: new Histogram(),
  };
}

/** Adds a slice; `streams` is left to the caller, as it is no sum over time. */
export function addSlice(p: Part, s: ServiceSlice): void {
  // By name, as is all that comes with each report: by a list of names each of them is looked up anew.
  p.requests += s.requests;
  p.errors += s.errors;
  p.abortedClient += s.abortedClient;
  p.abortedOrigin += s.abortedOrigin;
  p.abortedTunnel += s.abortedTunnel;
  p.bytesIn += s.bytesIn;
  p.bytesOut += s.bytesOut;
  p.opened += s.opened;
  p.closed += s.closed;
  p.connect.merge(s.connect);
  p.ttft.merge(s.ttft);
  p.gap.merge(s.gap);
}

export function addPart(p: Part, other: Part): void {
  for (const c of COUNTS) p[c] += other[c];
  p.streams += other.streams;
  for (const h of HISTOGRAMS) addHistogram(p[h], other[h]);
}

function addHistogram(into: Histogram, h: Histogram): void {
  for (let i = 0; i < h.counts.length; i++) into.counts[i] = (into.counts[i] ?? 0) + (h.counts[i] ?? 0);
  into.total += h.total;
  into.sumMs += h.sumMs;
}
