import type { TallyAnswer, TallyReport } from '../data/messages.ts';
import { LocalTally } from '../data/tally.ts';
import type { WorkersLink } from './workers-link.ts';

/** Who was there before and has not said by then what it holds is not waited for: the others would not wait for us. */
const INTRODUCE_MS = 800;

interface Question {
  readonly worker: number;
  readonly report: TallyReport;
}

/**
 * The limits of the node: who holds what of them, over all processes that carry, those on their way out included. A
 * control that is new learns it from them before it answers.
 */
export class NodeTally {
  readonly #needs: {
    readonly link: Pick<WorkersLink, 'call'>;
    readonly answer: (worker: number, answer: TallyAnswer) => void;
    readonly wanted: number;
  };
  readonly #counts: LocalTally;
  /** Of those that have said what they hold: places by key. */
  readonly #held = new Map<number, Map<string, number>>();
  /** There before this control, and not heard yet. */
  readonly #unheard: Set<number>;
  #waiting: Question[] = [];

  /** `there`: who carries already. `wanted`: how many are to share when nobody answers them. */
  constructor(
    settings: { there: readonly number[]; wanted: number },
    needs: {
      link: Pick<WorkersLink, 'call'>;
      clock: () => number;
      answer: (worker: number, answer: TallyAnswer) => void;
    },
  ) {
    const { there, wanted } = settings;
    this.#needs = { ...needs, wanted };
    this.#counts = new LocalTally(needs);
    this.#unheard = new Set(there);
    for (const worker of there) this.joined(worker);
    setTimeout(() => this.#settle(there), INTRODUCE_MS).unref();
  }

  joined(worker: number): void {
    const settle = (): void => this.#settle([worker]);
    // One of an earlier release does not know the call, and asks for nothing.
    this.#needs.link.call(worker, 'introduce', { workers: this.#needs.wanted }).then(settle, settle);
  }

  /** It gives back all it held. */
  left(worker: number): void {
    this.#forget(worker);
    this.#settle([worker]);
  }

  heard(worker: number, report: TallyReport): void {
    if (report.whole) this.#learn(worker, report.whole);
    const held = this.#held.get(worker);
    // It will say all when it is introduced.
    if (held === undefined) return;
    for (const key of report.given ?? []) this.#give(held, key);
    for (const [key, ms] of report.spent ?? []) this.#counts.spend(key, ms, 1000);
    const { whole, asks, spent, given } = report;
    if (!whole && !asks && !spent && given) return;
    if (this.#unheard.size > 0) this.#waiting.push({ worker, report });
    else this.#answer(worker, report);
  }

  #learn(worker: number, { places, early }: NonNullable<TallyReport['whole']>): void {
    this.#forget(worker);
    this.#held.set(worker, new Map(places));
    for (const [key, n] of places) this.#counts.hold(key, n);
    for (const [key, ms] of early) this.#counts.owe(key, ms);
  }

  #forget(worker: number): void {
    for (const [key, n] of this.#held.get(worker) ?? []) this.#counts.give(key, n);
    this.#held.delete(worker);
    this.#waiting = this.#waiting.filter((q) => q.worker !== worker);
  }

  #give(held: Map<string, number>, key: string): void {
    const n = held.get(key);
    if (n === undefined) return;
    if (n > 1) held.set(key, n - 1);
    else held.delete(key);
    this.#counts.give(key);
  }

  #settle(workers: readonly number[]): void {
    for (const worker of workers) this.#unheard.delete(worker);
    if (this.#unheard.size > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { worker, report } of waiting) this.#answer(worker, report);
  }

  #answer(worker: number, { n, asks = [], spent = [] }: TallyReport): void {
    const held = this.#held.get(worker);
    if (held === undefined) return;
    const touched = new Set(spent.map(([key]) => key));
    const verdicts = asks.map(({ id, wants }): TallyAnswer['verdicts'][number] => {
      const refusedBy = this.#counts.take(wants);
      if (refusedBy !== null) return [id, wants.indexOf(refusedBy)];
      for (const { kind, key } of wants) {
        if (kind === 'place') held.set(key, (held.get(key) ?? 0) + 1);
        else touched.add(key);
      }
      return [id, -1];
    });
    const early = [...touched].map((key) => [key, this.#counts.early(key)] as const);
    this.#needs.answer(worker, { n, verdicts, early });
  }
}
