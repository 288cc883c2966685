import type { Millis } from '../../../proto/vocab/ids.ts';
import type { MetricsReport } from '../../../proto/vocab/metrics.ts';
import type { NodeType } from '../../../proto/vocab/node.ts';
import { type CellPart, CellReader, type Packed, REST, SUM_PARTS } from './cell.ts';
import { TEN_MINUTES } from './day.ts';
import { clearPart } from './gather.ts';
import { MINUTE, SECOND } from './node-ring.ts';
import { addPart, addSlice, COUNTS, HISTOGRAMS, newPart, type Part } from './part.ts';
import type { Tools } from './tools.ts';

const MINUTES = 60;
const TENS = 144;
const SECONDS = 64;
const MOST_NAMES = 64;
/** What services beyond those are told as. */
export const OTHER_SERVICES = 'other';

export interface KeptGroup {
  readonly region: string;
  readonly nodeType: NodeType;
  readonly names: readonly string[];
  readonly minutes: readonly Packed[];
  readonly tens: readonly Packed[];
  readonly totals: Packed;
}

interface Open {
  readonly minute: number;
  readonly parts: Map<string, Part>;
}

/**
 * A region's nodes of one type together: minutes of an hour and ten minutes of a day, with histograms. There are few of
 * these, and reading one costs the same however many nodes it has; its past stays what it was when nodes go.
 */
export class GroupRing {
  readonly region: string;
  readonly nodeType: NodeType;
  private names: string[] = [];
  private open: Open | null = null;
  private minutes: Packed[] = [];
  private tens: Packed[] = [];
  private readonly all = newPart();
  private readonly byService = new Map<string, Part>();
  /** The last minute by the second in which reports came. */
  private readonly pending = new Map<string, Part>();
  private isPending = false;
  private second: Part | null = null;
  private readonly seconds: { second: number; readonly part: Part }[] = [];
  private lastAt: Millis = 0;
  private firstAt: Millis = Number.POSITIVE_INFINITY;
  /** The longest report of late: what is now is over three of those. */
  private longest = 0;
  private longestAt = 0;
  /** TTFT p95 of minutes that are over. */
  readonly ttft95 = new Map<number, number | null>();

  constructor(region: string, nodeType: NodeType) {
    this.region = region;
    this.nodeType = nodeType;
  }

  take(report: MetricsReport, at: Millis, tools: Tools): void {
    const minute = Math.floor(at / MINUTE);
    if (this.open?.minute !== minute) {
      this.settle();
      this.turn(minute, tools);
    }
    this.secondOf(at, report.sliceMs);
    for (const s of report.services) {
      const part = of(this.pending, this.nameOf(s.service));
      addSlice(part, s);
      // The mean of the minute, once it is divided by it.
      part.streams += s.streams * report.sliceMs;
    }
    this.isPending = true;
  }

  /** Adds the reports of the second that goes on wherever they count; before anything is read, and once it is over. */
  private settle(): void {
    const { open, second } = this;
    if (!this.isPending || open === null || second === null) return;
    this.isPending = false;
    for (const [name, part] of this.pending) {
      addPart(of(open.parts, name), part);
      // They are not added up over time.
      part.streams = 0;
      addPart(this.all, part);
      addPart(second, part);
      const total = of(this.byService, name);
      for (const c of COUNTS) total[c] += part[c];
      clearPart(part);
    }
  }

  /** Reports that came in the last `ms`, added to `into`. */
  addLast(into: Part, now: Millis, ms: number): void {
    this.settle();
    const last = Math.floor(now / SECOND);
    const first = Math.floor((now - ms) / SECOND) + 1;
    for (const s of this.seconds) if (s && s.second >= first && s.second <= last) addPart(into, s.part);
  }

  /** Over how long what is now is: three reports of those that report least, 10 s at least, a minute at most. */
  windowMs(): number {
    return Math.min(MINUTE, Math.max(10 * SECOND, 3 * this.longest));
  }

  isLive(now: Millis): boolean {
    return now - this.lastAt <= MINUTE;
  }

  /** How much of the last `ms` there can have been reports of. */
  covered(now: Millis, ms: number): number {
    return Math.max(0, Math.min(ms, now - this.firstAt));
  }

  /** Minutes of [first, last], all services or one, added to `into`; how many there were. */
  addMinutes(into: Part, first: number, last: number, service: string | null = null): number {
    this.settle();
    let found = 0;
    for (const cell of this.minutes) found += this.add(cell, MINUTE, into, first, last, service);
    const { open } = this;
    if (open && open.minute >= first && open.minute <= last) {
      found += 1;
      for (const [name, part] of open.parts) {
        if (service !== null && service !== name) continue;
        const streams = into.streams + part.streams / MINUTE;
        addPart(into, part);
        into.streams = streams;
      }
    }
    return found;
  }

  /** The same of times of ten minutes. */
  addTens(into: Part, first: number, last: number, service: string | null = null): number {
    let found = 0;
    for (const cell of this.tens) found += this.add(cell, TEN_MINUTES, into, first, last, service);
    return found;
  }

  /** Only grow: all, and the counters of each service. */
  totals(): { readonly all: Part; readonly services: ReadonlyMap<string, Part> } {
    this.settle();
    return { all: this.all, services: this.byService };
  }

