import { Histogram } from '../../../../proto/vocab/metrics.ts';
import type { ServiceStats } from '../../port.ts';
import type { CutBy } from './leg.ts';
import type { TurnSink } from './turns.ts';

/** One service's sums since the engine's start; they outlive its routes and, while streams finish, the service. */
export class Counters implements TurnSink {
  readonly service: string;
  opened = 0;
  closed = 0;
  errors = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly #aborted: Record<CutBy, number> = { client: 0, origin: 0, tunnel: 0 };
  #requests = 0;
  readonly #connect = new Histogram();
  readonly #ttft = new Histogram();
  readonly #gap = new Histogram();

  constructor(service: string) {
    this.service = service;
  }

  get streams(): number {
    return this.opened - this.closed;
  }

  /** Another one whenever a figure is. */
  get mark(): number {
    const { client, origin, tunnel } = this.#aborted;
    const streams = this.opened + this.closed + this.errors + client + origin + tunnel;
    return streams + this.#requests + this.bytesIn + this.bytesOut;
  }

  request(): void {
    this.#requests += 1;
  }

  aborted(by: CutBy): void {
    this.#aborted[by] += 1;
  }

  connect(ms: number): void {
    this.#connect.observe(ms);
  }

  ttft(ms: number): void {
    this.#ttft.observe(ms);
  }

  gap(ms: number): void {
    this.#gap.observe(ms);
  }

  toStats(): ServiceStats {
    return {
      service: this.service,
      streams: this.streams,
      opened: this.opened,
      closed: this.closed,
      errors: this.errors,
      abortedClient: this.#aborted.client,
      abortedOrigin: this.#aborted.origin,
      abortedTunnel: this.#aborted.tunnel,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      requests: this.#requests,
      connect: this.#connect.toSparse(),
      ttft: this.#ttft.toSparse(),
      gap: this.#gap.toSparse(),
    };
  }
}
