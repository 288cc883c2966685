import type { Millis } from '../../../proto/vocab/ids.ts';
import type { HostFigures, LogLine, MetricsReport } from '../../../proto/vocab/metrics.ts';
import type { NodeFigures } from '../../service/ports.ts';
import { type CellHead, CellReader, type CellWriter, type Packed, REST } from './cell.ts';
import { Day, TEN_MINUTES } from './day.ts';
import type { Gather } from './gather.ts';
import { addPart, COUNTS, newPart, type Part } from './part.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
/** Reports are kept apart so long: at first as they came, then services together and half a minute at once. */
const RECENT_MS = 6 * MINUTE;
const WHOLE_MS = 30 * SECOND;
const COARSE_MS = 30 * SECOND;
const MINUTES = 60;
/** Reports that wait to be written into their minute: not longer than they are kept apart anyway. */
const MOST_SINCE = 3;
/** Bytes of all minutes: where they are more, the oldest tell of services only what is counted, then nothing, then go. */
const MOST_MINUTE_BYTES = 8_000;
/** Services of which histograms are kept: those asked most. */
const MOST_WHOLE = 3;
const MOST_NAMES = 64;
const MOST_LOG = 300;

/** What works for all rings: they are many, and one is busy at a time. */
export interface Tools {
  readonly writer: CellWriter;
  readonly gather: Gather;
}

/** As it lies in a file. */
export interface KeptRing {
  readonly names: readonly string[];
  readonly recent: readonly Packed[];
  readonly minutes: readonly Packed[];
  readonly totals: Packed;
  readonly day: Uint16Array | null;
  readonly lastAt: Millis;
  readonly lastMs: number;
  readonly host: HostFigures;
}

/** The figures of one node, at most 20 KB of them: reports of the last minutes, minutes of an hour, a day in brief. */
export class NodeRing {
  private names: string[] = [];
  private whole: readonly string[] = [];
  private recent: Packed[] = [];
  /** How many of them are coarse. */
  private aged = 0;
  private minutes: Packed[] = [];
  private minute = 0;
  /** Reports of the minute that goes on which are not in its cell yet, and when the newest ended. */
  private since: Packed[] = [];
  private sinceTo = 0;
  private tools: Tools | null = null;
  /** The minute in which it was read from a file whose counters do not go on: no part of the sum of all. */
  private uncounted: Packed | null = null;
  private totals: Packed = '';
  private day: Day | null = null;
  lastAt: Millis = 0;
  /** How long the last report was. */
  lastMs = 0;
  host: HostFigures | null = null;
  /** Live streams, as it said last. */
  streams = 0;
  /** As they were read last, until a report comes or one falls out of their time. */
  figures: { readonly until: Millis; readonly value: NodeFigures } | null = null;
  log: readonly LogLine[] = [];
  /** Connect p99 of the minutes before `minute`, which do not change any more, the newest last. */
  p99: { readonly minute: number; readonly before: readonly (number | null)[] } | null = null;

  take(report: MetricsReport, at: Millis, tools: Tools): void {
    this.tools = tools;
    this.forgetFuture(at, tools);
    const indices = report.services.map((s) => this.indexOf(s.service));
    this.newMinute(Math.floor(at / MINUTE), tools);
    const { gather, writer } = tools;
    const add = (): void => {
      gather.settle();
      gather.span(headOf(report, at));
      report.services.forEach((s, i) => {
        gather.slice(indices[i] ?? REST, s, this.whole.includes(s.service));
      });
    };

    gather.clear();
    const last = this.recent.at(-1);
    // Many a second are one: what they are asked for is a second at the least.
    const short = this.recent.length > this.aged && last && spanOf(last) + report.sliceMs <= SECOND;
    if (short) gather.cell(last);
    add();
    // Arrays as long as they are: one that grows takes half as much again.
    this.recent = [...(short ? this.recent.slice(0, -1) : this.recent), gather.pack(writer)];

    // A minute is written once it is over or asked for: until then it is the reports since.
    if (short) {
      gather.clear();
      add();
    }
    const cell = short ? gather.pack(writer) : (this.recent.at(-1) as Packed);
    if (this.open() === null) this.minutes = [...this.minutes, cell];
    else {
      this.since.push(cell);
      this.sinceTo = Math.max(this.sinceTo, at);
      if (this.since.length >= MOST_SINCE) this.settle();
    }

    this.age(at, tools);
    this.lastAt = at;
    this.lastMs = report.sliceMs;
    this.streams = report.services.reduce((n, s) => n + s.streams, 0);
    this.host = report.host;
    this.figures = null;
  }

