import type { ServiceSlice } from '../../../proto/vocab/metrics.ts';
import { type CellHead, type CellPart, CellReader, type CellWriter, type Packed, REST } from './cell.ts';
import { addPart, addSlice, COUNTS, HISTOGRAMS, newPart, type Part } from './part.ts';

/**
 * Sums by a service's index, in the order in which they were first asked for. Sums are large and short-lived: they are used
 * again, and nothing is made for being emptied, which comes with every minute of every node.
 */
class Sums {
  private readonly indices: number[] = [];
  private readonly parts: Part[] = [];
  /** How many of those are in use. */
  private used = 0;

  of(index: number): Part {
    for (let i = 0; i < this.used; i++) if (this.indices[i] === index) return this.parts[i] as Part;
    const at = this.used++;
    this.indices[at] = index;
    this.parts[at] ??= newPart();
    return this.parts[at];
  }

  all(): CellPart[] {
    const all: CellPart[] = [];
    for (let i = 0; i < this.used; i++) {
      all.push({ index: this.indices[i] as number, part: this.parts[i] as Part });
    }
    return all;
  }

  settle(): void {
    for (let i = 0; i < this.used; i++) (this.parts[i] as Part).streams = 0;
  }

  clear(): void {
    for (let i = 0; i < this.used; i++) clearPart(this.parts[i] as Part);
    this.used = 0;
  }
}

export function clearPart(p: Part): void {
  for (const c of COUNTS) p[c] = 0;
  p.streams = 0;
  for (const h of HISTOGRAMS) {
    p[h].counts.fill(0);
    p[h].sumMs = 0;
    p[h].total = 0;
  }
}

/** What goes into one cell: whole sums of some services, counters only of the others, which REST holds as well. */
export class Gather {
  private readonly parts = new Sums();
  private readonly counters = new Sums();
  private from = Number.POSITIVE_INFINITY;
  private to = 0;
  private cpuPct: number | null = null;
  private memPct: number | null = null;

  clear(): void {
    this.parts.clear();
    this.counters.clear();
    this.from = Number.POSITIVE_INFINITY;
    this.to = 0;
    this.cpuPct = null;
    this.memPct = null;
  }

  /** @param whole whether all of the service is told, or its counters only */
  slice(index: number, s: ServiceSlice, whole: boolean): void {
    const part = this.parts.of(whole ? index : REST);
    addSlice(part, s);
    part.streams += s.streams;
    if (whole || index === REST) return;
    const counted = this.counters.of(index);
    for (const c of COUNTS) counted[c] += s[c];
    counted.streams += s.streams;
  }

  span(head: CellHead): void {
    this.from = Math.min(this.from, head.from);
    this.to = Math.max(this.to, head.to);
    this.cpuPct = head.cpuPct ?? this.cpuPct;
    this.memPct = head.memPct ?? this.memPct;
  }

  /** Adds a cell. What is now is that of the newest: add cells in their order, the newest last. */
  cell(packed: Packed): void {
    const reader = new CellReader(packed);
    this.span(reader.head());
    this.settle();
    reader.parts(
      (i) => this.parts.of(i),
      (i) => this.counters.of(i),
    );
  }

  /** Streams are not added up over time. */
  settle(): void {
    this.parts.settle();
    this.counters.settle();
  }

  /** Of all together. */
  streams(n: number): void {
    this.parts.of(REST).streams = n;
  }

  /** All in one sum, `counted` with the services' counters beside it. */
  reduce(counted: boolean): void {
    for (const { index, part } of this.parts.all()) {
      if (index === REST) continue;
      if (counted) {
        const c = this.counters.of(index);
        for (const k of COUNTS) c[k] += part[k];
        c.streams += part.streams;
      }
      addPart(this.parts.of(REST), part);
      clearPart(part);
    }
    if (!counted) this.counters.clear();
  }

  pack(writer: CellWriter): Packed {
    const { from, to, cpuPct, memPct } = this;
    const head = { from: Number.isFinite(from) ? from : to, to, cpuPct, memPct };
    return writer.pack(head, this.parts.all().filter(isAny), this.counters.all().filter(isAny));
  }
}

function isAny({ part }: CellPart): boolean {
  return part.streams > 0 || COUNTS.some((c) => part[c] > 0) || HISTOGRAMS.some((h) => part[h].total > 0);
}
