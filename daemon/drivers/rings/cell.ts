import {
  BUCKETS_MS,
  type Histogram,
  type ServiceSlice,
  type SparseHistogram,
} from '../../../proto/vocab/metrics.ts';
import { COUNTS, HISTOGRAMS, type Part } from './part.ts';

// What happened in a time, packed: a text of bytes. 10,000 nodes have some hundred of these each, and a text costs 16
// bytes beside its content, where an array of bytes costs hundreds.

export type Packed = string;

/** Index of a part in a cell: 0 is what is of no service by name. */
export const REST = 0;

export interface CellHead {
  readonly from: number;
  readonly to: number;
  /** Per cent, to the half; `null`: not known. */
  readonly cpuPct: number | null;
  readonly memPct: number | null;
}

/** Index of the service, what happened to it; without histograms only its counters count, and they are in REST as well. */
export interface CellPart {
  readonly index: number;
  readonly part: Part;
}

const LONGEST = 256 * 1024;
/** Whole numbers of 31 bits are much cheaper than others: four bytes, and what is above. */
const HALF = 2 ** 28;

/** Packs cells; one of these is used again and again. */
export class CellWriter {
  private readonly bytes = Buffer.allocUnsafe(LONGEST);
  private at = 0;

  /** @param counters services whose counters alone are told: they are in `parts`' REST already */
  pack(head: CellHead, parts: readonly CellPart[], counters: readonly CellPart[] = []): Packed {
    this.at = 0;
    this.head(head);
    this.number(parts.length);
    for (const { index, part } of parts) {
      this.number(index);
      this.counts(part);
      for (const h of HISTOGRAMS) this.histogram(part[h]);
    }
    this.number(counters.length);
    for (const { index, part } of counters) {
      this.number(index);
      this.counts(part);
    }
    return this.bytes.toString('latin1', 0, this.at);
  }

  /** A report as it came: the same bytes as of its parts, without making them. */
  report(head: CellHead, services: readonly ServiceSlice[], indices: readonly number[]): Packed {
    this.at = 0;
    this.head(head);
    let parts = 0;
    for (const s of services) if (isAnySlice(s)) parts += 1;
    this.number(parts);
    services.forEach((s, i) => {
      if (!isAnySlice(s)) return;
      this.number(indices[i] ?? REST);
      this.counts(s);
      this.sparse(s.connect);
      this.sparse(s.ttft);
      this.sparse(s.gap);
    });
    this.number(0);
    return this.bytes.toString('latin1', 0, this.at);
  }

  private head({ from, to, cpuPct, memPct }: CellHead): void {
    this.number(from);
    this.number(Math.max(0, to - from));
    this.percent(cpuPct);
    this.percent(memPct);
  }

  /** Its indices ascend. */
  private sparse({ index, count, sumMs }: SparseHistogram): void {
    const first = index[0];
    const last = index.at(-1);
    if (first === undefined || last === undefined) {
      this.number(0);
      return;
    }
    this.number(last - first + 1);
    this.number(first);
    let at = first;
    for (let i = 0; i < index.length; i++) {
      const to = index[i] as number;
      while (at++ < to) this.bytes[this.at++] = 0;
      this.number(count[i] as number);
    }
    this.number(Math.round(sumMs * SUM_PARTS));
  }

  private counts(p: Part | ServiceSlice): void {
    this.number(p.streams);
    // Most of them are 0: those that are not are told by a mask. Written out in the order of COUNTS, as in `addSlice`.
    const {
      requests,
      errors,
      abortedClient,
      abortedOrigin,
      abortedTunnel,
      bytesIn,
      bytesOut,
      opened,
      closed,
    } = p;
    let mask = 0;
    if (requests > 0) mask |= 1;
    if (errors > 0) mask |= 2;
    if (abortedClient > 0) mask |= 4;
    if (abortedOrigin > 0) mask |= 8;
    if (abortedTunnel > 0) mask |= 16;
    if (bytesIn > 0) mask |= 32;
    if (bytesOut > 0) mask |= 64;
    if (opened > 0) mask |= 128;
    if (closed > 0) mask |= 256;
    this.number(mask);
    if (requests > 0) this.number(requests);
    if (errors > 0) this.number(errors);
    if (abortedClient > 0) this.number(abortedClient);
    if (abortedOrigin > 0) this.number(abortedOrigin);
    if (abortedTunnel > 0) this.number(abortedTunnel);
    if (bytesIn > 0) this.number(bytesIn);
    if (bytesOut > 0) this.number(bytesOut);
    if (opened > 0) this.number(opened);
    if (closed > 0) this.number(closed);
  }

