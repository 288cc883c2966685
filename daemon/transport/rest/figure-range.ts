import { z } from 'zod';
import { BUCKETS_MS, type RangePoint, type SparseHistogram } from '../../../proto/vocab/metrics.ts';
import type { FigureRange, RangeQuery } from '../../service/api.ts';
import { Flag, iso, Stamp } from './shapes.ts';

// Figures over a time, of a node or of many: how they are asked for and told.

const number = z.number().nullable();
const count = z.int().nullable();

const Buckets = z
  .object({
    le_ms: z.array(number).describe('upper bounds, ascending; null is above all'),
    count: z.array(z.int()).describe('samples in each, not in those below'),
    sum_ms: z.number(),
  })
  .describe('those that something is in; those of several nodes or times can be added up')
  .meta({ id: 'Buckets' });

const Point = z
  .object({
    at: Stamp.describe('when the step begins'),
    streams: number,
    rps: number,
    requests: count,
    errors: count,
    err_pct: number,
    aborted: z.object({ client: count, origin: count, tunnel: count }),
    aborted_pct: number.describe('by origin or tunnel'),
    bytes_in: count,
    bytes_out: count,
    ttft_p50_ms: number,
    ttft_p95_ms: number,
    connect_p99_ms: number,
    gap_p99_ms: number,
    cpu_pct: number.describe('of a node'),
    mem_pct: number.describe('of a node'),
    buckets: z
      .object({ ttft: Buckets, gap: Buckets, connect: Buckets })
      .nullable()
      .optional()
      .describe('where they are asked for; null where they are not kept'),
  })
  .describe('null is unknown, never 0')
  .meta({ id: 'FigurePoint' });

export const Range = z
  .object({ start: Stamp, end: Stamp, step_ms: z.int(), points: z.array(Point) })
  .meta({ id: 'FigureRange' });

const LAST_SECOND = 253_402_300_799;

const Time = z
  .string()
  .max(40)
  .transform((v, ctx) => {
    const seconds = /^\d{1,12}(?:\.\d{1,9})?$/.test(v) ? Number(v) : Number.NaN;
    const iso = z.iso.datetime({ offset: true }).safeParse(v);
    const ms = iso.success ? Date.parse(iso.data) : seconds * 1000;
    if (ms >= 0 && ms <= LAST_SECOND * 1000) return ms;
    ctx.addIssue({
      code: 'custom',
      message: 'a time such as 2026-11-24T03:00:00Z, or seconds since 1970, is wanted',
    });
    return z.NEVER;
  })
  .describe('RFC 3339, or seconds since 1970');

const UNITS: Readonly<Record<string, number>> = { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const Step = z
  .string()
  .max(16)
  .transform((v, ctx) => {
    const m = /^(\d{1,9})([smhd]?)$/.exec(v);
    const ms = Number(m?.[1]) * (UNITS[m?.[2] ?? ''] ?? Number.NaN);
    if (ms > 0) return ms;
    ctx.addIssue({ code: 'custom', message: 'a duration such as 1m or 10m, or seconds, is wanted' });
    return z.NEVER;
  })
  .describe('1m, 10m, 1h or seconds; a multiple of 1m, before the last hour of 10m');

export const RANGE_QUERY = {
  start: Time.optional(),
  end: Time.optional(),
  step: Step.optional(),
  service: z.string().min(1).max(256).optional().describe('of this service only'),
  buckets: Flag.describe('the histograms as well'),
};
interface Query {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  readonly step?: number | undefined;
  readonly service?: string | undefined;
  readonly buckets: boolean;
}

export function wantsRange(q: Query): boolean {
  return q.start !== undefined || q.end !== undefined || q.step !== undefined || q.buckets;
}

export function rangeOf(q: Query): RangeQuery {
  return {
    start: q.start ?? null,
    end: q.end ?? null,
    stepMs: q.step ?? null,
    service: q.service ?? null,
  };
}

export function rangeJson(r: FigureRange, buckets: boolean): z.output<typeof Range> {
  return {
    start: iso(r.start),
    end: iso(r.end),
    step_ms: r.stepMs,
    points: r.points.map((p) => ({
      ...pointJson(p),
      ...(buckets ? { buckets: p.buckets && bucketsOf(p.buckets) } : {}),
    })),
  };
}

function pointJson(p: RangePoint): z.output<typeof Point> {
  const aborted =
    p.abortedOrigin === null || p.abortedTunnel === null ? null : p.abortedOrigin + p.abortedTunnel;
  return {
    at: iso(p.at),
    streams: p.streams,
    rps: p.rps,
    requests: whole(p.requests),
    errors: whole(p.errors),
    err_pct: percent(p.errors, p.requests, p.errors),
    aborted: {
      client: whole(p.abortedClient),
      origin: whole(p.abortedOrigin),
      tunnel: whole(p.abortedTunnel),
    },
    aborted_pct: percent(aborted, p.requests, p.errors),
    bytes_in: whole(p.bytesIn),
    bytes_out: whole(p.bytesOut),
    ttft_p50_ms: p.ttft50Ms,
    ttft_p95_ms: p.ttft95Ms,
    connect_p99_ms: p.connect99Ms,
    gap_p99_ms: p.gap99Ms,
    cpu_pct: p.cpuPct,
    mem_pct: p.memPct,
  };
}

const whole = (n: number | null): number | null => n && Math.round(n);

/** Of requests answered and refused together; nothing asked is nothing to say. */
export function percent(part: number | null, requests: number | null, errors: number | null): number | null {
  const of = (requests ?? 0) + (errors ?? 0);
  return part === null || of === 0 ? null : (100 * part) / of;
}

function bucketsOf(b: NonNullable<RangePoint['buckets']>): NonNullable<z.output<typeof Point>['buckets']> {
  return { ttft: bucketJson(b.ttft), gap: bucketJson(b.gap), connect: bucketJson(b.connect) };
}

function bucketJson(h: SparseHistogram): z.output<typeof Buckets> {
  return { le_ms: h.index.map((i) => BUCKETS_MS[i] ?? null), count: [...h.count], sum_ms: h.sumMs };
}
