import type { Millis } from '../../../proto/vocab/ids.ts';
import type { RangePoint } from '../../../proto/vocab/metrics.ts';
import type { RangeArgs } from '../../service/ports.ts';
import { TEN_MINUTES } from './day.ts';
import type { GroupRing } from './group-ring.ts';
import { MINUTE, type NodeRing, SECOND } from './node-ring.ts';
import { addPart, newPart, type Part } from './part.ts';

/** One step of a node's past: its minutes, or the ten minutes of which they are gone. */
export function nodePoint(r: NodeRing | null, at: Millis, args: RangeArgs, sum: Part): RangePoint {
  const { stepMs, service } = args;
  const day = service === null && stepMs === TEN_MINUTES ? (r?.dayAt(at) ?? null) : null;
  if (day) {
    const { ttft50Ms, ttft95Ms, gap99Ms, connect99Ms, cpuPct, memPct } = day;
    const rps = day.requests === null ? null : day.requests / (TEN_MINUTES / SECOND);
    return {
      at,
      ...counted(day),
      rps,
      ttft50Ms,
      ttft95Ms,
      gap99Ms,
      connect99Ms,
      cpuPct,
      memPct,
      buckets: null,
    };
  }
  const found = r?.addMinutes(sum, at / MINUTE, (at + stepMs) / MINUTE - 1, service) ?? null;
  if (!found) return { at, ...NOTHING };
  const host = service === null ? found : { cpuPct: null, memPct: null };
  return { at, ...pointOf(sum, found.ms), cpuPct: host.cpuPct, memPct: host.memPct };
}

/** The same of places together; all of it can be merged. */
export function groupPoint(
  groups: readonly GroupRing[],
  at: Millis,
  { stepMs, service, now }: RangeArgs,
  sum: Part,
): RangePoint {
  let known = false;
  let streams = 0;
  for (const g of groups) {
    const { minutes, part } =
      stepMs >= TEN_MINUTES ? tens(g, at, stepMs, service) : ofMinutes(g, at, stepMs, service);
    if (minutes === 0) continue;
    known = true;
    streams += part.streams / minutes;
    addPart(sum, part);
  }
  if (!known) return { at, ...NOTHING };
  const ms = Math.max(SECOND, Math.min(stepMs, now - at));
  return { at, ...pointOf(sum, ms), streams: Math.round(streams), cpuPct: null, memPct: null };
}

/** `part.streams` is the sum of the minutes' means. */
interface Found {
  readonly minutes: number;
  readonly part: Part;
}

function ofMinutes(g: GroupRing, at: Millis, ms: number, service: string | null): Found {
  const part = newPart();
  return { minutes: g.addMinutes(part, at / MINUTE, (at + ms) / MINUTE - 1, service), part };
}

function tens(g: GroupRing, at: Millis, ms: number, service: string | null): Found {
  const all = newPart();
  let minutes = 0;
  for (let t = at; t < at + ms; t += TEN_MINUTES) {
    const part = newPart();
    const found = g.addTens(part, t / TEN_MINUTES, t / TEN_MINUTES, service);
    part.streams *= 10;
    // The ten minutes that go on are minutes yet.
    const one = found > 0 ? { minutes: 10, part } : ofMinutes(g, t, TEN_MINUTES, service);
    minutes += one.minutes;
    addPart(all, one.part);
  }
  return { minutes, part: all };
}

type Counted = Pick<
  RangePoint,
  | 'streams'
  | 'requests'
  | 'errors'
  | 'abortedClient'
  | 'abortedOrigin'
  | 'abortedTunnel'
  | 'bytesIn'
  | 'bytesOut'
>;

function counted(c: Counted): Counted {
  const { streams, requests, errors, abortedClient, abortedOrigin, abortedTunnel, bytesIn, bytesOut } = c;
  return { streams, requests, errors, abortedClient, abortedOrigin, abortedTunnel, bytesIn, bytesOut };
}

/** @param ms how much time it tells of */
function pointOf(p: Part, ms: number): Omit<RangePoint, 'at' | 'cpuPct' | 'memPct'> {
  return {
    ...counted(p),
    rps: ms > 0 ? p.requests / (ms / SECOND) : null,
    ttft50Ms: p.ttft.quantile(0.5),
    ttft95Ms: p.ttft.quantile(0.95),
    gap99Ms: p.gap.quantile(0.99),
    connect99Ms: p.connect.quantile(0.99),
    buckets: { ttft: p.ttft.toSparse(), gap: p.gap.toSparse(), connect: p.connect.toSparse() },
  };
}

const NOTHING: Omit<RangePoint, 'at'> = {
  streams: null,
  rps: null,
  requests: null,
  errors: null,
  abortedClient: null,
  abortedOrigin: null,
  abortedTunnel: null,
  bytesIn: null,
  bytesOut: null,
  ttft50Ms: null,
  ttft95Ms: null,
  gap99Ms: null,
  connect99Ms: null,
  cpuPct: null,
  memPct: null,
  buckets: null,
};
