import path from 'node:path';
import type { Revision } from '../../proto/vocab/ids.ts';
import { type Disk, type DiskFile, writeDurably } from './disk.ts';

/** `journal/<first revision, 16 digits>.jsonl`: names sort as revisions do. */
export function revisionFile(rev: Revision): string {
  return `${String(rev).padStart(16, '0')}.jsonl`;
}

/** Revisions of the files so named in a directory, ascending; other files are left alone. */
export function revisionsIn(names: readonly string[]): Revision[] {
  return names
    .flatMap((n) => (/^\d{16}\.jsonl$/.test(n) ? [Number.parseInt(n, 10)] : []))
    .sort((a, b) => a - b);
}

/** Where the journal goes on after recovery. */
export interface Tail {
  readonly first: Revision;
  readonly bytes: number;
}

/** Writes segments. One caller at a time (the adapter's pump); knows how much of the current segment is durable. */
export class Journal {
  readonly #dir: string;
  readonly #rotateBytes: number;
  readonly #disk: Disk;
  #path: string | null;
  #file: DiskFile | null = null;
  #durable: number;
  #rotate = false;

  constructor(
    settings: { readonly dir: string; readonly rotateBytes: number },
    { disk }: { readonly disk: Disk },
    tail: Tail | null,
  ) {
    this.#dir = settings.dir;
    this.#rotateBytes = settings.rotateBytes;
    this.#disk = disk;
    this.#path = tail && path.join(settings.dir, revisionFile(tail.first));
    this.#durable = tail?.bytes ?? 0;
  }

  /** Durable when it settles. After it threw, only `repair` and `close` may follow. */
  async append(first: Revision, bytes: Uint8Array): Promise<void> {
    if (this.#rotate || this.#durable >= this.#rotateBytes) await this.#leave();
    this.#rotate = false;
    const file = this.#file ?? (await this.#enter(first));
    await file.write(bytes);
    await file.datasync();
    this.#durable += bytes.length;
  }

  /** The next append begins a new segment. */
  rotate(): void {
    if (this.#durable > 0) this.#rotate = true;
  }

  /**
   * After a failed append: cuts what may have reached the file, and leaves the segment. It is not written again, for a
   * page whose sync failed once reads as clean afterwards. Then proves that the disk takes writes.
   */
  async repair(): Promise<void> {
    await this.#file?.close().catch(() => {});
    this.#file = null;
    if (this.#path) await this.#cut(this.#path);
    this.#path = null;
    this.#durable = 0;
    const probe = path.join(this.#dir, 'probe');
    await writeDurably(this.#disk, probe, [new Uint8Array(64 * 1024)]);
    await this.#disk.unlink(probe);
  }

  async close(): Promise<void> {
    await this.#leave();
  }

  async #cut(file: string): Promise<void> {
    if (this.#durable === 0) {
      await this.#disk.unlink(file);
      await this.#disk.syncDir(this.#dir);
      return;
    }
    const handle = await this.#disk.open(file, 'append');
    try {
      await handle.truncate(this.#durable);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  async #enter(first: Revision): Promise<DiskFile> {
    const goesOn = this.#path !== null;
    this.#path ??= path.join(this.#dir, revisionFile(first));
    this.#file = await this.#disk.open(this.#path, goesOn ? 'append' : 'create');
    if (!goesOn) await this.#disk.syncDir(this.#dir);
    return this.#file;
  }

  async #leave(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    this.#path = null;
    this.#durable = 0;
    await file?.close();
  }
}
