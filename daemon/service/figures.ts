import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { HostFigures, RangePoint } from '../../proto/vocab/metrics.ts';
import type { NodeType } from '../../proto/vocab/node.ts';
import type { FiguresService as Api, RangeQuery } from './api.ts';
import type { Clock, CountedTotals, MetricsRings, Place, RangeArgs } from './ports.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const TEN_MINUTES = 10 * MINUTE;
const DAY = 24 * HOUR;

interface Needs {
  readonly rings: MetricsRings;
  readonly clock: Clock;
}

/** What was, of nodes and of places: minutes of the last hour, ten minutes of the last day. */
export class FiguresService implements Api {
  private readonly needs: Needs;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  range(name: NodeName, query: RangeQuery): ReturnType<Api['range']> {
    const { args, old } = this.checked(query);
    // Older than an hour there are a node's quantiles only, and those cannot be merged.
    if (args.stepMs > TEN_MINUTES && old) {
      throw new AppError(
        'invalid',
        'step: of a node, before the last hour, it is 10m: quantiles cannot be merged',
      );
    }
    return told(args, this.needs.rings.range(name, args));
  }

  rangeOf(
    place: { region: string | null; nodeType: NodeType },
    query: RangeQuery,
  ): ReturnType<Api['rangeOf']> {
    const { args } = this.checked(query);
    return told(args, this.needs.rings.rangeOf(place, args));
  }

  lastly(...[place, windowMs, stepMs]: Parameters<Api['lastly']>): ReturnType<Api['lastly']> {
    // The step that goes on is the last of them.
    const start = this.needs.clock.now() - windowMs + stepMs;
    const { points } = this.rangeOf(place, { service: null, start, end: null, stepMs });
    return points.map((p) => p.ttft95Ms);
  }

  lately(place: { region: string | null; nodeType: NodeType }, service: string): RangePoint | null {
    const now = this.needs.clock.now();
    const start = Math.floor(now / MINUTE) * MINUTE - MINUTE;
    const stepMs = 2 * MINUTE;
    return this.needs.rings.rangeOf(place, { service, start, end: start + stepMs, stepMs, now })[0] ?? null;
  }

  totals(name: NodeName): CountedTotals | null {
    return this.needs.rings.totals(name);
  }

  totalsByPlace(): readonly (Place & CountedTotals)[] {
    return this.needs.rings.totalsByPlace();
  }

  host(name: NodeName): HostFigures | null {
    return this.needs.rings.host(name, this.needs.clock.now());
  }

  /** @throws AppError `invalid`, naming what is wrong and what would be right */
  private checked(q: RangeQuery): { readonly args: RangeArgs; readonly old: boolean } {
    const now = this.needs.clock.now();
    const end = Math.min(q.end ?? now, now);
    const asked = q.start ?? end - HOUR + MINUTE;
    if (asked >= end) throw new AppError('invalid', 'start: it must be before end, and before now');
    if (asked < now - DAY) {
      throw new AppError('invalid', `start: figures are kept for a day; the oldest are of ${iso(now - DAY)}`);
    }
    const old = asked < Math.floor(now / MINUTE) * MINUTE - HOUR + MINUTE;
    const stepMs = q.stepMs ?? (old ? TEN_MINUTES : MINUTE);
    const unit = old ? TEN_MINUTES : MINUTE;
    if (stepMs < unit || stepMs % unit !== 0 || stepMs > DAY) {
      const why = old ? 'before the last hour it is a multiple of 10m' : 'it is a multiple of 1m';
      throw new AppError('invalid', `step: ${why}, up to 24h`);
    }
    const whole = stepMs % TEN_MINUTES === 0 ? TEN_MINUTES : MINUTE;
    const start = Math.floor(asked / whole) * whole;
    return { args: { service: q.service, start, end, stepMs, now }, old };
  }
}

function told({ start, end, stepMs }: RangeArgs, points: readonly RangePoint[]): ReturnType<Api['range']> {
  return { start, end, stepMs, points };
}

const iso = (ms: Millis): string => new Date(ms).toISOString();