  private histogram(h: Histogram): void {
    const { counts } = h;
    let first = 0;
    while (first < counts.length && !counts[first]) first += 1;
    let last = counts.length - 1;
    while (last >= first && !counts[last]) last -= 1;
    this.number(last - first + 1);
    if (last < first) return;
    this.number(first);
    for (let i = first; i <= last; i++) this.number(counts[i] ?? 0);
    this.number(Math.round(h.sumMs * SUM_PARTS));
  }

  private percent(v: number | null): void {
    this.number(v === null ? 0 : 1 + Math.round(Math.min(100, Math.max(0, v)) * 2));
  }

  /** Seven bits a byte, the lowest first, the highest bit says that more follow. */
  private number(v: number): void {
    if (v >= 0 && v < 127) {
      this.bytes[this.at++] = Math.round(v);
      return;
    }
    let n = Number.isFinite(v) && v > 0 ? Math.round(v) : 0;
    if (n >= HALF) {
      let low = n % HALF;
      n = Math.floor(n / HALF);
      for (let i = 0; i < 4; i++, low >>>= 7) this.bytes[this.at++] = 128 | (low & 127);
    }
    for (; n >= 128; n >>>= 7) this.bytes[this.at++] = 128 | (n & 127);
    this.bytes[this.at++] = n;
  }
}

/** Sums of a millisecond's parts: finer than that nothing is kept. */
export const SUM_PARTS = 16;

function isAnySlice(s: ServiceSlice): boolean {
  // Nearly always by the first two.
  if (s.streams > 0 || s.requests > 0) return true;
  return COUNTS.some((c) => s[c] > 0) || HISTOGRAMS.some((h) => s[h].index.length > 0);
}

/** Reads one cell; throws RangeError when the text is no cell. */
export class CellReader {
  private readonly text: Packed;
  private at = 0;

  constructor(text: Packed) {
    this.text = text;
  }

  head(): CellHead {
    const from = this.number();
    const to = from + this.number();
    return { from, to, cpuPct: this.percent(), memPct: this.percent() };
  }

  /**
   * After the head.
   * @param into where what is of a service is added, by its index; `null`: it is passed over
   * @param also the same for services of which there are counters only
   */
  parts(into: (index: number) => Part | null, also?: (index: number) => Part | null): void {
    for (let n = this.number(); n > 0; n--) {
      const part = into(this.number());
      this.counts(part);
      for (const h of HISTOGRAMS) this.histogram(part?.[h] ?? null);
    }
    for (let n = this.number(); n > 0; n--) {
      const index = this.number();
      this.counts(also ? also(index) : null);
    }
    if (this.at !== this.text.length) throw new RangeError('more than a cell');
  }

  private counts(p: Part | null): void {
    const streams = this.number();
    if (p) p.streams += streams;
    let mask = this.number();
    for (let i = 0; mask !== 0 && i < COUNTS.length; i++, mask >>= 1) {
      if ((mask & 1) === 0) continue;
      const v = this.number();
      const c = COUNTS[i];
      if (p && c) p[c] += v;
    }
  }

  private histogram(h: Histogram | null): void {
    const length = this.number();
    if (length === 0) return;
    const first = this.number();
    if (first + length > BUCKETS_MS.length + 1) throw new RangeError('no such bucket');
    if (h) this.buckets(h, first, first + length);
    else for (let i = 0; i < length; i++) this.number();
    const sum = this.number();
    if (h) h.sumMs += sum / SUM_PARTS;
  }

  /** Most of what is read anywhere: nearly all of these are one byte. */
  private buckets(h: Histogram, first: number, end: number): void {
    const { text } = this;
    const { counts } = h;
    let { at } = this;
    let total = 0;
    for (let i = first; i < end; i++) {
      let n = text.charCodeAt(at);
      if (n < 128) at += 1;
      else {
        // Of more bytes, or behind the end, where no code is less than anything.
        this.at = at;
        n = this.number();
        at = this.at;
      }
      if (n === 0) continue;
      counts[i] = (counts[i] as number) + n;
      total += n;
    }
    this.at = at;
    h.total += total;
  }

  private percent(): number | null {
    const v = this.number();
    return v === 0 ? null : (v - 1) / 2;
  }

  private number(): number {
    const only = this.text.charCodeAt(this.at);
    if (only < 128) {
      this.at += 1;
      return only;
    }
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const b = this.byte();
      low |= (b & 127) << shift;
      if (b < 128) return low;
    }
    let high = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const b = this.byte();
      high |= (b & 127) << shift;
      if (b < 128) return low + high * HALF;
    }
    throw new RangeError('the cell is cut');
  }

  private byte(): number {
    const b = this.text.charCodeAt(this.at++);
    // Behind the end there is no code.
    if (!(b < 256)) throw new RangeError('the cell is cut');
    return b;
  }
}
