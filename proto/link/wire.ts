import type { Duration } from '../gen/google/protobuf/duration.ts';
import type { Timestamp } from '../gen/google/protobuf/timestamp.ts';
import { AppError } from '../vocab/errors.ts';
import type { BodyHash, ConfigHash, Millis, NodeName, VersionLabel } from '../vocab/ids.ts';
import { isNodeName, isVersionLabel } from '../vocab/ids.ts';

// Reading and writing single wire fields. Every reader throws AppError `invalid` naming the field; no reader guesses.

/** Longest of each sort of string, in UTF-16 units. Writers clip tails to these; readers refuse what is longer. */
export const LONGEST = { word: 256, line: 2048, tail: 4096, text: 8192 } as const;
/** A day in the year 9999: what Timestamp itself allows. */
const LAST_MILLIS = 253_402_300_799_999;

export function invalid(field: string, what: string): AppError {
  return new AppError('invalid', `${field}: ${what}`);
}

export function text(value: string, field: string, max: number = LONGEST.text): string {
  if (value.length > max) throw invalid(field, `longer than ${max} characters`);
  return value;
}

export function required(value: string, field: string, max: number = LONGEST.word): string {
  if (value === '') throw invalid(field, 'is missing');
  return text(value, field, max);
}

/** The end of a long output: the last lines are the ones that say why. */
export function tail(value: string, max: number = LONGEST.tail): string {
  return value.length > max ? value.slice(-max) : value;
}

export function head(value: string, max: number): string {
  return value.length > max ? value.slice(0, max) : value;
}

export function bounded<T>(list: readonly T[], max: number, field: string): readonly T[] {
  if (list.length > max) throw invalid(field, `more than ${max} of them`);
  return list;
}

export function oneOf<T extends string>(value: string, allowed: readonly T[], field: string): T {
  const hit = allowed.find((a) => a === value);
  if (hit === undefined) {
    throw invalid(field, `is not one of ${allowed.join(', ')}: ${JSON.stringify(head(value, 64))}`);
  }
  return hit;
}

/** An enum's number by its word, and back. A word without a number, or a number without a word, is refused. */
export function enumCodec<W extends string, N extends number>(table: Readonly<Record<W, N>>) {
  const words = new Map<number, W>();
  for (const word of Object.keys(table) as W[]) words.set(table[word], word);
  return {
    write: (word: W): N => table[word],
    read(value: number, field: string): W {
      const word = words.get(value);
      if (word === undefined) throw invalid(field, `unknown value ${value}`);
      return word;
    },
  };
}

/** uint64 -> a number that is exact. */
export function int(value: bigint, field: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(field, `out of range: ${value}`);
  return Number(value);
}

/** sint64 -> a number that is exact. */
export function signed(value: bigint, field: string): number {
  const n = Number(value);
  if (!Number.isSafeInteger(n)) throw invalid(field, `out of range: ${value}`);
  return n;
}

export function finite(value: number, field: string): number {
  if (!Number.isFinite(value)) throw invalid(field, 'is not a number');
  return value;
}

/** A count or duration for a uint32 or uint64 field: rounded; what cannot be one is our own fault. */
export function whole(value: number, field: string): number {
  const n = Math.round(value);
  if (!Number.isSafeInteger(n) || n < 0) throw new AppError('internal', `${field}: cannot be sent: ${value}`);
  return n;
}

export function big(value: number, field: string): bigint {
  return BigInt(whole(value, field));
}

export function stamp(ms: Millis): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round(ms - seconds * 1000) * 1_000_000 };
}

export function millis(value: Timestamp | undefined, field: string): Millis {
  if (!value) throw invalid(field, 'is missing');
  return millisOf(Number(value.seconds), value.nanos, field);
}

/** A Timestamp's two parts. */
export function millisOf(seconds: number, nanos: number, field: string): Millis {
  const ms = seconds * 1000 + Math.round(nanos / 1e6);
  if (!(ms >= 0 && ms <= LAST_MILLIS)) throw invalid(field, 'is not a time');
  return ms;
}

export function millisOrNull(value: Timestamp | undefined, field: string): Millis | null {
  return value ? millis(value, field) : null;
}

export function span(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round(ms - seconds * 1000) * 1_000_000 };
}

export function spanMillis(value: Duration | undefined, field: string): number {
  if (!value) throw invalid(field, 'is missing');
  const ms = Number(value.seconds) * 1000 + Math.round(value.nanos / 1e6);
  if (!(ms >= 0 && ms <= LAST_MILLIS)) throw invalid(field, 'is not a duration');
  return ms;
}

function isHash(value: string): boolean {
  return /^[0-9a-f]{64}$/.test(value);
}

export function configHash(value: string, field: string): ConfigHash {
  if (!isHash(value)) throw invalid(field, 'is not a sha256 in hex');
  return value as ConfigHash;
}

/** The empty string is none. */
export function configHashOrNull(value: string, field: string): ConfigHash | null {
  return value === '' ? null : configHash(value, field);
}

export function bodyHash(value: string, field: string): BodyHash {
  if (!isHash(value)) throw invalid(field, 'is not a sha256 in hex');
  return value as BodyHash;
}

export function nodeName(value: string, field: string): NodeName {
  if (!isNodeName(value)) throw invalid(field, `is not a node's name: ${JSON.stringify(head(value, 64))}`);
  return value;
}

export function nodeNames(list: readonly string[], max: number, field: string): readonly NodeName[] {
  return bounded(list, max, field).map((n, i) => nodeName(n, `${field}[${i}]`));
}

export function versionLabel(value: string, field: string): VersionLabel {
  if (!isVersionLabel(value))
    throw invalid(field, `is not a version label: ${JSON.stringify(head(value, 64))}`);
  return value;
}

export function versionLabelOrNull(value: string, field: string): VersionLabel | null {
  return value === '' ? null : versionLabel(value, field);
}

const MOST_LABELS = 64;

/** The result has no prototype's names in it: keys are own, whatever they are called. */
export function labels(map: Readonly<Record<string, string>>, field: string): Record<string, string> {
  const entries = bounded(Object.entries(map), MOST_LABELS, field);
  return Object.fromEntries(
    entries.map(([k, v]) => [required(k, `${field} key`, 128), text(v, `${field}.${head(k, 64)}`, 512)]),
  );
}

/** Bytes as lower-case hex. */
export function hex(value: Uint8Array, field: string, max = 64): string {
  if (value.length > max) throw invalid(field, `longer than ${max} bytes`);
  return Buffer.from(value).toString('hex');
}

export function unhex(value: string): Buffer {
  return Buffer.from(value, 'hex');
}

export function buffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

export function bytes(value: Uint8Array, field: string, max: number): Uint8Array {
  if (value.length > max) throw invalid(field, `longer than ${max} bytes`);
  return value;
}

/** For a field that must be there. */
export function present<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw invalid(field, 'is missing');
  return value;
}

/** Absent on the wire is `null` here: unknown, never 0. */
export function figure(value: number | undefined, field: string): number | null {
  return value === undefined ? null : finite(value, field);
}

export function figureOut(value: number | null): number | undefined {
  return value === null || !Number.isFinite(value) ? undefined : value;
}

export function wholeOut(value: number | null, field: string): number | undefined {
  return value === null || !Number.isFinite(value) ? undefined : whole(value, field);
}
