import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import {
  Histogram,
  type LogLine,
  type MetricsReport,
  type MetricsWindow,
  type ServiceSlice,
  type SparseHistogram,
} from '../../proto/vocab/metrics.ts';
import type { RegionVitals } from '../../proto/vocab/node.ts';
import type { ServiceWindow } from '../../proto/vocab/node-detail.ts';
import type { FigureGroup, MergedFigures, MetricsRings, NodeFigures } from '../service/ports.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** What a live list may show: an older figure is no figure. */
const STALE_MS = MINUTE;
/** Figures are over three reports, but at least this long and at most a minute: a change shows within seconds. */
const SHORTEST_WINDOW = 10 * SECOND;
/** Reports are kept apart so long; older ones as minutes. */
const SLICES_MS = 6 * MINUTE;
const MINUTES = 60;
const SPARK_MINUTES = 10;
const REGION_MINUTES = 30;
const MOST_LOG = 300;

interface Slice {
  readonly at: Millis;
  readonly ms: number;
  readonly services: readonly ServiceSlice[];
}

/** One minute of a node, all services together. Histograms are packed: bucket in the upper 8 bits, count below. */
interface Minute {
  readonly minute: number;
  readonly ttft: Uint32Array;
  readonly connect: Uint32Array;
  readonly gap: Uint32Array;
  readonly requests: number;
  readonly errors: number;
  /** By origin or tunnel. */
  readonly aborted: number;
  readonly streams: number;
  readonly cpuPct: number | null;
}

interface Totals {
  requests: number;
  errors: number;
  abortedClient: number;
  abortedOrigin: number;
  abortedTunnel: number;
  readonly ttft: Histogram;
  readonly connect: Histogram;
  readonly gap: Histogram;
}

interface NodeRing {
  slices: Slice[];
  minutes: Minute[];
  lastAt: Millis;
  host: MetricsReport['host'];
  log: LogLine[];
}

/** Figures of every node, in memory: the last minute in slices, the last hour in minutes. Never journalled. */
export function createRings(): MetricsRings {
  const rings = new Map<NodeName, NodeRing>();
  const minutes = new GroupMinutes();
  const ring = (name: NodeName): NodeRing => {
    let r = rings.get(name);
    if (!r) {
      r = {
        slices: [],
        minutes: [],
        lastAt: 0,
        host: { cpuPct: null, memPct: null, openFiles: null, diskFreeBytes: null },
        log: [],
      };
      rings.set(name, r);
    }
    return r;
  };
  const live = (name: NodeName, now: Millis): NodeRing | null => {
    const r = rings.get(name);
    return r && r.slices.length > 0 && now - r.lastAt <= STALE_MS ? r : null;
  };

  return {
    take(name, report, at) {
      const r = ring(name);
      r.slices.push({ at, ms: report.sliceMs, services: report.services });
      r.slices = r.slices.filter((s) => at - s.at < SLICES_MS);
      r.lastAt = at;
      r.host = report.host;
      addToMinute(r, report, at);
    },

    figures(name, now) {
      const r = live(name, now);
      return r ? figuresOf(r, now) : null;
    },

    series(name, now) {
      return seriesOf(rings.get(name)?.minutes ?? [], now);
    },

    services(name, now) {
      const r = live(name, now);
      return r ? servicesOf(r, now) : [];
    },

    log: (name, max) => rings.get(name)?.log.slice(-max) ?? [],

    addLog(name, lines) {
      if (lines.length === 0) return;
      const r = ring(name);
      r.log = [...r.log, ...lines].slice(-MOST_LOG);
    },

    merged(names, now) {
      const all = totals();
      const connect = new Histogram();
      let streams = 0;
      let rps: number | null = null;
      for (const name of names) {
        const r = live(name, now);
        if (!r) continue;
        const { slices, seconds } = windowOf(r, now);
        const before = all.requests;
        for (const s of slices) for (const x of s.services) add(all, x);
        mergeConnect(connect, r, now);
        streams += streamsOf(r);
        if (seconds > 0) rps = (rps ?? 0) + (all.requests - before) / seconds;
      }
      const p99Ms = whole(connect.quantile(0.99));
      return { streams, rps, ...percentiles(all), p99Ms } satisfies MergedFigures;
    },

    window(name, since, until) {
      const r = rings.get(name);
      return r ? windowBetween(r, since, until) : null;
    },

    regions(groups, now) {
      return groups.map((g) => {
        const members = g.names.flatMap((n) => rings.get(n) ?? []);
        const known = members.filter((r) => r.slices.length > 0 && now - r.lastAt <= STALE_MS);
        return regionOf(g, known, minutes.of(g, members, now), now);
      });
    },

    forget(name) {
      rings.delete(name);
    },
  };
}