  addLog(lines: readonly LogLine[]): void {
    this.log = [...this.log, ...lines].slice(-MOST_LOG);
  }

  /** Reports that ended after `after`, added to `into`; how much time they tell of. */
  addEnded(into: Part, after: Millis): number {
    return this.addRecent(into, after, (to) => to > after);
  }

  /** Reports that began at `since` or later and ended by `until`, added to `into`; how much time they tell of. */
  addBetween(into: Part, since: Millis, until: Millis, service: string | null = null): number {
    return this.addRecent(into, since, (to, from) => from >= since && to <= until, service);
  }

  private addRecent(
    into: Part,
    after: Millis,
    counts: (to: Millis, from: Millis) => boolean,
    service: string | null = null,
  ): number {
    let ms = 0;
    let streams: number | null = null;
    for (let i = this.recent.length - 1; i >= 0; i--) {
      const reader = new CellReader(this.recent[i] as Packed);
      const { from, to } = reader.head();
      if (to <= after) break;
      if (!counts(to, from)) continue;
      const before = into.streams;
      this.add(reader, into, service);
      // Of the newest only: they are not added up over time.
      streams ??= into.streams;
      into.streams = before;
      ms += to - from;
    }
    into.streams = streams ?? into.streams;
    return ms;
  }

  /** When the first report ended that ended after `after`. */
  oldestSince(after: Millis): Millis {
    let oldest = this.lastAt;
    for (let i = this.recent.length - 1; i >= 0; i--) {
      const to = endOf(this.recent[i] as Packed);
      if (to <= after) break;
      oldest = to;
    }
    return oldest;
  }

  get reports(): number {
    return this.recent.length;
  }

  /** When the first report began that is kept apart; `null`: none is. */
  recentSince(): Millis | null {
    const first = this.recent[0];
    return first === undefined ? null : new CellReader(first).head().from;
  }

  /** Those whole minutes, or that one which goes on, added to `into`; `null`: nothing is known of them. */
  addMinutes(
    into: Part,
    first: number,
    last: number,
    service: string | null = null,
  ): { readonly ms: number; readonly cpuPct: number | null; readonly memPct: number | null } | null {
    if (first > last) return null;
    this.settle();
    let known = false;
    let ms = 0;
    let host: { readonly cpuPct: number | null; readonly memPct: number | null } = NO_HOST;
    for (const packed of this.minutes) {
      const reader = new CellReader(packed);
      const head = reader.head();
      const minute = Math.floor(head.to / MINUTE);
      if (minute < first || minute > last) continue;
      into.streams = 0;
      this.add(reader, into, service);
      known = true;
      ms += head.to - head.from;
      host = head;
    }
    return known ? { ms, cpuPct: host.cpuPct, memPct: host.memPct } : null;
  }

  /** Minutes from `first` on, the newest first. */
  *minutesFrom(first: number): Generator<{ readonly minute: number; readonly read: (into: Part) => void }> {
    for (let i = this.minutes.length - 1; i >= 0; i--) {
      const reader = new CellReader(this.minutes[i] as Packed);
      const minute = Math.floor(reader.head().to / MINUTE);
      if (minute < first) return;
      const since = minute === this.minute && i === this.minutes.length - 1 ? this.since : [];
      yield {
        minute,
        read: (into) => {
          reader.parts(() => into);
          for (const cell of since) {
            const also = new CellReader(cell);
            also.head();
            also.parts(() => into);
          }
        },
      };
    }
  }

  /** Of the ten minutes that `at` lies in. */
  dayAt(at: Millis): ReturnType<Day['at']> {
    return this.day?.at(at) ?? null;
  }

  /** Services of the reports that ended after `after`. */
  services(after: Millis): ReadonlyMap<string, Part> {
    const out = new Map<string, Part>();
    const part = (i: number): Part | null => {
      const name = this.names[i - 1];
      if (name === undefined) return null;
      const known = out.get(name) ?? newPart();
      out.set(name, known);
      return known;
    };
    for (const packed of this.recent) {
      const reader = new CellReader(packed);
      if (reader.head().to <= after) continue;
      for (const p of out.values()) p.streams = 0;
      reader.parts(part, part);
    }
    return out;
  }

