import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeName, RolloutId } from '../../../proto/vocab/ids.ts';
import { BUCKETS_MS, bucketOf, Histogram, type MetricsWindow } from '../../../proto/vocab/metrics.ts';
import type { Reading } from '../../../proto/vocab/rollout.ts';
import type { ReadingRequest, WindowAsk } from './facts.ts';
import { read } from './gates.ts';
import { chanceOfRatio, smoothQuantile, upperTail } from './statistics.ts';
import { strategyNamed } from './strategies.ts';

const gates = strategyNamed('standard').gates;
const ask = (side: WindowAsk['side'], node: string, group = 'hk'): WindowAsk => ({
  side,
  node: node as NodeName,
  group,
  since: 0,
  until: 1,
});
const request = (...asks: WindowAsk[]): ReadingRequest => ({
  rollout: '31' as RolloutId,
  step: 0,
  number: 2,
  asks,
});
const both = request(ask('canary', 'c'), ask('stable', 's'));

/** Spread evenly over a factor of 4 around `ms`. */
function spread(n: number, ms: number): Histogram {
  const h = new Histogram();
  for (let i = 0; i < n; i++) h.observe(ms * 4 ** ((i + 0.5) / n - 0.5));
  return h;
}
interface Made {
  readonly n?: number;
  readonly ttft?: number;
  readonly gap?: number;
  readonly errors?: number;
  readonly aborted?: number;
}
function window({ n = 10_000, ttft = 600, gap = 25, errors = 20, aborted = 10 }: Made = {}): MetricsWindow {
  const none = { index: [], count: [], sumMs: 0 };
  return {
    requests: n - errors,
    errors,
    aborted,
    ttft: n > 0 ? spread(n, ttft).toSparse() : none,
    gap: n > 0 ? spread(n * 3, gap).toSparse() : none,
    connect: none,
  };
}
const reading = (
  windows: Readonly<Record<string, MetricsWindow | null>>,
  r: ReadingRequest = both,
): Reading => read(r, (node) => windows[node] ?? null, gates, 77);
const verdicts = (r: Reading): Record<string, string> =>
  Object.fromEntries(r.gates.map((g) => [g.gate, g.verdict]));

describe('a reading', () => {
  it('of equal sides passes, and says what it saw', () => {
    const r = reading({ c: window(), s: window() });
    expect(r).toMatchObject({ at: 77, number: 2, step: 0, verdict: 'pass', why: '' });
    expect(verdicts(r)).toEqual({ ttft95: 'pass', gap99: 'pass', errors: 'pass', aborted: 'pass' });
    expect(r.gates[0]).toMatchObject({ region: 'hk', canarySamples: 10_000, canaryNodes: 1, stableNodes: 1 });
    expect(r.gates[0]?.change).toBe(0);
    expect(r.gates[0]?.canary).toBeGreaterThan(1000);
  });

  it.each<[string, Made, string, RegExp]>([
    ['TTFT + 35 %', { ttft: 810 }, 'ttft95', /^hk TTFT p95 \+3\d\.\d % of \+25 %$/],
    ['gaps + 40 %', { gap: 35 }, 'gap99', /^hk gap p99 \+\d\d\.\d % of \+25 %$/],
    ['errors + 5 points', { errors: 520 }, 'errors', /^hk errors \+5\.00 pt of \+0\.30 pt$/],
    ['aborted + 1 point', { aborted: 110 }, 'aborted', /^hk aborted \+1\.00 pt of \+0\.30 pt$/],
  ])('%s fails that gate and no other', (_, made, gate, why) => {
    const r = reading({ c: window(made), s: window() });
    expect(r.verdict).toBe('fail');
    expect(r.why).toMatch(why);
    expect(r.gates.filter((g) => g.verdict === 'fail').map((g) => g.gate)).toEqual([gate]);
  });

  it('within a tenth of a limit is close, and passes', () => {
    const r = reading({ c: window({ errors: 48 }), s: window() });
    expect(r).toMatchObject({ verdict: 'close', why: 'hk errors +0.28 pt of +0.30 pt' });
    const big = reading({ c: window({ n: 400_000, ttft: 600 * 1.235 }), s: window({ n: 400_000 }) });
    expect(big.verdict).toBe('close');
  });

  it('better is no failure', () => {
    expect(reading({ c: window({ ttft: 300, errors: 0 }), s: window() }).verdict).toBe('pass');
  });

  it('less than 2 ms more is nobody’s', () => {
    const [slow, fast] = [window({ gap: 0.9 }), window({ gap: 0.5 })];
    expect(verdicts(reading({ c: slow, s: fast }))['gap99']).toBe('pass');
  });

  it('no region hides behind another', () => {
    const r = reading(
      { c: window(), s: window(), d: window({ ttft: 900 }), t: window() },
      request(ask('canary', 'c'), ask('stable', 's'), ask('canary', 'd', 'sg'), ask('stable', 't', 'sg')),
    );
    expect(r.verdict).toBe('fail');
    expect(r.why).toMatch(/^sg TTFT/);
    expect(r.gates.map((g) => `${g.region} ${g.gate}`)).toEqual(
      ['hk', 'sg'].flatMap((x) => ['ttft95', 'gap99', 'errors', 'aborted'].map((g) => `${x} ${g}`)),
    );
  });

  it('compares with the canaries’ own past where there is no peer', () => {
    const r = read(
      request(ask('canary', 'c'), { ...ask('past', 'c'), since: -600, until: -1 }),
      (_, since) => (since < 0 ? window() : window({ ttft: 900 })),
      gates,
      77,
    );
    expect(r.verdict).toBe('fail');
    expect(r.gates[0]?.stableNodes).toBe(0);
  });

  it('streams without any gap on either side have no gap gate; a side that lost them cannot be told', () => {
    const none = { index: [], count: [], sumMs: 0 };
    const [whole, plain] = [window(), { ...window(), gap: none }];
    expect(verdicts(reading({ c: plain, s: plain }))).toEqual({
      ttft95: 'pass',
      errors: 'pass',
      aborted: 'pass',
    });
    expect(verdicts(reading({ c: plain, s: whole }))['gap99']).toBe('inconclusive');
  });
});

