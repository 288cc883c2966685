import { formatDuration } from '../../proto/vocab/duration.ts';

/** No value. 0 is zero. */
export const NONE = '-';

/** `93,384`; written out, because `Intl` costs more than the row it is in. */
export function count(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return NONE;
  const digits = Math.abs(Math.round(n)).toString();
  let out = '';
  for (let i = 0; i < digits.length; i++) {
    if (i > 0 && (digits.length - i) % 3 === 0) out += ',';
    out += digits[i];
  }
  return Math.round(n) < 0 ? `-${out}` : out;
}

export function fixed(n: number | null | undefined, decimals: number): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return NONE;
  return decimals === 0 ? count(n) : n.toFixed(decimals);
}

/** `4m19s`, or its first unit where two do not fit: `12m`, `12d`. */
export function durationIn(ms: number, cells: number): string {
  const whole = formatDuration(Math.max(0, ms));
  if (whole.length <= cells) return whole;
  return /^\d+[a-z]+/.exec(whole)?.[0] ?? whole;
}

/** Age of the last sign of life: `<10s` within the heartbeat interval, for a digit that flickers says nothing. */
export function seen(ms: number | null, heartbeatMs: number, cells: number): string {
  if (ms === null) return NONE;
  if (ms <= heartbeatMs) return `<${formatDuration(heartbeatMs)}`;
  return durationIn(ms, cells);
}

/** In sentences: `47 s`, then `4m19s`. */
export function spoken(seconds: number): string {
  return seconds < 60 ? `${Math.floor(seconds)} s` : formatDuration(seconds * 1000);
}

/** On a fixed scale from 0: one scale for a list, so that rows compare. */
export function sparkFixed(
  values: readonly (number | null)[],
  cells: number,
  top: number,
  levels: readonly string[],
): string {
  return spark(values, cells, 0, top, levels);
}

/** On a scale of its own for a whole list. */
export function sparkBetween(
  values: readonly (number | null)[],
  cells: number,
  from: number,
  to: number,
  levels: readonly string[],
): string {
  return spark(values, cells, from, to, levels);
}

/** Between the row's own least and greatest, which stand beside it. */
export function sparkOwn(
  values: readonly (number | null)[],
  cells: number,
  levels: readonly string[],
): string {
  const b = bounds(values.slice(-cells));
  return b === null ? ' '.repeat(cells) : spark(values, cells, b.min, b.max, levels);
}

export function bounds(values: readonly (number | null)[]): { min: number; max: number } | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const v of values) {
    if (v === null || !Number.isFinite(v)) continue;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  return min <= max ? { min, max } : null;
}

function spark(
  values: readonly (number | null)[],
  cells: number,
  min: number,
  max: number,
  levels: readonly string[],
): string {
  const last = values.slice(-cells);
  let out = ' '.repeat(Math.max(0, cells - last.length));
  for (const v of last) {
    if (v === null || !Number.isFinite(v)) {
      out += ' ';
      continue;
    }
    const part = max > min ? (v - min) / (max - min) : 0;
    const level = Math.max(0, Math.min(levels.length - 1, Math.floor(part * levels.length)));
    out += levels[level] ?? ' ';
  }
  return out;
}

/** Every word in its own colour needs runs; equal neighbours are one. */
export function runs<T>(items: readonly T[], same: (a: T, b: T) => boolean): readonly (readonly T[])[] {
  const out: T[][] = [];
  for (const item of items) {
    const last = out.at(-1);
    const before = last?.at(-1);
    if (last !== undefined && before !== undefined && same(before, item)) last.push(item);
    else out.push([item]);
  }
  return out;
}