/** A minute that is over does not change any more: its quantile is worked out once a group, however many nodes it has. */
class GroupMinutes {
  private readonly groups = new Map<string, Map<number, number | null>>();

  of(g: FigureGroup, members: readonly NodeRing[], now: Millis): readonly (number | null)[] {
    const key = `${g.region ?? ''} ${g.nodeType}`;
    const known = this.groups.get(key) ?? new Map<number, number | null>();
    this.groups.set(key, known);
    const current = Math.floor(now / MINUTE);
    for (const m of known.keys()) if (m <= current - REGION_MINUTES) known.delete(m);
    return Array.from({ length: REGION_MINUTES }, (_, i) => {
      const minute = current - REGION_MINUTES + 1 + i;
      const before = known.get(minute);
      if (before !== undefined) return before;
      const ttft = new Histogram();
      for (const r of members) {
        const m = r.minutes.findLast((x) => x.minute <= minute);
        if (m?.minute === minute) ttft.merge(sparse(m.ttft));
      }
      const value = whole(ttft.quantile(0.95));
      if (minute < current) known.set(minute, value);
      return value;
    });
  }
}

/** Nodes of one group, live ones, as one. */
function regionOf(
  g: FigureGroup,
  live: readonly NodeRing[],
  ttft95Minutes: readonly (number | null)[],
  now: Millis,
): RegionVitals {
  const all = totals();
  const connect = new Histogram();
  let streams = 0;
  let rps: number | null = null;
  for (const r of live) {
    const { slices, seconds } = windowOf(r, now);
    const before = all.requests;
    for (const s of slices) for (const x of s.services) add(all, x);
    mergeConnect(connect, r, now);
    streams += streamsOf(r);
    if (seconds > 0) rps = (rps ?? 0) + (all.requests - before) / seconds;
  }
  return {
    region: g.region,
    nodeType: g.nodeType,
    streams,
    rps,
    ...percentiles(all),
    ttft50Ms: whole(all.ttft.quantile(0.5)),
    gap99Ms: whole(all.gap.quantile(0.99)),
    p99Ms: whole(connect.quantile(0.99)),
    abortedPct: percent(all.abortedOrigin + all.abortedTunnel, all.requests + all.errors),
    ttft95Minutes,
  };
}

function windowBetween(r: NodeRing, since: Millis, until: Millis): MetricsWindow | null {
  const t = totals();
  let aborted = 0;
  let found = false;
  const slices = r.slices.filter((s) => s.at - s.ms >= since && s.at <= until);
  for (const s of slices) {
    found = true;
    for (const x of s.services) add(t, x);
  }
  // What is kept as slices is in its minutes as well: only minutes before the first of them.
  const sliced = Math.floor(((r.slices[0]?.at ?? until) - (r.slices[0]?.ms ?? 0)) / MINUTE) * MINUTE;
  for (const m of r.minutes) {
    const from = m.minute * MINUTE;
    if (from < since || from + MINUTE > Math.min(until, sliced)) continue;
    found = true;
    t.requests += m.requests;
    t.errors += m.errors;
    aborted += m.aborted;
    t.ttft.merge(sparse(m.ttft));
    t.connect.merge(sparse(m.connect));
    t.gap.merge(sparse(m.gap));
  }
  if (!found) return null;
  return {
    requests: t.requests,
    errors: t.errors,
    aborted: aborted + t.abortedOrigin + t.abortedTunnel,
    ttft: t.ttft.toSparse(),
    gap: t.gap.toSparse(),
    connect: t.connect.toSparse(),
  };
}