describe('cannot tell', () => {
  it.each<[string, Readonly<Record<string, MetricsWindow | null>>, RegExp]>([
    ['no window at all', {}, /^hk TTFT p95 has 0 of 1,000 samples$/],
    ['no canary', { s: window() }, /has 0 of 1,000 samples$/],
    ['no peer', { c: window() }, /has 0 of 1,000 samples of its stable peers$/],
    ['no traffic', { c: window({ n: 0, errors: 0, aborted: 0 }), s: window() }, /has 0 of 1,000 samples/],
    ['3 samples', { c: window({ n: 3, errors: 0, aborted: 0 }), s: window() }, /has 3 of 1,000 samples$/],
    ['999', { c: window({ n: 999, errors: 0, aborted: 0 }), s: window() }, /has 999 of 1,000 samples$/],
  ])('%s', (_, windows, why) => {
    const r = reading(windows);
    expect(r.verdict).toBe('inconclusive');
    expect(r.why).toMatch(why);
  });

  it('nobody to measure', () => {
    expect(reading({}, request())).toMatchObject({ verdict: 'inconclusive', gates: [], largest: null });
  });

  it('over the limit by what may be chance', () => {
    const r = reading({
      c: window({ n: 1000, errors: 4, aborted: 0 }),
      s: window({ n: 1000, errors: 0, aborted: 0 }),
    });
    expect(r.verdict).toBe('inconclusive');
    expect(r.why).toBe('hk errors +0.40 pt of +0.30 pt, which 1,000 samples cannot settle');
  });

  it('whatever is no number, wherever it stands, never passes', () => {
    const wrong = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1);
    const field = fc.constantFrom('requests', 'errors', 'aborted');
    const part = fc.tuple(
      fc.constantFrom('ttft', 'gap'),
      fc.constantFrom('index', 'count', 'sumMs'),
      fc.nat({ max: 5 }),
    );
    fc.assert(
      fc.property(wrong, fc.constantFrom('c', 's'), fc.oneof(field, part), (bad, side, where) => {
        const w = structuredClone(window()) as unknown as Record<string, unknown>;
        if (typeof where === 'string') w[where] = bad;
        else {
          const h = w[where[0]] as Record<string, unknown>;
          if (where[1] === 'sumMs') h['sumMs'] = bad;
          else (h[where[1]] as number[])[where[2]] = bad;
        }
        const spoilt = w as unknown as MetricsWindow;
        const r = reading(side === 'c' ? { c: spoilt, s: window() } : { c: window(), s: spoilt });
        expect(r.verdict).toBe('inconclusive');
        expect(r.why).toMatch(/reported what is no number$/);
      }),
      { seed: 1 },
    );
  });

  it('a gate that fails counts, whatever the others cannot tell', () => {
    const down = {
      ...window({ n: 5000, errors: 5000, aborted: 0 }),
      ttft: { index: [], count: [], sumMs: 0 },
    };
    expect(reading({ c: down, s: window() })).toMatchObject({ verdict: 'fail' });
  });
});

