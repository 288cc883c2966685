import type { Millis } from '../../../proto/vocab/ids.ts';
import type { HostFigures, LogLine, MetricsReport } from '../../../proto/vocab/metrics.ts';
import type { NodeFigures } from '../../service/ports.ts';
import { type CellHead, CellReader, type Packed, REST } from './cell.ts';
import { Day, TEN_MINUTES } from './day.ts';
import type { GroupRing } from './group-ring.ts';
import { addPart, COUNTS, newPart, type Part } from './part.ts';
import { endOf, Recent } from './recent.ts';
import type { Tools } from './tools.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
const MINUTES = 60;
/** Reports of the minute that goes on: of more, all become one. */
const MOST_SINCE = 16;
/** Minutes that are over and not in the sum of all yet: they are added to it together. */
const MOST_UNFOLDED = 10;
/** Bytes of all minutes: where they are more, the oldest tell of services only what is counted, then nothing, then go. */
const MOST_MINUTE_BYTES = 8_000;
/** Services of which histograms are kept: those asked most. */
const MOST_WHOLE = 3;
const MOST_NAMES = 64;
const MOST_LOG = 300;

/** As it lies in a file. */
export interface KeptRing {
  readonly names: readonly string[];
  readonly recent: readonly Packed[];
  readonly minutes: readonly Packed[];
  /** Of the minute that goes on, and how many of those are no part of what only grows. */
  readonly since: readonly Packed[];
  readonly uncounted: number;
  /** How many of the newest minutes are not in the totals yet. */
  readonly unfolded: number;
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
  private recent = new Recent();
  /** Those that are over. */
  private minutes: Packed[] = [];
  private unfolded = 0;
  /** The minute that goes on, and its reports: they are written as one once it is over. */
  private minute = 0;
  private since: Packed[] = [];
  /** Of it what was read from a file whose counters do not go on: no part of the sum of all. */
  private uncounted: readonly Packed[] = [];
  /** Of all minutes that are over but the unfolded ones. */
  private totals: Packed = '';
  private day: Day | null = null;
  /** Minutes after ten of them are over until they are put into the day; the number of the ten that go on by that. */
  private readonly late: number;
  private ten = -1;
  lastAt: Millis = 0;
  /** How long the last report was. */
  lastMs = 0;
  host: HostFigures | null = null;
  /** Live streams, as it said last. */
  streams = 0;
  /** As they were read last, until a report comes or one falls out of their time. */
  figures: { readonly until: Millis; readonly value: NodeFigures } | null = null;
  log: readonly LogLine[] = [];
  /** Where its last report was counted as well. */
  group: GroupRing | null = null;
  /** Connect p99 of the minutes before `minute`, which do not change any more, the newest last. */
  p99: { readonly minute: number; readonly before: readonly (number | null)[] } | null = null;

  /** @param late 0 to 9, other for other nodes: they do not all have it to do in the same seconds. Nobody sees it. */
  constructor(late = 0) {
    this.late = late;
  }

  take(report: MetricsReport, at: Millis, tools: Tools): void {
    if (this.lastAt > at + SECOND) this.forgetFuture(at, tools);
    const indices = report.services.map((s) => this.indexOf(s.service));
    this.turn(Math.floor(at / MINUTE), tools);
    const cell = this.packed(report, at, indices, tools);
    // Many a second are one.
    const short = this.recent.short(report.sliceMs);
    this.recent.add(short === null ? cell : joined([short, cell], tools), at, short !== null, tools);
    this.since.push(cell);
    if (this.since.length > MOST_SINCE) this.since = [joined(this.since, tools)];
    this.lastAt = at;
    this.lastMs = report.sliceMs;
    this.streams = report.services.reduce((n, s) => n + s.streams, 0);
    this.host = report.host;
    this.figures = null;
  }

  private packed(
    report: MetricsReport,
    at: Millis,
    indices: readonly number[],
    { gather, writer }: Tools,
  ): Packed {
    const head = headOf(report, at);
    if (indices.every((i) => i !== REST) && report.services.every((s) => this.whole.includes(s.service))) {
      return writer.report(head, report.services, indices);
    }
    gather.clear();
    gather.span(head);
    report.services.forEach((s, i) => {
      gather.slice(indices[i] ?? REST, s, this.whole.includes(s.service));
    });
    return gather.pack(writer);
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
    return this.recent.addTo(into, after, counts, (reader, part) => this.add(reader, part, service));
  }

