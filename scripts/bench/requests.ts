export interface RequestsSaid {
  readonly requests: number;
  readonly requests_per_s: number;
  readonly latency_ms: {
    readonly p50: number | null;
    readonly p90: number | null;
    readonly p99: number | null;
  };
  /** Never connected, broken, too late, or another status than 2xx and 3xx. */
  readonly failed: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 };

function wrkLatency(text: string, q: number): number | null {
  const m = new RegExp(`^\\s*${q}%\\s+([\\d.]+)(us|ms|s|m)\\s*$`, 'm').exec(text);
  return m === null ? null : round(Number(m[1]) * (UNIT_MS[m[2] ?? ''] ?? 1));
}

const round = (ms: number): number => Math.round(ms * 1000) / 1000;

/** What `wrk --latency` printed. @throws Error on a text that is not wrk's */
export function readWrk(text: string): RequestsSaid {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)?.[1];
  const requests = /(\d+) requests in/.exec(text)?.[1];
  if (rate === undefined || requests === undefined)
    throw new Error(`wrk printed no figures: ${text.trim().slice(0, 300)}`);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const status = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const broken = socket === null ? 0 : socket.slice(1).reduce((n, part) => n + Number(part), 0);
  return {
    requests: Number(requests),
    requests_per_s: Number(rate),
    latency_ms: { p50: wrkLatency(text, 50), p90: wrkLatency(text, 90), p99: wrkLatency(text, 99) },
    failed: broken + status,
  };
}

function heyLatency(text: string, q: number): number | null {
  const m = new RegExp(`^\\s*${q}%+ in ([\\d.]+) secs`, 'm').exec(text);
  return m === null ? null : round(Number(m[1]) * 1000);
}

/** What hey printed. @throws Error on a text that is not hey's */
export function readHey(text: string): RequestsSaid {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)?.[1];
  if (rate === undefined) throw new Error(`hey printed no figures: ${text.trim().slice(0, 300)}`);
  let requests = 0;
  let failed = 0;
  for (const [, code, n] of text.matchAll(/^\s*\[(\d{3})\]\s+(\d+) responses/gm)) {
    requests += Number(n);
    if (!/^[23]/.test(code ?? '')) failed += Number(n);
  }
  const errors = text.split('Error distribution:')[1] ?? '';
  for (const [, n] of errors.matchAll(/^\s*\[(\d+)\]\s/gm)) failed += Number(n);
  return {
    requests,
    requests_per_s: Number(rate),
    latency_ms: { p50: heyLatency(text, 50), p90: heyLatency(text, 90), p99: heyLatency(text, 99) },
    failed,
  };
}
