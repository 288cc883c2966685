import type { Millis, NodeName } from '../../../proto/vocab/ids.ts';
import type { MetricsWindow, RangePoint } from '../../../proto/vocab/metrics.ts';
import type { NodeType, RegionVitals } from '../../../proto/vocab/node.ts';
import type { ServiceWindow } from '../../../proto/vocab/node-detail.ts';
import type {
  FigureGroup,
  MergedFigures,
  MetricsRings,
  NodeFigures,
  RangeArgs,
} from '../../service/ports.ts';
import { CellWriter } from './cell.ts';
import { TENTHS } from './day.ts';
import { clearPart, Gather } from './gather.ts';
import { GroupRing } from './group-ring.ts';
import { MINUTE, NodeRing, SECOND } from './node-ring.ts';
import { newPart, type Part } from './part.ts';
import { groupPoint, nodePoint } from './points.ts';
import { readRings, writeRings } from './ring-file.ts';
import type { Tools } from './tools.ts';

/** What a live list may show: an older figure is no figure. */
const STALE_MS = MINUTE;
/** Figures are over three reports, but at least this long and at most a minute: a change shows within seconds. */
const SHORTEST_WINDOW = 10 * SECOND;
const MINUTES = 60;
const SPARK_MINUTES = 10;
const REGION_MINUTES = 30;

export interface KeptRings extends MetricsRings {
  /** All of it, whole or not at all. @param ended nothing is taken any more. @returns bytes. @throws what the disk says */
  save(file: string, ended: boolean): Promise<number>;
  /**
   * What `save` wrote, before anything is taken. What only grows begins at 0 where that was not the end of it.
   * @returns why nothing was read, or `null`
   */
  load(file: string): Promise<string | null>;
}

/** Figures of every node and of every place, in memory. Never journalled. */
export function createRings(): KeptRings {
  return new Rings();
}

class Rings implements KeptRings {
  private readonly nodes = new Map<NodeName, NodeRing>();
  private readonly groups = new Map<string, GroupRing>();
  private readonly tools: Tools = { writer: new CellWriter(), gather: new Gather() };
  /** For sums that end with the call. */
  private readonly scratch = newPart();
  private readonly second = newPart();

  take(...[name, report, at, place]: Parameters<MetricsRings['take']>): void {
    const ring = this.ring(name);
    ring.take(report, at, this.tools);
    if (!place) return;
    let { group } = ring;
    if (group?.region !== place.region || group.nodeType !== place.nodeType) {
      group = this.group(place.region, place.nodeType);
      ring.group = group;
    }
    group.take(report, at, this.tools);
  }

  figures(name: NodeName, now: Millis): NodeFigures | null {
    const r = this.live(name, now);
    if (!r) return null;
    const known = r.figures;
    if (known && now >= r.lastAt && now < known.until) return known.value;
    const value = this.figuresOf(r, now);
    // A report is in them until it is older than their time, and minutes turn.
    const turn = (Math.floor(now / MINUTE) + 1) * MINUTE;
    r.figures = { value, until: Math.min(turn, r.oldestSince(now - windowOf(r)) + windowOf(r)) };
    return value;
  }

  private figuresOf(r: NodeRing, now: Millis): NodeFigures {
    const sum = this.cleared(this.scratch);
    const ms = r.addEnded(sum, now - windowOf(r));
    const minute = this.cleared(this.second);
    r.addEnded(minute, now - MINUTE);
    return {
      streams: sum.streams,
      rps: ms > 0 ? sum.requests / (ms / SECOND) : null,
      ttft95Ms: whole(sum.ttft.quantile(0.95)),
      // Clients keep their connections, so new ones are few: their latency is over the whole minute.
      p99Ms: whole(minute.connect.quantile(0.99)),
      errPct: percent(sum.errors, sum.requests + sum.errors),
      // The client's own leaving is no fault of anybody's here.
      abortedPct: percent(sum.abortedOrigin + sum.abortedTunnel, sum.requests + sum.errors),
      gap99Ms: whole(sum.gap.quantile(0.99)),
      cpuPct: r.host?.cpuPct ?? null,
      memPct: r.host?.memPct ?? null,
      p99Minutes: this.p99Minutes(r, Math.floor(now / MINUTE)),
    };
  }

  series(name: NodeName, now: Millis): ReturnType<MetricsRings['series']> {
    const stepMs = MINUTE;
    const start = (Math.floor(now / MINUTE) - MINUTES + 1) * MINUTE;
    const points = this.range(name, { service: null, start, end: start + MINUTES * MINUTE, stepMs, now });
    const row = (is: string, value: (p: RangePoint) => number | null) => ({
      name: is,
      values: points.map((p) => value(p) ?? Number.NaN),
    });
    return [
      row('ttft_p50', (p) => p.ttft50Ms),
      row('ttft_p95', (p) => p.ttft95Ms),
      row('gap_p99', (p) => p.gap99Ms),
      row('p99', (p) => p.connect99Ms),
      row('streams', (p) => p.streams),
      row('rps', (p) => p.requests && p.requests / 60),
      row('err_pct', (p) => percent(p.errors ?? 0, (p.requests ?? 0) + (p.errors ?? 0))),
      row('cpu_pct', (p) => p.cpuPct),
    ];
  }