  /** When the first report ended that ended after `after`. */
  oldestSince(after: Millis): Millis {
    return this.recent.oldestSince(after, this.lastAt);
  }

  get reports(): number {
    return this.recent.size;
  }

  /** When the first report began that is kept apart; `null`: none is. */
  recentSince(): Millis | null {
    return this.recent.since();
  }

  /** Those whole minutes, or that one which goes on, added to `into`; `null`: nothing is known of them. */
  addMinutes(
    into: Part,
    first: number,
    last: number,
    service: string | null = null,
  ): { readonly ms: number; readonly cpuPct: number | null; readonly memPct: number | null } | null {
    if (first > last) return null;
    let known = false;
    let ms = 0;
    let host: { readonly cpuPct: number | null; readonly memPct: number | null } = NO_HOST;
    const add = (packed: Packed): void => {
      const reader = new CellReader(packed);
      const head = reader.head();
      const minute = Math.floor(head.to / MINUTE);
      if (minute < first || minute > last) return;
      into.streams = 0;
      this.add(reader, into, service);
      known = true;
      ms += head.to - head.from;
      host = { cpuPct: head.cpuPct ?? host.cpuPct, memPct: head.memPct ?? host.memPct };
    };
    for (const packed of this.minutes) add(packed);
    for (const packed of this.uncounted) add(packed);
    for (const packed of this.since) add(packed);
    return known ? { ms, cpuPct: host.cpuPct, memPct: host.memPct } : null;
  }

