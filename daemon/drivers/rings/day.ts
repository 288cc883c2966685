import type { Part } from './part.ts';

// Ten minutes each, for a day: what is told of a node once its histograms are gone. Quantiles cannot be merged, counters can.

export const TEN_MINUTES = 600_000;
/** Minutes of them: nodes put what is over into their day in one of these each. */
export const TENTHS = 10;
const SLOTS = 144;
const FIELDS = [
  'requests',
  'errors',
  'abortedClient',
  'abortedOrigin',
  'abortedTunnel',
  'bytesIn',
  'bytesOut',
  'streams',
  'ttft50Ms',
  'ttft95Ms',
  'gap99Ms',
  'connect99Ms',
] as const;
type Field = (typeof FIELDS)[number];

export type DayValues = Readonly<Record<Field, number | null>> & {
  readonly cpuPct: number | null;
  readonly memPct: number | null;
};

const WIDTH = FIELDS.length + 2; // the slot before, processor and memory behind
/** Numbers are kept to 0.02 %, up to 2^40. */
const STEPS = 1600;

/** A day of one node, in 4 KB. */
export class Day {
  readonly words: Uint16Array<ArrayBufferLike>;

  constructor(words: Uint16Array<ArrayBufferLike> = new Uint16Array(SLOTS * WIDTH)) {
    this.words = words;
  }

  put(at: number, part: Part, host: { cpuPct: number | null; memPct: number | null }): void {
    const slot = Math.floor(at / TEN_MINUTES);
    const start = (slot % SLOTS) * WIDTH;
    const values: Record<Field, number | null> = {
      ...part,
      ttft50Ms: part.ttft.quantile(0.5),
      ttft95Ms: part.ttft.quantile(0.95),
      gap99Ms: part.gap.quantile(0.99),
      connect99Ms: part.connect.quantile(0.99),
    };
    this.words[start] = numberOf(slot);
    FIELDS.forEach((f, i) => {
      this.words[start + 1 + i] = packed(values[f]);
    });
    this.words[start + WIDTH - 1] = halves(host.cpuPct) * 256 + halves(host.memPct);
  }

  /** @param slot counted in ten minutes since the epoch */
  has(slot: number): boolean {
    return this.words[(slot % SLOTS) * WIDTH] === numberOf(slot);
  }

  /** A clock that was set back: of that slot and those after it nothing is known yet. */
  forgetFrom(slot: number): void {
    for (let later = slot; later < slot + SLOTS; later++) {
      if (this.has(later)) this.words[(later % SLOTS) * WIDTH] = 0;
    }
  }

  /** Of the ten minutes that `at` lies in; `null`: nothing is known, or it is more than a day ago. */
  at(at: number): DayValues | null {
    const slot = Math.floor(at / TEN_MINUTES);
    const start = (slot % SLOTS) * WIDTH;
    if (!this.has(slot)) return null;
    const read = (f: Field): number | null => unpacked(this.words[start + 1 + FIELDS.indexOf(f)] ?? 0);
    const host = this.words[start + WIDTH - 1] ?? 0;
    const values = Object.fromEntries(FIELDS.map((f) => [f, read(f)])) as Record<Field, number | null>;
    return { ...values, cpuPct: unhalved(host >> 8), memPct: unhalved(host & 255) };
  }
}

/** 0 says that there is nothing: it is no slot's number. */
const numberOf = (slot: number): number => 1 + (slot % 65_535);

function packed(v: number | null): number {
  return v === null ? 0 : 1 + Math.min(65_534, Math.round(Math.log2(1 + Math.max(0, v)) * STEPS));
}

function unpacked(w: number): number | null {
  return w === 0 ? null : 2 ** ((w - 1) / STEPS) - 1;
}

function halves(pct: number | null): number {
  return pct === null ? 0 : 1 + Math.round(Math.min(100, Math.max(0, pct)) * 2);
}

function unhalved(b: number): number | null {
  return b === 0 ? null : (b - 1) / 2;
}
