import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 40;
const PATIENCE_MS = 30_000;

interface Asked {
  readonly at: number;
  readonly ms: number;
  readonly status: number;
}

/** Asks for one node, a page of nodes and health, in turn, all the time: how long people wait meanwhile. */
export class RestProbe {
  readonly #paths: readonly string[];
  readonly #headers: Record<string, string>;
  readonly #base: string;
  readonly #asked: Asked[] = [];
  #over = false;
  readonly #work: Promise<void>;

  constructor(base: string, key: string, node: string) {
    this.#base = base;
    this.#headers = { authorization: `Bearer ${key}` };
    this.#paths = [`/api/v1/nodes/${node}`, '/api/v1/nodes?limit=50', '/health'];
    this.#work = this.#ask();
  }

  /** Of those asked within the span that got an answer at all. */
  within(
    from: number,
    to: number,
  ): { readonly n: number; readonly p50: number; readonly p99: number; readonly bad: number } {
    const mine = this.#asked.filter((a) => a.at >= from && a.at <= to && a.status > 0);
    const ms = mine.map((a) => a.ms).toSorted((a, b) => a - b);
    const at = (q: number): number => ms[Math.min(ms.length - 1, Math.floor(ms.length * q))] ?? Number.NaN;
    return { n: ms.length, p50: at(0.5), p99: at(0.99), bad: mine.filter((a) => a.status !== 200).length };
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#work;
  }

  async #ask(): Promise<void> {
    for (let i = 0; !this.#over; i++) {
      const at = Date.now();
      const began = performance.now();
      let status = 0;
      try {
        const answer = await fetch(`${this.#base}${this.#paths[i % this.#paths.length]}`, {
          headers: this.#headers,
          signal: AbortSignal.timeout(PATIENCE_MS),
        });
        await answer.arrayBuffer();
        status = answer.status;
      } catch {
        // The master is not there: what it takes to come back is measured elsewhere.
      }
      this.#asked.push({ at, ms: performance.now() - began, status });
      await sleep(EVERY_MS);
    }
  }
}
