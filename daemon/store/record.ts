import { crc32 } from 'node:zlib';
import { type Commit, KINDS, type Op } from '../service/ports.ts';

// One commit, one line: `<crc32 of the JSON's bytes, 8 hex> {"rev","ts","actor","src","req","ops"}\n`.

const LF = 0x0a;
const HEAD = 9;

export function encodeRecord(commit: Commit): Buffer {
  const { rev, ts, actor, src, req, ops } = commit;
  return encodeLine({ rev, ts, actor, src, req, ops });
}

export function encodeLine(value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value));
  return Buffer.concat([Buffer.from(`${crc(json)} `), json, Buffer.of(LF)]);
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
export function isCommit(v: unknown): v is Commit {
  if (typeof v !== 'object' || v === null) return false;
  const c = v as Partial<Record<keyof Commit, unknown>>;
  return (
    Number.isSafeInteger(c.rev) &&
    typeof c.ts === 'number' &&
    typeof c.actor === 'string' &&
    typeof c.src === 'string' &&
    Array.isArray(c.ops) &&
    c.ops.every(isOp)
  );
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
