import { crc32 } from 'node:zlib';
import { type Commit, KINDS, type Op } from '../service/ports.ts';

// One commit, one line: `<crc32 of the JSON's bytes, 8 hex> {"rev","ts","actor","src","req","ops"}\n`.

const LF = 0x0a;
const HEAD = 9;

/**
 * An op as the journal holds it. Of an entity that was there before only the fields that are others now (`set`), and the
 * names of those that are no more: a config changes little of a node, and changes it on all of them.
 */
export type WrittenOp =
  | Op
  | {
      readonly op: 'set';
      readonly kind: Op['kind'];
      readonly key: string;
      readonly value: Fields;
      readonly gone?: readonly string[];
    };
type Fields = Readonly<Record<string, unknown>>;

export type WrittenCommit = Omit<Commit, 'ops'> & { readonly ops: readonly WrittenOp[] };

export function encodeRecord(commit: WrittenCommit): Buffer {
  const { rev, ts, actor, src, req, ops } = commit;
  return encodeLine({ rev, ts, actor, src, req, ops });
}

export function encodeLine(value: unknown): Buffer {
  const json = JSON.stringify(value);
  const length = Buffer.byteLength(json);
  const line = Buffer.allocUnsafe(HEAD + length + 1);
  line.write(json, HEAD);
  line.write(`${crc(line.subarray(HEAD, HEAD + length))} `, 0, 'latin1');
  line[HEAD + length] = LF;
  return line;
}

/** What a put changes. Fields are compared by identity: what a decision leaves as it is it does not copy. */
export function changesOf(op: Extract<Op, { op: 'put' }>, was: object): WrittenOp {
  const [before, after] = [was as Fields, op.value as unknown as Fields];
  const value: Record<string, unknown> = {};
  const gone: string[] = [];
  for (const k in after) if (after[k] !== before[k]) value[k] = after[k];
  for (const k in before) if (after[k] === undefined && before[k] !== undefined) gone.push(k);
  const set = { op: 'set', kind: op.kind, key: op.key, value } as const;
  return gone.length === 0 ? set : { ...set, gone };
}

/** The entity that a `set` makes of the one before it. */
export function changed({ value, gone = [] }: Extract<WrittenOp, { op: 'set' }>, was: object): object {
  const next: Record<string, unknown> = { ...was, ...value };
  for (const k of gone) delete next[k];
  return next;
}

/** The value of one line, without its line end; `undefined` when the sum does not hold. */
export function decodeLine(line: Uint8Array): unknown {
  const buf = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  if (buf.length <= HEAD || buf[HEAD - 1] !== 0x20) return undefined;
  const json = buf.subarray(HEAD);
  if (buf.toString('latin1', 0, HEAD - 1) !== crc(json)) return undefined;
  try {
    return JSON.parse(json.toString());
  } catch {
    return undefined;
  }
}

/** The whole lines of a file with the place each begins at; the last one lacks its line end when `whole` is false. */
export function* linesOf(
  bytes: Uint8Array,
): Generator<{ readonly at: number; readonly line: Uint8Array; readonly whole: boolean }> {
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(LF, at);
    yield end < 0
      ? { at, line: bytes.subarray(at), whole: false }
      : { at, line: bytes.subarray(at, end), whole: true };
    if (end < 0) return;
    at = end + 1;
  }
}

function crc(json: Uint8Array): string {
  return crc32(json).toString(16).padStart(8, '0');
}

/** Of a form this release knows; a sound line that is not one was written by another release. */
export function isCommit(v: unknown): v is WrittenCommit {
  if (typeof v !== 'object' || v === null) return false;
  const c = v as Partial<Record<keyof Commit, unknown>>;
  return (
    Number.isSafeInteger(c.rev) &&
    typeof c.ts === 'number' &&
    typeof c.actor === 'string' &&
    typeof c.src === 'string' &&
    Array.isArray(c.ops) &&
    c.ops.every(isWritten)
  );
}

function isWritten(v: unknown): v is WrittenOp {
  if (isOp(v)) return true;
  if (typeof v !== 'object' || v === null) return false;
  const { op, gone, ...put } = v as { op?: unknown; gone?: unknown };
  const names = gone === undefined || (Array.isArray(gone) && gone.every((k) => typeof k === 'string'));
  return op === 'set' && names && isOp({ ...put, op: 'put' });
}

export function isOp(v: unknown): v is Op {
  if (typeof v !== 'object' || v === null) return false;
  const o = v as { op?: unknown; kind?: unknown; key?: unknown; value?: unknown };
  return (
    typeof o.key === 'string' &&
    KINDS.some((k) => k === o.kind) &&
    (o.op === 'del' || (o.op === 'put' && typeof o.value === 'object' && o.value !== null))
  );
}