describe('the largest contributor', () => {
  const three = request(ask('canary', 'a'), ask('canary', 'b'), ask('canary', 'c'), ask('stable', 's'));
  it('is the node without which the gate would look best', () => {
    const r = reading({ a: window(), b: window({ ttft: 2400 }), c: window(), s: window() }, three);
    expect(r.verdict).toBe('fail');
    expect(r.largest).toMatchObject({ node: 'b', gate: 'ttft95', region: 'hk' });
    expect(r.largest?.value).toBeGreaterThan(4000);
    expect(Math.abs(r.largest?.changeWithout ?? 99)).toBeLessThan(3);
  });

  it('of a ratio', () => {
    const r = reading({ a: window(), b: window(), c: window({ errors: 320 }), s: window() }, three);
    expect(r.largest).toEqual({
      node: 'c',
      gate: 'errors',
      region: 'hk',
      value: 3.2,
      without: 0.2,
      changeWithout: 0,
    });
  });

  it('alone there is nothing without it', () => {
    const r = reading({ c: window({ ttft: 900 }), s: window() });
    expect(r.largest).toMatchObject({ node: 'c', without: null, changeWithout: null });
  });
});

describe('statistics', () => {
  it('the normal tail and the exact chance of a ratio', () => {
    for (const [z, p] of [
      [0, 0.5],
      [1.645, 0.05],
      [2.326, 0.01],
      [3.29, 0.0005],
    ] as const)
      expect(upperTail(z)).toBeCloseTo(p, 4);
    expect(upperTail(-1.645)).toBeCloseTo(0.95, 4);
    // All 3 of 3 on one of two equal sides: 1/8; 3 of 4: (4 + 1)/16.
    expect(chanceOfRatio(3, 1000, 0, 1000)).toBeCloseTo(1 / 8, 9);
    expect(chanceOfRatio(3, 1000, 1, 1000)).toBeCloseTo(5 / 16, 9);
    expect(chanceOfRatio(0, 1000, 9, 1000)).toBe(1);
    expect(chanceOfRatio(2600, 1e6, 2500, 1e6)).toBeCloseTo(chanceOfRatio(2450, 1e6, 2352, 1e6), 1);
  });

  it('a quantile is found within a fiftieth, wherever the buckets lie: a straight line is off by more than twice that', () => {
    let smooth = 0;
    let straight = 0;
    const zs = Array.from({ length: 5000 }, (_, i) => normalQuantile((i + 0.5) / 5000));
    for (const sigma of [0.15, 0.3, 0.5, 0.8]) {
      for (let at = 100; at < 120; at += 2) {
        const h = new Histogram();
        for (const z of zs) h.observe(at * Math.exp(sigma * z));
        const exact = at * Math.exp(sigma * 1.6449);
        smooth = Math.max(smooth, Math.abs(smoothQuantile(h, 0.95) / exact - 1));
        straight = Math.max(straight, Math.abs((h.quantile(0.95) ?? 0) / exact - 1));
      }
    }
    expect(smooth).toBeLessThan(0.02);
    expect(straight).toBeGreaterThan(0.04);
  });
});

/** Inverse of the normal distribution, by halving. */
function normalQuantile(p: number): number {
  let [lo, hi] = [-8, 8];
  for (let i = 0; i < 40; i++) {
    const mid = (lo + hi) / 2;
    if (1 - upperTail(mid) < p) lo = mid;
    else hi = mid;
  }
  return (lo + hi) / 2;
}

// The whole analysis, as a rollout runs it: readings at growing samples, three in a row that pass or it does not go on.

function randomOf(seed: number): () => number {
  let s = seed;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Poisson: by its own law where few are expected, by the normal one where many are. */
function arrivals(random: () => number, mean: number): number {
  if (mean > 40) {
    const z = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * z));
  }
  let [k, p] = [0, Math.exp(-mean)];
  let left = random() - p;
  while (left > 0 && k < 200) {
    k += 1;
    p *= mean / k;
    left -= p;
  }
  return k;
}