  services(name: NodeName, now: Millis): readonly ServiceWindow[] {
    const r = this.live(name, now);
    if (!r) return [];
    return [...r.services(now - windowOf(r))].map(([service, p]) => ({
      service,
      streams: p.streams,
      ttft50Ms: whole(p.ttft.quantile(0.5)),
      ttft95Ms: whole(p.ttft.quantile(0.95)),
      connect99Ms: whole(p.connect.quantile(0.99)),
      gap99Ms: whole(p.gap.quantile(0.99)),
      requests: p.requests,
      errors: p.errors,
      abortedClient: p.abortedClient,
      abortedOrigin: p.abortedOrigin,
      abortedTunnel: p.abortedTunnel,
      ttft: p.ttft.toSparse(),
      connect: p.connect.toSparse(),
      gap: p.gap.toSparse(),
    }));
  }

  log(name: NodeName, max: number): ReturnType<MetricsRings['log']> {
    return this.nodes.get(name)?.log.slice(-max) ?? [];
  }

  addLog(...[name, lines]: Parameters<MetricsRings['addLog']>): void {
    if (lines.length > 0) this.ring(name).addLog(lines);
  }

  merged(names: readonly NodeName[], now: Millis): MergedFigures {
    const m = this.mergedOf(names, now);
    const { streams, rps, ttft95Ms, p99Ms, errPct } = m;
    return { streams, rps, ttft95Ms, p99Ms, errPct };
  }

  window(name: NodeName, since: Millis, until: Millis): MetricsWindow | null {
    const r = this.nodes.get(name);
    if (!r) return null;
    const sum = this.cleared(this.scratch);
    let known = r.addBetween(sum, since, until) > 0;
    // What is kept as reports is in its minutes as well: only minutes before the first of them.
    const before = Math.floor(Math.min(until, r.recentSince() ?? until) / MINUTE) - 1;
    known = r.addMinutes(sum, Math.ceil(since / MINUTE), before) !== null || known;
    if (!known) return null;
    return {
      requests: sum.requests,
      errors: sum.errors,
      aborted: sum.abortedOrigin + sum.abortedTunnel,
      ttft: sum.ttft.toSparse(),
      gap: sum.gap.toSparse(),
      connect: sum.connect.toSparse(),
    };
  }

  regions(groups: readonly FigureGroup[], now: Millis): readonly RegionVitals[] {
    return groups.map(({ region, nodeType, names }) => {
      const of = this.groupsOf(region, nodeType);
      const streams = names.reduce((n, name) => n + (this.live(name, now)?.streams ?? 0), 0);
      const ttft95Minutes = this.ttft95Minutes(of, Math.floor(now / MINUTE));
      return { region, nodeType, ...this.nowOf(of, now), streams, ttft95Minutes };
    });
  }

  range(name: NodeName, args: RangeArgs): readonly RangePoint[] {
    const r = this.nodes.get(name) ?? null;
    return steps(args).map((at) => nodePoint(r, at, args, this.cleared(this.scratch)));
  }

  rangeOf(place: { region: string | null; nodeType: NodeType }, args: RangeArgs): readonly RangePoint[] {
    const groups = this.groupsOf(place.region, place.nodeType);
    return steps(args).map((at) => groupPoint(groups, at, args, this.cleared(this.scratch)));
  }

  totals(name: NodeName): ReturnType<MetricsRings['totals']> {
    return this.nodes.get(name)?.total() ?? null;
  }

  totalsByPlace(): ReturnType<MetricsRings['totalsByPlace']> {
    return [...this.groups.values()].map((g) => ({
      region: g.region,
      nodeType: g.nodeType,
      ...g.totals(),
    }));
  }

  host(name: NodeName, now: Millis): ReturnType<MetricsRings['host']> {
    return this.live(name, now)?.host ?? null;
  }

  forget(name: NodeName): void {
    this.nodes.delete(name);
  }

  save(file: string, ended: boolean): Promise<number> {
    return writeRings(file, { nodes: this.nodes, groups: this.groups.values(), tools: this.tools, ended });
  }

  async load(file: string): Promise<string | null> {
    const read = await readRings(file);
    for (const [name, ring] of read.nodes) this.nodes.set(name, ring);
    for (const g of read.groups) this.groups.set(keyOf(g.region, g.nodeType), g);
    return read.fault;
  }

