import { BUCKETS_MS, Histogram, type MetricsReport, type ServiceSlice } from '../../proto/vocab/metrics.ts';
import type { Chance } from './chance.ts';
import { type Planned, REGIONS, type Region } from './plan.ts';

/** What a version does to the streams of those who run it: factors, and percent more. */
export interface Effect {
  readonly ttft?: number;
  readonly gap?: number;
  readonly connect?: number;
  readonly traffic?: number;
  readonly errorPct?: number;
  readonly abortedPct?: number;
  /** The sum of its times to the first token is no number. */
  readonly noNumber?: boolean;
}

const SERVICE = 'chat';
const HOUR_MS = 3_600_000;
/** Requests a second and streams of a node at the height of its day, medians over the fleet. */
const RPS = 3;
const STREAMS = 45;
const TOKENS = 90;
const SIGMA = { ttft: 0.55, gap: 0.45, connect: 0.4 };
const ERROR_PCT = 0.2;
const ABORTED_PCT = 0.15;
const BAD: Effect = { ttft: 3, gap: 1.6, errorPct: 8, abortedPct: 4 };
/** So many are drawn one by one; of more, each bucket gets its share with the noise that such a count has. */
const MOST_DRAWN = 48;

/** What one node would report: streams that follow the sun, times that are log-normal about its region's. */
export class Traffic {
  readonly #region: Region;
  readonly #chance: Chance;
  readonly #size: number;
  readonly #slow: number;
  readonly #bad: Effect;
  #streams = 0;

  constructor(node: Planned, chance: Chance) {
    this.#region = REGIONS.find((r) => r.name === node.region) ?? (REGIONS[0] as Region);
    this.#chance = chance;
    // A few nodes carry much more than most, and no two are equally fast.
    this.#size = chance.logNormal(1, 0.5);
    this.#slow = chance.logNormal(1, 0.06);
    this.#bad = node.bad ? BAD : {};
  }

  report(args: {
    readonly instance: string;
    readonly from: number;
    readonly now: number;
    readonly effect: Effect;
  }): MetricsReport {
    const { instance, from, now, effect } = args;
    const sliceMs = Math.max(0, now - from);
    const busy = this.#daylight(now) * this.#size * (effect.traffic ?? 1);
    const slice = this.#slice((sliceMs / 1000) * RPS * busy, STREAMS * busy, effect);
    const chance = this.#chance;
    return {
      engineInstance: instance,
      from,
      sliceMs,
      services: [slice],
      host: {
        cpuPct: Math.min(100, 6 + 22 * busy + 2 * Math.abs(chance.normal())),
        memPct: Math.min(100, 30 + 9 * busy + Math.abs(chance.normal())),
        openFiles: 60 + 2 * this.#streams,
        diskFreeBytes: 41_000_000_000,
      },
      log: [],
    };
  }

  /** 0.35 at four in the morning, 1 at four in the afternoon. */
  #daylight(now: number): number {
    const hour = (now / HOUR_MS + this.#region.utcHours) % 24;
    return 0.675 - 0.325 * Math.cos((2 * Math.PI * (hour - 4)) / 24);
  }

  #slice(expected: number, streams: number, effect: Effect): ServiceSlice {
    const chance = this.#chance;
    const r = this.#region;
    const part = (n: number, pct: number): number => chance.poisson((n * pct) / 100);
    const asked = chance.poisson(expected);
    const errors = Math.min(
      asked,
      part(asked, ERROR_PCT + (effect.errorPct ?? 0) + (this.#bad.errorPct ?? 0)),
    );
    const requests = asked - errors;
    const before = this.#streams;
    this.#streams = chance.poisson(streams);
    const closed = chance.poisson(requests / 6);
    const times = (n: number, what: 'ttft' | 'gap' | 'connect', median: number): ServiceSlice['ttft'] => {
      const factor = this.#slow * (effect[what] ?? 1) * (this.#bad[what] ?? 1);
      return sampled(chance, n, median * factor, SIGMA[what]).toSparse();
    };
    const ttft = times(requests, 'ttft', r.ttftMs);
    return {
      service: SERVICE,
      streams: this.#streams,
      opened: Math.max(0, closed + this.#streams - before),
      closed,
      errors,
      abortedClient: part(requests, 1.2),
      abortedOrigin: part(requests, ABORTED_PCT),
      abortedTunnel: part(requests, (effect.abortedPct ?? 0) + (this.#bad.abortedPct ?? 0)),
      bytesIn: requests * 1800,
      bytesOut: requests * TOKENS * 140,
      requests,
      connect: times(closed, 'connect', r.connectMs),
      ttft: { ...ttft, ...(effect.noNumber ? { sumMs: Number.NaN } : {}) },
      gap: times(requests * TOKENS, 'gap', r.gapMs),
    };
  }
}

function sampled(chance: Chance, n: number, median: number, sigma: number): Histogram {
  const h = new Histogram();
  if (n <= MOST_DRAWN) {
    for (let i = 0; i < n; i++) h.observe(chance.logNormal(median, sigma));
    return h;
  }
  let below = 0;
  let left = n;
  for (let i = 0; i < BUCKETS_MS.length && left > 0; i++) {
    const upper = BUCKETS_MS[i] as number;
    const upTo = normalCdf(Math.log(upper / median) / sigma);
    const count = Math.min(left, chance.poisson(n * (upTo - below)));
    below = upTo;
    left -= count;
    if (count === 0) continue;
    h.merge({ index: [i], count: [count], sumMs: count * upper * 0.92 });
  }
  return h;
}

/** [Abramowitz and Stegun 26.2.17], good to 7e-8. */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x >= 0 ? 1 - tail : tail;
}