/** 200,000 times of one log-normal distribution, put into buckets; each bucket of a side then gets its own arrivals. */
class Pool {
  readonly #of = new Histogram();
  readonly #mean = new Float64Array(BUCKETS_MS.length + 1);
  constructor(random: () => number, median: number, sigma: number, factor = 1) {
    for (let i = 0; i < 200_000; i++) {
      const z = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      const ms = median * Math.exp(sigma * z) * factor;
      this.#of.observe(ms);
      this.#mean[bucketOf(ms)] = (this.#mean[bucketOf(ms)] ?? 0) + ms;
    }
  }
  draw(random: () => number, n: number, into: Histogram): void {
    for (let i = 0; i < this.#mean.length; i++) {
      const all = this.#of.counts[i] ?? 0;
      if (all === 0) continue;
      const came = arrivals(random, (n * all) / this.#of.total);
      into.counts[i] = (into.counts[i] ?? 0) + came;
      into.sumMs += (came * (this.#mean[i] ?? 0)) / all;
      into.total += came;
    }
  }
}

interface Traffic {
  readonly ttft: Pool;
  readonly gap: Pool;
  readonly errors: number;
  readonly aborted: number;
}

class Carried {
  readonly #ttft = new Histogram();
  readonly #gap = new Histogram();
  #errors = 0;
  #aborted = 0;
  more(random: () => number, n: number, t: Traffic): void {
    this.#errors += arrivals(random, n * t.errors);
    this.#aborted += arrivals(random, n * t.aborted);
    t.ttft.draw(random, n * (1 - t.errors), this.#ttft);
    t.gap.draw(random, n * 20, this.#gap);
  }
  window(): MetricsWindow {
    return {
      requests: this.#ttft.total,
      errors: this.#errors,
      aborted: this.#aborted,
      ttft: this.#ttft.toSparse(),
      gap: this.#gap.toSparse(),
      connect: { index: [], count: [], sumMs: 0 },
    };
  }
}

type Outcome = 'promoted' | 'aborted' | 'paused';
function analysis(
  random: () => number,
  sizes: readonly [number, number],
  canary: Traffic,
  stable: Traffic,
): Outcome {
  const [c, s] = [new Carried(), new Carried()];
  let row = 0;
  // The window is full after five readings: then it pauses.
  for (let k = 0; k < 5; k++) {
    // The least that a side must have, and a bit: errors have no TTFT.
    const more = k === 0 ? 1.1 : 0.6;
    c.more(random, Math.ceil(sizes[0] * more), canary);
    s.more(random, Math.ceil(sizes[1] * more), stable);
    const { verdict } = reading({ c: c.window(), s: s.window() });
    if (verdict === 'fail') return 'aborted';
    row = verdict === 'inconclusive' ? 0 : row + 1;
    if (row === gates.readings) return 'promoted';
  }
  return 'paused';
}

describe('over 1,000 analyses', () => {
  const random = randomOf(20261126);
  const like: Traffic = {
    ttft: new Pool(random, 600, 0.8),
    gap: new Pool(random, 25, 0.5),
    errors: 0.0025,
    aborted: 0.0015,
  };
  const run = (times: number, sizes: readonly [number, number], canary: Traffic): Record<Outcome, number> => {
    const out = { promoted: 0, aborted: 0, paused: 0 };
    for (let i = 0; i < times; i++) out[analysis(random, sizes, canary, like)] += 1;
    return out;
  };

  it.each<[number, number]>([
    [1000, 1000],
    [1000, 5000],
    [3000, 3000],
    [5000, 20_000],
  ])('of equal sides, %d samples against %d: less than 1 in 100 aborts', (c, s) => {
    const out = run(1000, [c, s], like);
    expect(out.aborted).toBeLessThan(10);
    // A person is asked more often where samples are fewest, and even there seldom.
    expect(out.paused).toBeLessThan(50);
  });

  it.each<[string, Partial<Traffic>, number]>([
    ['TTFT + 30 %', { ttft: new Pool(random, 600, 0.8, 1.3) }, 0.8],
    ['gaps + 35 %', { gap: new Pool(random, 25, 0.5, 1.35) }, 0.95],
    ['errors + 5 points', { errors: 0.0525 }, 0.99],
    ['aborted + 5 points', { aborted: 0.0515 }, 0.99],
  ])('%s is not promoted in 99 of 100, at the fewest samples there may be', (_, change, aborts) => {
    const out = run(1000, [1000, 1000], { ...like, ...change });
    expect(out.promoted).toBeLessThanOrEqual(10);
    expect(out.aborted).toBeGreaterThanOrEqual(aborts * 1000);
  });

  it('TTFT + 30 % aborts in 99 of 100 at 5,000 samples', () => {
    const out = run(500, [5000, 20_000], { ...like, ttft: new Pool(random, 600, 0.8, 1.3) });
    expect(out.aborted).toBeGreaterThanOrEqual(495);
  });

  it('TTFT + 30 % is found however narrow it lies in its buckets, and + 15 % is let pass', () => {
    for (const sigma of [0.02, 0.1, 0.2, 0.4]) {
      for (const median of [100, 107, 115]) {
        const [a, b, c] = [1, 1.3, 1.15].map((x) => new Pool(random, median, sigma, x)) as [Pool, Pool, Pool];
        const stable = { ...like, ttft: a, errors: 0.001, aborted: 0.001 };
        const says = (ttft: Pool) => analysis(random, [20_000, 20_000], { ...stable, ttft }, stable);
        expect([sigma, median, says(b)]).toEqual([sigma, median, 'aborted']);
        expect([sigma, median, says(c)]).toEqual([sigma, median, 'promoted']);
      }
    }
    expect(BUCKETS_MS[28]).toBe(128);
  });
});