  keep({ writer }: Tools): KeptGroup {
    this.settle();
    const { open } = this;
    // What only grows is told from now on as it lies in the file: rounded down there, it would have shrunk after it.
    for (const h of HISTOGRAMS) this.all[h].sumMs = Math.ceil(this.all[h].sumMs * SUM_PARTS) / SUM_PARTS;
    const counters = [...this.byService].map(([name, part]) => ({ index: this.indexOf(name), part }));
    const head = { from: 0, to: 0, cpuPct: null, memPct: null };
    return {
      region: this.region,
      nodeType: this.nodeType,
      names: this.names,
      minutes: open ? [...this.minutes, this.packed(open, writer)] : this.minutes,
      tens: this.tens,
      totals: writer.pack(head, [{ index: REST, part: this.all }], counters),
    };
  }

  /**
   * @param ended it was written at the end: what only grows goes on. Else some was counted and told after it, and all of
   *   that begins at 0, as a smaller number would be taken for one that had been reached anew
   * @throws RangeError when a cell is none
   */
  static from(kept: KeptGroup, ended: boolean): GroupRing {
    const group = new GroupRing(kept.region, kept.nodeType);
    group.names = [...kept.names];
    for (const cell of [...kept.minutes, ...kept.tens]) {
      const reader = new CellReader(cell);
      reader.head();
      reader.parts(() => null);
    }
    group.minutes = [...kept.minutes];
    group.tens = [...kept.tens];
    const totals = new CellReader(kept.totals);
    totals.head();
    const lost = newPart();
    totals.parts(
      () => (ended ? group.all : lost),
      (i) => {
        const total = of(group.byService, group.names[i - 1] ?? OTHER_SERVICES);
        return ended ? total : lost;
      },
    );
    return group;
  }

  private secondOf(at: Millis, reportMs: number): void {
    if (reportMs >= this.longest || at - this.longestAt > MINUTE || at < this.longestAt) {
      this.longest = reportMs;
      this.longestAt = at;
    }
    this.lastAt = at;
    this.firstAt = Math.min(this.firstAt, at - reportMs);
    const second = Math.floor(at / SECOND);
    const i = second % SECONDS;
    this.seconds[i] ??= { second, part: newPart() };
    const slot = this.seconds[i];
    if (this.second !== slot.part || slot.second !== second) this.settle();
    if (slot.second !== second) {
      clearPart(slot.part);
      slot.second = second;
    }
    this.second = slot.part;
  }

  /** Its open minute is over; with the last of ten, so are they. */
  private turn(minute: number, { writer, gather }: Tools): void {
    if (this.open) this.minutes.push(this.packed(this.open, writer));
    this.open = { minute, parts: new Map() };
    // One that was begun before a restart goes on.
    const begun = this.minutes.findIndex((c) => minuteOf(c) === minute);
    if (begun >= 0) {
      const [cell] = this.minutes.splice(begun, 1);
      const reader = new CellReader(cell as Packed);
      reader.head();
      reader.parts((i) => of((this.open as Open).parts, this.names[i - 1] ?? OTHER_SERVICES));
      for (const part of this.open.parts.values()) part.streams *= MINUTE;
    }
    const ten = Math.floor((minute * MINUTE) / TEN_MINUTES);
    const last = this.minutes.at(-1);
    const before = last === undefined ? ten : Math.floor((minuteOf(last) * MINUTE) / TEN_MINUTES);
    if (before < ten) {
      gather.clear();
      const whole = newPart();
      const first = (before * TEN_MINUTES) / MINUTE;
      const inTen = this.minutes.filter((c) => minuteOf(c) >= first && minuteOf(c) < first + 10);
      for (const cell of inTen) gather.cell(cell);
      gather.reduce(true);
      this.addMinutes(whole, first, first + 9);
      gather.streams(Math.round(whole.streams / 10));
      gather.span({ from: before * TEN_MINUTES, to: before * TEN_MINUTES, cpuPct: null, memPct: null });
      this.tens.push(gather.pack(writer));
    }
    const kept = (m: number): boolean => m > minute - MINUTES && m < minute;
    this.minutes = this.minutes.filter((c) => kept(minuteOf(c)));
    this.tens = this.tens.filter((c) => tenOf(c) > ten - TENS && tenOf(c) < ten);
    for (const m of this.ttft95.keys()) if (!kept(m)) this.ttft95.delete(m);
  }

  private packed({ minute, parts }: Open, writer: Tools['writer']): Packed {
    const from = minute * MINUTE;
    const list: CellPart[] = [...parts].map(([name, part]) => ({
      index: this.indexOf(name),
      part: { ...part, streams: part.streams / MINUTE },
    }));
    return writer.pack({ from, to: from + MINUTE, cpuPct: null, memPct: null }, list);
  }

  private add(
    cell: Packed,
    unit: number,
    into: Part,
    first: number,
    last: number,
    service: string | null,
  ): number {
    const reader = new CellReader(cell);
    const at = Math.floor(reader.head().from / unit);
    if (at < first || at > last) return 0;
    if (service === null) reader.parts(() => into);
    else {
      const index = this.names.indexOf(service) + 1;
      const only = (i: number): Part | null => (index > 0 && i === index ? into : null);
      reader.parts(only, only);
    }
    return 1;
  }

  private nameOf(service: string): string {
    if (this.names.includes(service)) return service;
    if (this.names.length >= MOST_NAMES) return OTHER_SERVICES;
    this.names.push(service);
    return service;
  }

  private indexOf(name: string): number {
    return this.names.indexOf(name) + 1;
  }
}

const minuteOf = (c: Packed): number => Math.floor(new CellReader(c).head().from / MINUTE);
const tenOf = (c: Packed): number => Math.floor(new CellReader(c).head().from / TEN_MINUTES);

function of(map: Map<string, Part>, name: string): Part {
  const known = map.get(name) ?? newPart();
  map.set(name, known);
  return known;
}
