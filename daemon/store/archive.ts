import { createHash } from 'node:crypto';
import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Revision } from '../../proto/vocab/ids.ts';
import { journalledHead } from '../service/audit.ts';
import { readRecord } from '../service/audit-chain.ts';
import type { Archive, Random, Snapshot } from '../service/ports.ts';
import { createDisk, type Disk, writeDurably } from './disk.ts';
import { SCHEMA } from './file-store.ts';
import { revisionFile, revisionsIn } from './journal.ts';
import { type SealCost, sealed } from './seal.ts';
import { partsOf } from './snapshot.ts';
import { State } from './state.ts';

// What is inside a backup: entries one after the other, each `{"path","bytes","sha256"}\n` and so many bytes; the last
// line is `{"entries": N}`. Paths are `store/…` and `state/…`: where the master has its two folders is its settings' say.

/** Where a master keeps what it knows. Absolute. */
export interface MasterDirs {
  /** The store: database.uri. */
  readonly store: string;
  /** state_dir. */
  readonly state: string;
}

/** Small files of state_dir that a restore needs; those that settings replace need not be there. */
const STATE_FILES = ['jwt.secret', 'sealing.key', 'ca/ca.pem'];
const SAFE =
  /^(?:store\/(?:store\.json|snapshot\/\d{16}\.jsonl|blobs\/[0-9a-f]{64})|state\/(?:jwt\.secret|sealing\.key|ca\/ca\.pem|audit\/\d{16}\.jsonl))$/;