  /** Minutes from `first` on, the newest first. */
  *minutesFrom(first: number): Generator<{ readonly minute: number; readonly read: (into: Part) => void }> {
    const read = (cells: readonly Packed[]) => (into: Part) => {
      for (const cell of cells) {
        const reader = new CellReader(cell);
        reader.head();
        reader.parts(() => into);
      }
    };
    const open = [...this.uncounted, ...this.since];
    if (open.length > 0 && this.minute >= first) yield { minute: this.minute, read: read(open) };
    for (let i = this.minutes.length - 1; i >= 0; i--) {
      const cell = this.minutes[i] as Packed;
      const minute = Math.floor(endOf(cell) / MINUTE);
      if (minute < first) return;
      yield { minute, read: read([cell]) };
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
    for (const reader of this.recent.after(after)) {
      for (const p of out.values()) p.streams = 0;
      reader.parts(part, part);
    }
    return out;
  }

  /** All since the ring began, by service, and the sum of all. Only grows. */
  total(): { readonly all: Part; readonly services: ReadonlyMap<string, Part> } {
    const all = newPart();
    const services = new Map(this.names.map((name) => [name, newPart()]));
    const counted = (i: number): Part | null => services.get(this.names[i - 1] ?? '') ?? null;
    // What a service has whole in a minute, it has as counters here.
    for (const cell of [this.totals, ...this.newest(), ...this.since]) {
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
    return {
      names: this.names,
      recent: this.recent.kept,
      minutes: this.minutes,
      since: [...this.uncounted, ...this.since],
      uncounted: this.uncounted.length,
      unfolded: this.unfolded,
      totals: this.totals,
      day: this.day?.words ?? null,
      lastAt: this.lastAt,
      lastMs: this.lastMs,
      host: this.host ?? NO_HOST,
    };
  }

  /** @param ended as of `GroupRing.from`. @throws RangeError when a cell is none */
  static from(kept: KeptRing, ended: boolean, late = 0): NodeRing {
    const ring = new NodeRing(late);
    const { recent, minutes, since, totals } = kept;
    for (const cell of [...recent, ...minutes, ...since, ...(totals === '' ? [] : [totals])]) {
      const reader = new CellReader(cell);
      reader.head();
      reader.parts(() => null);
    }
    ring.names = [...kept.names];
    ring.recent = Recent.from(recent);
    ring.minutes = [...minutes];
    ring.uncounted = ended ? since.slice(0, kept.uncounted) : since;
    ring.since = since.slice(ring.uncounted.length);
    ring.unfolded = ended ? Math.min(kept.unfolded, minutes.length) : 0;
    ring.totals = ended ? totals : '';
    const newest = since.at(-1) ?? minutes.at(-1);
    ring.minute = newest === undefined ? 0 : Math.floor(endOf(newest) / MINUTE);
    ring.day = kept.day && new Day(kept.day);
    ring.lastAt = kept.lastAt;
    ring.lastMs = kept.lastMs;
    ring.host = kept.host;
    return ring;
  }

  /** Minutes that are over and not in the sum yet. */
  private newest(): readonly Packed[] {
    return this.unfolded === 0 ? [] : this.minutes.slice(-this.unfolded);
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
    this.recent.forgetAfter(at + SECOND);
    this.close(tools);
    this.fold(tools);
    this.minutes = this.minutes.filter((c) => endOf(c) <= at + SECOND);
    this.day?.forgetFrom(Math.floor(at / TEN_MINUTES));
    this.minute = -1;
  }

  /** The minute that went on is over. */
  private close(tools: Tools): void {
    const { uncounted, since } = this;
    if (uncounted.length + since.length === 0) return;
    this.minutes.push(joined([...uncounted, ...since], tools));
    this.since = [];
    this.uncounted = [];
    if (uncounted.length === 0) {
      this.unfolded += 1;
      return;
    }
    this.count(this.unfolded === 0 ? [] : this.minutes.slice(-1 - this.unfolded, -1), tools);
    this.count(since, tools);
    this.unfolded = 0;
  }

  private fold(tools: Tools): void {
    this.count(this.newest(), tools);
    this.unfolded = 0;
  }

  private count(cells: readonly Packed[], { gather, writer }: Tools): void {
    if (cells.length === 0) return;
    gather.clear();
    if (this.totals !== '') gather.cell(this.totals);
    for (const cell of cells) gather.cell(cell);
    gather.reduce(true);
    this.totals = gather.pack(writer);
  }

  private turn(minute: number, tools: Tools): void {
    const same = minute === this.minute;
    if (same && this.whole.length >= Math.min(MOST_WHOLE, this.names.length)) return;
    if (!same) this.close(tools);
    // Those of a long time ago go with what follows.
    if (this.unfolded >= MOST_UNFOLDED || minute > this.minute + 1) this.fold(tools);
    const ten = Math.floor(((minute - this.late) * MINUTE) / TEN_MINUTES);
    if (ten !== this.ten) this.keepTens(ten);
    this.ten = ten;
    const first = this.minutes.findIndex((m) => Math.floor(endOf(m) / MINUTE) > minute - MINUTES);
    if (first !== 0) this.minutes = first < 0 ? [] : this.minutes.slice(first);
    this.shrink(tools);
    this.minute = minute;
    // Few are all kept, whatever they are asked.
    if (this.names.length <= MOST_WHOLE) {
      if (this.whole.length !== this.names.length) this.whole = [...this.names];
      return;
    }
    const asked = [...this.total().services].sort(([, a], [, b]) => b.requests - a.requests);
    // Of a new node nothing is known: the first that come.
    const most = [...asked.map(([name]) => name), ...this.names];
    this.whole = [...new Set(most)].slice(0, MOST_WHOLE);
  }

  /** Those before `ten` of which there are minutes, and which are not kept yet. */
  private keepTens(ten: number): void {
    const tens = new Set(this.minutes.map((m) => Math.floor(endOf(m) / TEN_MINUTES)));
    for (const slot of tens) {
      if (slot < ten && !this.day?.has(slot)) this.keepTen(slot);
    }
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
  private shrink(tools: Tools): void {
    let bytes = this.minutes.reduce((n, m) => n + m.length, 0);
    if (bytes <= MOST_MINUTE_BYTES) return;
    this.fold(tools);
    const { gather, writer } = tools;
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
}

export const NO_HOST: HostFigures = { cpuPct: null, memPct: null, openFiles: null, diskFreeBytes: null };

function headOf(report: MetricsReport, at: Millis): CellHead {
  const { cpuPct, memPct } = report.host;
  return { from: at - Math.max(0, report.sliceMs), to: at, cpuPct, memPct };
}

/** In their order as one. */
function joined(cells: readonly Packed[], { gather, writer }: Tools): Packed {
  if (cells.length === 1) return cells[0] as Packed;
  gather.clear();
  for (const cell of cells) gather.cell(cell);
  return gather.pack(writer);
}
