const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 };

/** What `wrk --latency` has seen. */
export interface WrkSaid {
  readonly perSecond: number;
  readonly requests: number;
  readonly p99Ms: number;
  readonly failed: number;
}

/** @throws Error on a text that is not wrk's. */
export function readWrk(text: string): WrkSaid {
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  if (Number.isNaN(perSecond) || Number.isNaN(requests)) throw new Error(`not of wrk: ${text.trim()}`);
  const [, p99 = '', unit = ''] = /^\s*99%\s+([\d.]+)(us|ms|s|m)\s*$/m.exec(text) ?? [];
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  // Answered and closed is an end to wrk's taste as it is to ours; only what was never connected or answered counts.
  const failed = errors === null ? 0 : Number(errors[1]) + Number(errors[3]) + Number(errors[4]);
  return { perSecond, requests, p99Ms: p99 === '' ? Number.NaN : Number(p99) * (UNIT_MS[unit] ?? 1), failed };
}