  /** All since the ring began, by service, and the sum of all. Only grows. */
  total(): { readonly all: Part; readonly services: ReadonlyMap<string, Part> } {
    this.settle();
    const all = newPart();
    const services = new Map(this.names.map((name) => [name, newPart()]));
    const counted = (i: number): Part | null => services.get(this.names[i - 1] ?? '') ?? null;
    // The minute that goes on is not in the sum yet; what a service has whole there, it has as counters here.
    for (const cell of [this.totals, this.open() ?? '']) {
      if (cell === '') continue;
      const reader = new CellReader(cell);
      reader.head();
      const parts = new Map<number, Part>();
      reader.parts((i) => {
        const part = parts.get(i) ?? newPart();
        parts.set(i, part);
        return part;
      }, counted);
      for (const [i, part] of parts) {
        addPart(all, part);
        const to = counted(i);
        if (to) for (const c of COUNTS) to[c] += part[c];
      }
    }
    return { all, services };
  }

  keep(): KeptRing {
    this.settle();
    return {
      names: this.names,
      recent: this.recent,
      minutes: this.minutes,
      totals: this.totals,
      day: this.day?.words ?? null,
      lastAt: this.lastAt,
      lastMs: this.lastMs,
      host: this.host ?? NO_HOST,
    };
  }

  /** @param ended as of `GroupRing.from`. @throws RangeError when a cell is none */
  static from(kept: KeptRing, ended: boolean): NodeRing {
    const ring = new NodeRing();
    for (const cell of [...kept.recent, ...kept.minutes, ...(kept.totals === '' ? [] : [kept.totals])]) {
      const reader = new CellReader(cell);
      reader.head();
      reader.parts(() => null);
    }
    ring.names = [...kept.names];
    ring.recent = [...kept.recent];
    ring.aged = ring.recent.length;
    ring.minutes = [...kept.minutes];
    ring.totals = ended ? kept.totals : '';
    ring.uncounted = ended ? null : (ring.minutes.at(-1) ?? null);
    ring.minute = ring.minutes.length > 0 ? Math.floor(endOf(ring.minutes.at(-1) as Packed) / MINUTE) : 0;
    ring.day = kept.day && new Day(kept.day);
    ring.lastAt = kept.lastAt;
    ring.lastMs = kept.lastMs;
    ring.host = kept.host;
    return ring;
  }

  private add(reader: CellReader, into: Part, service: string | null): void {
    if (service === null) {
      reader.parts(() => into);
      return;
    }
    const index = this.names.indexOf(service) + 1;
    const only = (i: number): Part | null => (index > 0 && i === index ? into : null);
    reader.parts(only, only);
  }

  private indexOf(service: string): number {
    const at = this.names.indexOf(service);
    if (at >= 0) return at + 1;
    if (this.names.length >= MOST_NAMES) return REST;
    return this.names.push(service);
  }

  /** A clock that was set back: what is told of a later time is of no time. */
  private forgetFuture(at: Millis, tools: Tools): void {
    const past = (c: Packed): boolean => endOf(c) <= at + SECOND;
    if (this.sinceTo > at + SECOND) this.settle();
    if (this.recent.length > 0 && !past(this.recent.at(-1) as Packed)) {
      this.recent = this.recent.filter(past);
      this.aged = Math.min(this.aged, this.recent.length);
    }
    if (this.minutes.length > 0 && !past(this.minutes.at(-1) as Packed)) {
      this.settle();
      this.fold(tools);
      this.minutes = this.minutes.filter(past);
      this.minute = -1;
    }
  }

  /** The minute that goes on; `null`: it is over, and in the sum of all where it is part of that. */
  private open(): Packed | null {
    const last = this.minutes.at(-1);
    if (last === this.uncounted) return null;
    return last !== undefined && Math.floor(endOf(last) / MINUTE) === this.minute ? last : null;
  }

  /** Writes the minute that goes on: before it is read, or it ends. */
  private settle(): void {
    const { since, tools } = this;
    const open = this.open();
    if (since.length === 0 || open === null || tools === null) return;
    const { gather, writer } = tools;
    gather.clear();
    gather.cell(open);
    for (const cell of since) gather.cell(cell);
    this.minutes[this.minutes.length - 1] = gather.pack(writer);
    this.since = [];
    this.sinceTo = 0;
  }