function totals(): Totals {
  return {
    requests: 0,
    errors: 0,
    abortedClient: 0,
    abortedOrigin: 0,
    abortedTunnel: 0,
    ttft: new Histogram(),
    connect: new Histogram(),
    gap: new Histogram(),
  };
}

function add(t: Totals, s: ServiceSlice): void {
  t.requests += s.requests;
  t.errors += s.errors;
  t.abortedClient += s.abortedClient;
  t.abortedOrigin += s.abortedOrigin;
  t.abortedTunnel += s.abortedTunnel;
  t.ttft.merge(s.ttft);
  t.connect.merge(s.connect);
  t.gap.merge(s.gap);
}

function windowOf(r: NodeRing, now: Millis): { slices: readonly Slice[]; seconds: number } {
  const interval = r.slices.at(-1)?.ms ?? SECOND;
  const window = Math.min(MINUTE, Math.max(SHORTEST_WINDOW, 3 * interval));
  const slices = r.slices.filter((s) => now - s.at < window);
  return { slices, seconds: slices.reduce((n, s) => n + s.ms, 0) / SECOND };
}

const whole = (ms: number | null): number | null => (ms === null ? null : Math.round(ms));
/** Of requests answered and refused together; nothing asked is nothing to say. */
const percent = (part: number, of: number): number | null => (of > 0 ? (100 * part) / of : null);

function percentiles(t: Totals): Pick<MergedFigures, 'ttft95Ms' | 'errPct'> {
  return {
    ttft95Ms: whole(t.ttft.quantile(0.95)),
    errPct: percent(t.errors, t.requests + t.errors),
  };
}

/** Clients keep their connections, so new ones are few: their latency is over the whole minute. */
function mergeConnect(into: Histogram, r: NodeRing, now: Millis): void {
  for (const s of r.slices) if (now - s.at < MINUTE) for (const x of s.services) into.merge(x.connect);
}

function streamsOf(r: NodeRing): number {
  return r.slices.at(-1)?.services.reduce((n, s) => n + s.streams, 0) ?? 0;
}

function figuresOf(r: NodeRing, now: Millis): NodeFigures {
  const { slices, seconds } = windowOf(r, now);
  const t = totals();
  for (const s of slices) for (const x of s.services) add(t, x);
  const connect = new Histogram();
  mergeConnect(connect, r, now);
  const minute = Math.floor(now / MINUTE);
  const p99Minutes = Array.from({ length: SPARK_MINUTES }, (_, i) => {
    const m = r.minutes.find((x) => x.minute === minute - SPARK_MINUTES + 1 + i);
    return m ? whole(unpack(m.connect).quantile(0.99)) : null;
  });
  return {
    ...percentiles(t),
    p99Ms: whole(connect.quantile(0.99)),
    streams: streamsOf(r),
    rps: seconds > 0 ? t.requests / seconds : null,
    // The client's own leaving is no fault of anybody's here.
    abortedPct: percent(t.abortedOrigin + t.abortedTunnel, t.requests + t.errors),
    gap99Ms: whole(t.gap.quantile(0.99)),
    cpuPct: r.host.cpuPct,
    memPct: r.host.memPct,
    p99Minutes,
  };
}

