/** Random numbers that a seed decides [mulberry32]: the same fleet behaves the same again. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Standard normal [Box and Muller]. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** @param sigma of the logarithm: 0.5 has its 95th percentile at 2.3 × the median */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal());
  }

  /** How many of many rare things happened, where `mean` were to be expected. */
  poisson(mean: number): number {
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    let n = 0;
    for (let left = Math.exp(-mean), p = this.next(); p > left; p *= this.next()) n += 1;
    return n;
  }

  /** @param share 0 to 1 */
  hits(share: number): boolean {
    return this.next() < share;
  }
}
