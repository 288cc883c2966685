import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import { type Disk, writeDurably } from './disk.ts';
import type { Places } from './recover.ts';

/** `store.json`: what the directory is. */
export interface Identity {
  readonly schema: number;
  readonly storeId: string;
  /** A migration from this schema has begun and its result is staged: it is finished before anything else. */
  readonly migratingFrom: number | null;
}

/** @throws AppError `precondition` when a newer release wrote it */
export async function readIdentity(places: Places, disk: Disk, known: number): Promise<Identity | null> {
  const bytes = await disk.read(path.join(places.dir, 'store.json'));
  if (!bytes) return null;
  let found: { schema?: unknown; store_id?: unknown; migrating_from?: unknown };
  try {
    found = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    found = {};
  }
  const { schema, store_id: storeId, migrating_from: from } = found;
  if (typeof schema !== 'number' || typeof storeId !== 'string') {
    throw new AppError(
      'precondition',
      `the store ${places.dir} does not start: store.json is damaged. Restore the directory from a backup; nothing was changed.`,
    );
  }
  if (schema > known) {
    throw new AppError(
      'precondition',
      `the store ${places.dir} was written by a newer release (schema ${schema}, this one knows ${known}): install that release again`,
    );
  }
  return { schema, storeId, migratingFrom: typeof from === 'number' ? from : null };
}

export async function writeIdentity(places: Places, disk: Disk, identity: Identity): Promise<void> {
  const { schema, storeId, migratingFrom } = identity;
  const written = {
    schema,
    store_id: storeId,
    ...(migratingFrom === null ? {} : { migrating_from: migratingFrom }),
  };
  const bytes = Buffer.from(`${JSON.stringify(written)}\n`);
  await writeDurably(disk, path.join(places.dir, 'store.json'), [bytes]);
}
