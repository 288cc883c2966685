const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  // Both micro signs, as Go takes them: U+00B5 and U+03BC.
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `1h30m`, `250ms`, `10s`, `7d` -> milliseconds; `null` when it is not a duration. A bare number is not one. */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0;
  const part = /(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h|d)/y;
  let ms = 0;
  while (part.lastIndex < text.length) {
    const at = part.lastIndex;
    const m = part.exec(text);
    if (!m || m.index !== at) return null;
    ms += Number(m[1]) * (UNITS[m[2] ?? ''] ?? Number.NaN);
  }
  // To the nanosecond: 1.1s is 1100 ms, not 1100.0000000000002.
  return text.length > 0 && Number.isFinite(ms) ? Math.round(ms * 1e6) / 1e6 : null;
}

/** One form everywhere: `850ms`, `47s`, `4m19s`, `6d 4h`. Two units at most. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  const whole = Math.round(ms);
  if (whole < 1000) return `${whole}ms`;
  const s = Math.floor(whole / 1000);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, '0')}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h${String(Math.floor(s / 60) % 60).padStart(2, '0')}m`;
  return `${Math.floor(s / 86_400)}d ${Math.floor(s / 3600) % 24}h`;
}
