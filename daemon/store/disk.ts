import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import path from 'node:path';

/** The few things the store asks of a disk; its twin that can lose power is crash-disk.ts. Paths are absolute. */
export interface Disk {
  /** With its parents, 0700. */
  mkdir(dir: string): Promise<void>;
  /** Names of the files in a directory, in no order; none when it does not exist. */
  readdir(dir: string): Promise<string[]>;
  /** `null` when there is no such file. */
  read(file: string): Promise<Uint8Array | null>;
  /** `append` makes the file when missing; `create` empties it; `exclusive` fails with EEXIST. New files are 0600. */
  open(file: string, mode: 'append' | 'create' | 'exclusive'): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  /** Gone already is fine. */
  unlink(file: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDir(dir: string): Promise<void>;
}

export interface DiskFile {
  /** All of it, at the end of the file. */
  write(bytes: Uint8Array): Promise<void>;
  /** Keeps the first `size` bytes. */
  truncate(size: number): Promise<void>;
  /** What was written so far survives a power cut once this settles. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

const FLAGS = { append: 'a', create: 'w', exclusive: 'wx' } as const;

export function createDisk(): Disk {
  return {
    async mkdir(dir) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
    },
    readdir: (dir) => unlessMissing(readdir(dir), []),
    read: (file) => unlessMissing<Uint8Array | null>(readFile(file), null),
    async open(file, mode) {
      const handle = await open(file, FLAGS[mode], 0o600);
      return {
        async write(bytes) {
          await handle.appendFile(bytes);
        },
        truncate: (size) => handle.truncate(size),
        datasync: () => handle.datasync(),
        close: () => handle.close(),
      };
    },
    rename,
    unlink: (file) => unlessMissing(unlink(file), undefined),
    async syncDir(dir) {
      const handle = await open(dir, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

async function unlessMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return otherwise;
    throw e;
  }
}

/** tmp -> fsync -> rename -> fsync of the directory: after a power cut there is the old file or the new one, whole. */
export async function writeDurably(disk: Disk, file: string, parts: Iterable<Uint8Array>): Promise<void> {
  const tmp = `${file}.tmp`;
  try {
    const handle = await disk.open(tmp, 'create');
    try {
      for (const part of parts) await handle.write(part);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  } catch (e) {
    // On a full disk the half that was written stands in the way of recovery.
    await disk.unlink(tmp).catch(() => {});
    throw e;
  }
  await disk.rename(tmp, file);
  await disk.syncDir(path.dirname(file));
}
