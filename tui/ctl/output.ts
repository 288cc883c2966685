import { stringify } from 'yaml';
import { formatDuration } from '../../proto/vocab/duration.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { width } from '../theme/width.ts';
import type { CtlIo, OutputForm } from './io.ts';

export interface Column<T> {
  readonly head: string;
  readonly of: (row: T) => string;
  readonly right?: boolean;
  /** Shown with `-o wide` only. */
  readonly wide?: boolean;
}

/** A list as a command has it; the form it is printed in is the reader's choice. */
export interface Listing<T> {
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  /** What `-o name` prints of a row: what other commands take. */
  readonly name: (row: T) => string;
  /** What `-o json` and `-o yaml` print. */
  readonly data: unknown;
  /** Said on stderr instead of an empty table. */
  readonly empty: string;
}

export interface Printing {
  readonly io: CtlIo;
  readonly form: OutputForm;
  readonly headers: boolean;
}

/** Columns as wide as their content, two spaces between; outside text made safe. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[], headers = true): string {
  const cells = [
    ...(headers ? [columns.map((c) => c.head)] : []),
    ...rows.map((r) => columns.map((c) => safeText(c.of(r), { max: 256 }))),
  ];
  const widths = columns.map((_, x) => Math.max(0, ...cells.map((line) => width(line[x] ?? ''))));
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

/** What a listing is, as text; empty where there is nothing to print. */
export function listed<T>({ form, headers }: Omit<Printing, 'io'>, l: Listing<T>, oneLine = false): string {
  if (form === 'json') return `${jsonText(l.data, oneLine)}\n`;
  if (form === 'yaml') return `---\n${yamlText(l.data)}`;
  if (form === 'name') return l.rows.map((r) => `${safeText(l.name(r))}\n`).join('');
  if (l.rows.length === 0) return '';
  return table(
    l.columns.filter((c) => c.wide !== true || form === 'wide'),
    l.rows,
    headers,
  );
}

export function show<T>(p: Printing, l: Listing<T>): void {
  p.io.out(listed(p, l));
  if (l.rows.length === 0 && (p.form === 'table' || p.form === 'wide')) p.io.err(`${l.empty}\n`);
}

/** The data where data was asked for. @returns whether that was all there is to print */
export function showData(p: Printing, data: unknown): boolean {
  if (p.form === 'json') p.io.out(`${jsonText(data)}\n`);
  else if (p.form === 'yaml') p.io.out(yamlText(data));
  return p.form === 'json' || p.form === 'yaml';
}

/** What was made or changed: the data, its name, or a sentence. */
export function showDone(p: Printing, data: unknown, name: string, sentence: string): void {
  if (showData(p, data)) return;
  line(p.io, p.form === 'name' ? name : sentence);
}

// JSON leaves these as they are; escaped they are the same data, and harmless where a person looks at it.
const UNSEEN = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** NaN and missing figures are null, byte strings base64. */
function jsonText(value: unknown, oneLine = false): string {
  const text = JSON.stringify(
    value,
    (_, v: unknown) => (v instanceof Uint8Array ? Buffer.from(v).toString('base64') : v),
    oneLine ? 0 : 2,
  );
  return text.replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same data; every text that could move a cursor is a quoted one. */
function yamlText(value: unknown): string {
  const plain: unknown = JSON.parse(jsonText(value));
  return stringify(plain, {
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
    lineWidth: 0,
  }).replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function line(io: CtlIo, text: string): void {
  io.out(`${safeText(text)}\n`);
}

/** `4m19s`; `-` for what never was. */
export function since(now: number, then: number | null): string {
  return then === null ? '-' : formatDuration(Math.max(0, now - then));
}

/** `2026-11-24T03:12:07Z`; `-` for never. */
export function moment(at: number | null): string {
  return at === null ? '-' : new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

export function figure(value: number | null, decimals = 0): string {
  return value === null ? '-' : value.toFixed(decimals);
}

/** `1 node`, `4 nodes` */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
