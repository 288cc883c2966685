import type { DrainStatus } from '../../port.ts';
import type { DataPort, Streams } from '../data/messages.ts';
import type { Log } from './logs.ts';

/** One drain as it is remembered: what the status says is worked out when it is asked. */
export interface Drain {
  /** `null`: every service. */
  readonly service: string | null;
  readonly since: number;
  readonly deadline: number;
  /** Streams when it began. */
  readonly began: number;
}

/** What takes no new streams. A drain lasts until it is taken back; its deadline only ends the streams. */
export class Drains {
  readonly #needs: { data: DataPort; log: Log; now: () => number };
  readonly #drains = new Map<string | null, Drain>();
  readonly #timers = new Map<string | null, NodeJS.Timeout>();

  constructor(needs: { data: DataPort; log: Log; now: () => number }, kept: readonly Drain[] = []) {
    this.#needs = needs;
    for (const drain of kept) this.#put(drain);
  }

  get all(): readonly Drain[] {
    return [...this.#drains.values()];
  }

  covers(service: string): boolean {
    return this.#drains.has(null) || this.#drains.has(service);
  }

  /**
   * carrying | draining -> draining; a second order moves the deadline. Call `run` when the listeners are closed: what
   * comes in after the cut would not be cut any more.
   */
  async begin(service: string | null, deadlineMs: number): Promise<Drain> {
    const now = this.#needs.now();
    const { streams } = sumOf(await this.#needs.data.call('streams', {}), service);
    const drain = { service, since: now, deadline: now + deadlineMs, began: streams };
    clearTimeout(this.#timers.get(service));
    this.#drains.set(service, drain);
    return drain;
  }

  run(drain: Drain): void {
    this.#put(drain);
  }

  /** draining -> carrying; what `undo` needs to take it back, `null` when there was no such drain. */
  end(service: string | null): Drain | null {
    const drain = this.#drains.get(service) ?? null;
    this.#drains.delete(service);
    clearTimeout(this.#timers.get(service));
    this.#timers.delete(service);
    return drain;
  }

  undo(drain: Drain): void {
    this.#put(drain);
  }

  async status(): Promise<readonly DrainStatus[]> {
    const { now, data } = this.#needs;
    const streams = await data.call('streams', {});
    return this.all.map((d) => statusOf(d, streams, now()));
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #put(drain: Drain): void {
    const { service, deadline } = drain;
    const { now, data, log } = this.#needs;
    this.#drains.set(service, drain);
    clearTimeout(this.#timers.get(service));
    // setTimeout counts to 2^31 - 1 ms; a longer wait is taken in parts.
    const wait = Math.min(Math.max(0, deadline - now()), 2 ** 31 - 1);
    const timer = setTimeout(() => {
      if (now() < deadline) return this.#put(drain);
      const services = service === null ? null : [service];
      data.call('cut', { services }).catch((e: unknown) => log('error', `drain: ${String(e)}`));
    }, wait);
    timer.unref();
    this.#timers.set(service, timer);
  }
}

export function statusOf(drain: Drain, under: Streams, now: number): DrainStatus {
  const { service, since, deadline, began } = drain;
  const { streams, oldestMs } = sumOf(under, service);
  const left = Math.max(0, deadline - now);
  const ended = began - streams;
  const pace = ended > 0 ? Math.min(left, Math.round((streams * (now - since)) / ended)) : null;
  return { service, streams, oldestMs, deadline, etaMs: streams === 0 ? 0 : pace };
}

function sumOf(under: Streams, service: string | null): { streams: number; oldestMs: number } {
  const mine = under.services.filter((s) => service === null || s.service === service);
  return {
    streams: mine.reduce((sum, s) => sum + s.streams, 0),
    oldestMs: mine.reduce((most, s) => Math.max(most, s.oldestMs), 0),
  };
}