function servicesOf(r: NodeRing, now: Millis): ServiceWindow[] {
  const byName = new Map<string, Totals>();
  for (const s of windowOf(r, now).slices) {
    for (const x of s.services) {
      let t = byName.get(x.service);
      if (!t) {
        t = totals();
        byName.set(x.service, t);
      }
      add(t, x);
    }
  }
  const streams = new Map(r.slices.at(-1)?.services.map((s) => [s.service, s.streams]));
  return [...byName].map(([service, t]) => ({
    service,
    streams: streams.get(service) ?? 0,
    ttft50Ms: whole(t.ttft.quantile(0.5)),
    ttft95Ms: whole(t.ttft.quantile(0.95)),
    connect99Ms: whole(t.connect.quantile(0.99)),
    gap99Ms: whole(t.gap.quantile(0.99)),
    requests: t.requests,
    errors: t.errors,
    abortedClient: t.abortedClient,
    abortedOrigin: t.abortedOrigin,
    abortedTunnel: t.abortedTunnel,
    ttft: t.ttft.toSparse(),
    connect: t.connect.toSparse(),
    gap: t.gap.toSparse(),
  }));
}

function addToMinute(r: NodeRing, report: MetricsReport, at: Millis): void {
  const minute = Math.floor(at / MINUTE);
  const last = r.minutes.at(-1);
  const old = last?.minute === minute ? last : null;
  const t = totals();
  for (const s of report.services) add(t, s);
  if (old) {
    t.requests += old.requests;
    t.errors += old.errors;
    t.ttft.merge(sparse(old.ttft));
    t.connect.merge(sparse(old.connect));
    t.gap.merge(sparse(old.gap));
    r.minutes.pop();
  }
  r.minutes.push({
    minute,
    ttft: pack(t.ttft),
    connect: pack(t.connect),
    gap: pack(t.gap),
    requests: t.requests,
    errors: t.errors,
    aborted: t.abortedOrigin + t.abortedTunnel + (old?.aborted ?? 0),
    streams: streamsOf(r),
    cpuPct: report.host.cpuPct,
  });
  if (r.minutes.length > MINUTES) r.minutes.splice(0, r.minutes.length - MINUTES);
}

const COUNT_BITS = 24;
const MOST_COUNT = 2 ** COUNT_BITS - 1;

function pack(h: Histogram): Uint32Array {
  const { index, count } = h.toSparse();
  return Uint32Array.from(index, (b, i) => b * 2 ** COUNT_BITS + Math.min(count[i] ?? 0, MOST_COUNT));
}

function sparse(packed: Uint32Array): SparseHistogram {
  const index: number[] = [];
  const count: number[] = [];
  for (const p of packed) {
    index.push(p >>> COUNT_BITS);
    count.push(p & MOST_COUNT);
  }
  return { index, count, sumMs: 0 };
}

function unpack(packed: Uint32Array): Histogram {
  const h = new Histogram();
  h.merge(sparse(packed));
  return h;
}

function seriesOf(minutes: readonly Minute[], now: Millis): { name: string; values: readonly number[] }[] {
  const first = Math.floor(now / MINUTE) - MINUTES + 1;
  const byMinute = new Map(minutes.map((m) => [m.minute, m]));
  const row = (name: string, value: (m: Minute) => number | null) => ({
    name,
    values: Array.from({ length: MINUTES }, (_, i) => {
      const m = byMinute.get(first + i);
      return (m && value(m)) ?? Number.NaN;
    }),
  });
  return [
    row('ttft_p50', (m) => unpack(m.ttft).quantile(0.5)),
    row('ttft_p95', (m) => unpack(m.ttft).quantile(0.95)),
    row('gap_p99', (m) => unpack(m.gap).quantile(0.99)),
    row('p99', (m) => unpack(m.connect).quantile(0.99)),
    row('streams', (m) => m.streams),
    row('rps', (m) => m.requests / 60),
    row('err_pct', (m) => percent(m.errors, m.requests + m.errors)),
    row('cpu_pct', (m) => m.cpuPct),
  ];
}