interface Entry {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export function createArchive(
  dirs: MasterDirs,
  storeId: string,
  random: Pick<Random, 'bytes'>,
  { disk = createDisk(), cost }: { readonly disk?: Disk; readonly cost?: SealCost } = {},
): Archive {
  return {
    pack: (view, passphrase) =>
      sealed(packed(view, storeId, dirs, disk), passphrase, {
        random: random.bytes,
        ...(cost === undefined ? {} : { cost }),
      }),
  };
}

/**
 * All of it at one revision, that of `view`: the state, the bodies that its versions name, and of the audit log what
 * the state knows of. The master goes on writing meanwhile.
 */
async function* packed(
  view: Snapshot,
  storeId: string,
  dirs: MasterDirs,
  disk: Disk,
): AsyncGenerator<Uint8Array> {
  let entries = 0;
  for await (const { path: name, bytes } of entriesOf(view, storeId, dirs, disk)) {
    entries += 1;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    yield Buffer.from(`${JSON.stringify({ path: name, bytes: bytes.length, sha256 })}\n`);
    yield bytes;
  }
  yield Buffer.from(`${JSON.stringify({ entries })}\n`);
}

async function* entriesOf(
  view: Snapshot,
  storeId: string,
  dirs: MasterDirs,
  disk: Disk,
): AsyncGenerator<Entry> {
  if (!(view instanceof State)) throw new AppError('internal', 'this store cannot be backed up');
  const identity = { schema: SCHEMA, store_id: storeId };
  yield { path: 'store/store.json', bytes: Buffer.from(`${JSON.stringify(identity)}\n`) };
  const parts: Uint8Array[] = [];
  for (const part of partsOf({ schema: SCHEMA, storeId }, view)) {
    parts.push(part);
    await new Promise(setImmediate);
  }
  yield { path: `store/snapshot/${revisionFile(view.revision)}`, bytes: Buffer.concat(parts) };
  for (const hash of new Set(view.list('version').map((v) => v.bodyHash))) {
    const bytes = await disk.read(path.join(dirs.store, 'blobs', hash));
    if (bytes === null) throw new AppError('internal', `blobs/${hash} is gone: a backup would not be whole`);
    yield { path: `store/blobs/${hash}`, bytes };
  }
  for (const name of STATE_FILES) {
    const bytes = await disk.read(path.join(dirs.state, name));
    if (bytes !== null) yield { path: `state/${name}`, bytes };
  }
  yield* auditOf(view, path.join(dirs.state, 'audit'), disk);
}

/** Up to the last record that the state knows of; those it has not seen on disk yet, it holds itself. */
async function* auditOf(view: Snapshot, dir: string, disk: Disk): AsyncGenerator<Entry> {
  const { seq } = journalledHead(view);
  for (const first of revisionsIn(await disk.readdir(dir))) {
    if (first > seq) continue;
    const bytes = (await disk.read(path.join(dir, revisionFile(first)))) ?? new Uint8Array();
    const lines = Buffer.from(bytes).toString().split('\n').slice(0, -1);
    const known = lines.filter((l) => (readRecord(l)?.seq ?? 0) <= seq);
    yield {
      path: `state/audit/${revisionFile(first)}`,
      bytes: Buffer.from(known.map((l) => `${l}\n`).join('')),
    };
  }
}

/** Entries out of what `unsealed` gives. @throws AppError `invalid` */
async function* entriesIn(plain: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  let held = Buffer.alloc(0);
  const parts = plain[Symbol.asyncIterator]();
  const more = async (): Promise<boolean> => {
    const next = await parts.next();
    if (next.done) return false;
    held = Buffer.concat([held, next.value]);
    return true;
  };
  const wrong = (what: string) => new AppError('invalid', `the backup is damaged: ${what}`);
  for (let seen = 0; ; seen++) {
    let at = held.indexOf(0x0a);
    while (at < 0) {
      if (!(await more())) throw wrong('its last line is missing');
      at = held.indexOf(0x0a);
    }
    const head = JSON.parse(held.subarray(0, at).toString()) as Partial<Record<string, unknown>>;
    held = held.subarray(at + 1);
    if (typeof head['entries'] === 'number') {
      if (head['entries'] !== seen) throw wrong(`it holds ${seen} files, not ${head['entries']}`);
      while (await more());
      if (held.length > 0) throw wrong('something stands behind its end');
      return;
    }
    const { path: name, bytes: size, sha256 } = head;
    if (typeof name !== 'string' || !SAFE.test(name) || typeof size !== 'number')
      throw wrong(`it holds ${JSON.stringify(name)}, which no master keeps`);
    while (held.length < size) if (!(await more())) throw wrong(`${name} was cut`);
    const bytes = held.subarray(0, size);
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw wrong(`${name} was changed`);
    held = held.subarray(size);
    yield { path: name, bytes };
  }
}

/** What a backup holds. */
export interface Restored {
  readonly revision: Revision;
  readonly files: number;
  readonly bytes: number;
}

/** Reads all of it and writes nothing. @throws AppError `invalid` */
export async function checked(plain: AsyncIterable<Uint8Array>): Promise<Restored> {
  let revision = -1;
  let files = 0;
  let bytes = 0;
  let identity: unknown = null;
  for await (const entry of entriesIn(plain)) {
    files += 1;
    bytes += entry.bytes.length;
    const at = /^store\/snapshot\/(\d{16})\.jsonl$/.exec(entry.path)?.[1];
    if (at !== undefined) revision = Number(at);
    if (entry.path === 'store/store.json') identity = JSON.parse(Buffer.from(entry.bytes).toString());
  }
  const schema = (identity as { schema?: unknown } | null)?.schema;
  if (revision < 0 || typeof schema !== 'number')
    throw new AppError('invalid', 'the backup is damaged: it holds no state');
  if (schema > SCHEMA) {
    throw new AppError(
      'precondition',
      `a newer release made this backup (schema ${schema}, this one knows ${SCHEMA}): install that release`,
    );
  }
  return { revision, files, bytes };
}

/**
 * Writes it into two folders that hold nothing. The store gets another id: what consoles have seen since the backup may
 * come again with other content.
 */
export async function unpack(
  plain: AsyncIterable<Uint8Array>,
  dirs: MasterDirs,
  { disk, newId }: { readonly disk: Disk; readonly newId: string },
): Promise<void> {
  for await (const { path: name, bytes } of entriesIn(plain)) {
    const [root = '', ...rest] = name.split('/');
    const file = path.join(root === 'store' ? dirs.store : dirs.state, ...rest);
    await disk.mkdir(path.dirname(file));
    const content = name === 'store/store.json' ? renamed(bytes, newId) : bytes;
    await writeDurably(disk, file, [content]);
  }
}

function renamed(identity: Uint8Array, storeId: string): Uint8Array {
  const was = JSON.parse(Buffer.from(identity).toString()) as object;
  return Buffer.from(`${JSON.stringify({ ...was, store_id: storeId })}\n`);
}
