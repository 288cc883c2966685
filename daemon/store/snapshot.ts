import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Revision } from '../../proto/vocab/ids.ts';
import type { Op } from '../service/ports.ts';
import { type Disk, writeDurably } from './disk.ts';
import { revisionFile, revisionsIn } from './journal.ts';
import { isOp, linesOf } from './record.ts';
import { State } from './state.ts';

// `snapshot/<rev>.jsonl`: a header, a line an entity, and a trailer with the sha256 of all bytes before it.

export interface SnapshotHeader {
  readonly schema: number;
  readonly storeId: string;
}

const PART = 64 * 1024;

export async function writeSnapshot(
  { dir, header }: { readonly dir: string; readonly header: SnapshotHeader },
  { disk }: { readonly disk: Disk },
  state: State,
): Promise<void> {
  await writeDurably(disk, path.join(dir, revisionFile(state.revision)), partsOf(header, state));
}

/** Parts of some 64 KB: the loop gets its turn between two of them. */
export function* partsOf(header: SnapshotHeader, state: State): Generator<Uint8Array> {
  const sum = createHash('sha256');
  let text = `${JSON.stringify({ schema: header.schema, store_id: header.storeId, rev: state.revision })}\n`;
  let entities = 0;
  for (const put of state.puts()) {
    if (put.op !== 'put') continue;
    text += `${JSON.stringify({ kind: put.kind, key: put.key, value: put.value })}\n`;
    entities++;
    if (text.length < PART) continue;
    const part = Buffer.from(text);
    sum.update(part);
    yield part;
    text = '';
  }
  const rest = Buffer.from(text);
  sum.update(rest);
  yield rest;
  yield Buffer.from(`${JSON.stringify({ sha256: sum.digest('hex'), entities })}\n`);
}

export type ReadSnapshot =
  | { readonly ok: true; readonly state: State; readonly schema: number }
  | { readonly ok: false; readonly why: string };

/** A snapshot is taken whole or not at all. */
export async function readSnapshot(dir: string, rev: Revision, disk: Disk): Promise<ReadSnapshot> {
  const bytes = await disk.read(path.join(dir, revisionFile(rev)));
  if (!bytes) return { ok: false, why: 'it is gone' };
  const end = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
  const trailer = parse(bytes.subarray(end)) as { sha256?: unknown; entities?: unknown } | null;
  if (trailer?.sha256 !== createHash('sha256').update(bytes.subarray(0, end)).digest('hex')) {
    return { ok: false, why: 'its sha256 does not hold' };
  }
  let header: { schema?: unknown; rev?: unknown } | null = null;
  let strange = false;
  let entities = 0;
  const commits = function* (): Generator<{ rev: Revision; ops: readonly Op[] }> {
    for (const { line } of linesOf(bytes.subarray(0, end))) {
      const value = parse(line) as Record<string, unknown> | null;
      if (!header) {
        header = value ?? {};
        continue;
      }
      const op = { ...value, op: 'put' };
      entities++;
      if (isOp(op)) yield { rev, ops: [op] };
      else strange = true;
    }
  };
  const state = State.empty().replay(commits());
  const { schema, rev: written } = (header ?? {}) as { schema?: unknown; rev?: unknown };
  if (strange || entities !== trailer.entities || typeof schema !== 'number' || written !== rev) {
    return { ok: false, why: 'its content is not what this release writes' };
  }
  return { ok: true, state: state.revision === rev ? state : state.replay([{ rev, ops: [] }]), schema };
}

/**
 * Keeps the two newest snapshots, and of the journal what the older of them needs: should the newest prove rotten,
 * the one before it and the journal still lead to now.
 */
export async function prune(
  { snapshots, journal }: { readonly snapshots: string; readonly journal: string },
  { disk }: { readonly disk: Disk },
): Promise<void> {
  const kept = revisionsIn(await disk.readdir(snapshots));
  for (const rev of kept.splice(0, Math.max(0, kept.length - 2))) {
    await disk.unlink(path.join(snapshots, revisionFile(rev)));
  }
  await disk.syncDir(snapshots);
  const older = kept.length === 2 ? kept[0] : undefined;
  if (older === undefined) return;
  const segments = revisionsIn(await disk.readdir(journal));
  for (const [i, first] of segments.entries()) {
    const next = segments[i + 1];
    if (next !== undefined && next <= older + 1) await disk.unlink(path.join(journal, revisionFile(first)));
  }
  await disk.syncDir(journal);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return null;
  }
}