  /** What places are now: the same however many nodes they have. */
  private nowOf(
    groups: readonly GroupRing[],
    now: Millis,
  ): Omit<RegionVitals, 'region' | 'nodeType' | 'streams' | 'ttft95Minutes'> {
    const all = this.cleared(this.scratch);
    const minute = this.cleared(this.second);
    let rps: number | null = null;
    for (const g of groups) {
      const before = all.requests;
      const ms = g.covered(now, g.windowMs());
      g.addLast(all, now, g.windowMs());
      g.addLast(minute, now, MINUTE);
      if (ms > 0 && g.isLive(now)) rps = (rps ?? 0) + (all.requests - before) / (ms / SECOND);
    }
    const asked = all.requests + all.errors;
    return {
      rps,
      ttft50Ms: whole(all.ttft.quantile(0.5)),
      ttft95Ms: whole(all.ttft.quantile(0.95)),
      gap99Ms: whole(all.gap.quantile(0.99)),
      p99Ms: whole(minute.connect.quantile(0.99)),
      errPct: percent(all.errors, asked),
      abortedPct: percent(all.abortedOrigin + all.abortedTunnel, asked),
    };
  }

  private mergedOf(
    names: readonly NodeName[],
    now: Millis,
  ): Omit<RegionVitals, 'region' | 'nodeType' | 'ttft95Minutes'> {
    const all = this.cleared(this.scratch);
    const connect = this.cleared(this.second);
    let rps: number | null = null;
    for (const name of names) {
      const r = this.live(name, now);
      if (!r) continue;
      const { requests, streams } = all;
      all.streams = 0;
      const ms = r.addEnded(all, now - windowOf(r));
      all.streams += streams;
      r.addEnded(connect, now - MINUTE);
      if (ms > 0) rps = (rps ?? 0) + (all.requests - requests) / (ms / SECOND);
    }
    const asked = all.requests + all.errors;
    return {
      streams: all.streams,
      rps,
      ttft50Ms: whole(all.ttft.quantile(0.5)),
      ttft95Ms: whole(all.ttft.quantile(0.95)),
      gap99Ms: whole(all.gap.quantile(0.99)),
      p99Ms: whole(connect.connect.quantile(0.99)),
      errPct: percent(all.errors, asked),
      abortedPct: percent(all.abortedOrigin + all.abortedTunnel, asked),
    };
  }

  /** A minute that is over does not change any more. */
  private p99Minutes(r: NodeRing, minute: number): readonly (number | null)[] {
    const first = minute - SPARK_MINUTES + 1;
    const found: (number | null)[] = Array(SPARK_MINUTES).fill(null);
    const known = r.p99?.minute === minute ? r.p99.before : null;
    for (const { minute: m, read } of r.minutesFrom(known ? minute : first)) {
      if (m > minute) continue;
      const part = this.cleared(this.scratch);
      read(part);
      // One that was read from a file may stand there twice.
      found[m - first] ??= whole(part.connect.quantile(0.99));
    }
    const before = known ?? found.slice(0, -1);
    r.p99 = { minute, before };
    return [...before, found.at(-1) ?? null];
  }

  private ttft95Minutes(groups: readonly GroupRing[], minute: number): readonly (number | null)[] {
    return Array.from({ length: REGION_MINUTES }, (_, i) => {
      const at = minute - REGION_MINUTES + 1 + i;
      const [only] = groups;
      const memo = groups.length === 1 && at < minute ? only?.ttft95 : undefined;
      const known = memo?.get(at);
      if (known !== undefined) return known;
      const part = this.cleared(this.scratch);
      for (const g of groups) g.addMinutes(part, at, at);
      const value = whole(part.ttft.quantile(0.95));
      memo?.set(at, value);
      return value;
    });
  }

  private groupsOf(region: string | null, nodeType: NodeType): readonly GroupRing[] {
    return [...this.groups.values()].filter(
      (g) => g.nodeType === nodeType && (region === null || g.region === region),
    );
  }

  private group(region: string, nodeType: NodeType): GroupRing {
    const key = keyOf(region, nodeType);
    const known = this.groups.get(key) ?? new GroupRing(region, nodeType);
    this.groups.set(key, known);
    return known;
  }

  private ring(name: NodeName): NodeRing {
    const known = this.nodes.get(name);
    if (known) return known;
    const made = new NodeRing(this.nodes.size % TENTHS);
    this.nodes.set(name, made);
    return made;
  }

  private live(name: NodeName, now: Millis): NodeRing | null {
    const r = this.nodes.get(name);
    return r && r.reports > 0 && now - r.lastAt <= STALE_MS ? r : null;
  }

  private cleared(p: Part): Part {
    clearPart(p);
    return p;
  }
}

function windowOf(r: NodeRing): number {
  return Math.min(MINUTE, Math.max(SHORTEST_WINDOW, 3 * r.lastMs));
}

function steps({ start, end, stepMs }: RangeArgs): readonly Millis[] {
  return Array.from({ length: Math.max(0, Math.ceil((end - start) / stepMs)) }, (_, i) => start + i * stepMs);
}

const keyOf = (region: string, nodeType: NodeType): string => `${region} ${nodeType}`;
const whole = (ms: number | null): number | null => (ms === null ? null : Math.round(ms));
/** Of requests answered and refused together; nothing asked is nothing to say. */
const percent = (part: number, of: number): number | null => (of > 0 ? (100 * part) / of : null);
