import { formatDuration } from '../../proto/vocab/duration.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { width } from '../theme/width.ts';
import type { CtlIo } from './io.ts';

export interface Column<T> {
  readonly head: string;
  readonly of: (row: T) => string;
  readonly right?: boolean;
}

/** Columns as wide as their content, two spaces between; outside text made safe. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = [
    columns.map((c) => c.head),
    ...rows.map((r) => columns.map((c) => safeText(c.of(r), { max: 256 }))),
  ];
  const widths = columns.map((_, x) => Math.max(...cells.map((line) => width(line[x] ?? ''))));
  return cells
    .map((line) =>
      line
        .map((text, x) => {
          const pad = ' '.repeat(Math.max(0, (widths[x] ?? 0) - width(text)));
          return columns[x]?.right === true ? pad + text : text + pad;
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

// JSON leaves these as they are; escaped they are the same data, and harmless where a person looks at it.
const UNSEEN = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** One document on stdout. NaN and missing figures are null, byte strings base64. */
export function json(io: CtlIo, value: unknown): void {
  const text = JSON.stringify(
    value,
    (_, v: unknown) => (v instanceof Uint8Array ? Buffer.from(v).toString('base64') : v),
    2,
  );
  const safe = text.replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  io.out(`${safe}\n`);
}

export function line(io: CtlIo, text: string): void {
  io.out(`${safeText(text)}\n`);
}

/** `4m19s`; `-` for what never was. */
export function since(now: number, then: number | null): string {
  return then === null ? '-' : formatDuration(Math.max(0, now - then));
}

export function figure(value: number | null, decimals = 0): string {
  return value === null ? '-' : value.toFixed(decimals);
}