  /** The minute that went on is over. */
  private fold({ gather, writer }: Tools): void {
    const open = this.open();
    if (open === null) return;
    gather.clear();
    if (this.totals !== '') gather.cell(this.totals);
    gather.cell(open);
    gather.reduce(true);
    this.totals = gather.pack(writer);
  }

  private newMinute(minute: number, tools: Tools): void {
    const all = this.whole.length >= Math.min(MOST_WHOLE, this.names.length);
    if (minute === this.minute && all) return;
    this.settle();
    if (minute !== this.minute) this.fold(tools);
    const last = this.minutes.at(-1);
    if (last !== undefined) {
      const slot = Math.floor(endOf(last) / TEN_MINUTES);
      if (slot !== Math.floor((minute * MINUTE) / TEN_MINUTES)) this.keepTen(slot);
    }
    this.minutes = this.minutes.filter((m) => Math.floor(endOf(m) / MINUTE) > minute - MINUTES);
    this.shrink(tools);
    this.minute = minute;
    // Few are all kept, whatever they are asked.
    if (this.names.length <= MOST_WHOLE) {
      this.whole = [...this.names];
      return;
    }
    const asked = [...this.total().services].sort(([, a], [, b]) => b.requests - a.requests);
    // Of a new node nothing is known: the first that come.
    const most = [...asked.map(([name]) => name), ...this.names];
    this.whole = [...new Set(most)].slice(0, MOST_WHOLE);
  }

  private keepTen(slot: number): void {
    const part = newPart();
    const first = (slot * TEN_MINUTES) / MINUTE;
    const host = this.addMinutes(part, first, first + TEN_MINUTES / MINUTE - 1);
    if (!host) return;
    this.day ??= new Day();
    this.day.put(slot * TEN_MINUTES, part, host);
  }

  /** The oldest minutes tell less until all fit. */
  private shrink({ gather, writer }: Tools): void {
    let bytes = this.minutes.reduce((n, m) => n + m.length, 0);
    for (const counted of [true, false]) {
      for (let i = 0; i < this.minutes.length && bytes > MOST_MINUTE_BYTES; i++) {
        const before = this.minutes[i] as Packed;
        gather.clear();
        gather.cell(before);
        gather.reduce(counted);
        const after = gather.pack(writer);
        bytes -= before.length - after.length;
        this.minutes[i] = after;
      }
    }
    while (bytes > MOST_MINUTE_BYTES && this.minutes.length > 1) {
      bytes -= (this.minutes.shift() as Packed).length;
    }
  }

  /** Reports older than a minute are made coarse, those older than the ring forgotten. */
  private age(at: Millis, { gather, writer }: Tools): void {
    while (this.recent.length > 0 && endOf(this.recent[0] as Packed) <= at - RECENT_MS) {
      this.recent.shift();
      this.aged = Math.max(0, this.aged - 1);
    }
    while (this.aged < this.recent.length) {
      const next = this.recent[this.aged] as Packed;
      if (endOf(next) > at - WHOLE_MS) return;
      const last = this.aged > 0 ? (this.recent[this.aged - 1] as Packed) : null;
      gather.clear();
      const joined =
        last !== null && endOf(next) - startOf(last) <= COARSE_MS && startOf(next) - endOf(last) < SECOND;
      if (joined) gather.cell(last);
      gather.cell(next);
      gather.reduce(false);
      const coarse = gather.pack(writer);
      this.recent.splice(joined ? this.aged - 1 : this.aged, joined ? 2 : 1, coarse);
      if (!joined) this.aged += 1;
    }
  }
}

export const NO_HOST: HostFigures = { cpuPct: null, memPct: null, openFiles: null, diskFreeBytes: null };

function headOf(report: MetricsReport, at: Millis): CellHead {
  const { cpuPct, memPct } = report.host;
  return { from: at - Math.max(0, report.sliceMs), to: at, cpuPct, memPct };
}

const startOf = (c: Packed): Millis => new CellReader(c).head().from;
const endOf = (c: Packed): Millis => new CellReader(c).head().to;

function spanOf(c: Packed): number {
  const { from, to } = new CellReader(c).head();
  return to - from;
}
