import { createHash } from 'node:crypto';
import path from 'node:path';
import { AppError } from '../../proto/vocab/errors.ts';
import type { BodyHash } from '../../proto/vocab/ids.ts';
import { type Disk, writeDurably } from './disk.ts';

/** Bodies by their sha256, a file each: written once, never changed, verified on every read. */
export class Blobs {
  readonly #dir: string;
  readonly #disk: Disk;
  /** Writes of the same body share one file, so they share one write. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor({ dir }: { readonly dir: string }, { disk }: { readonly disk: Disk }) {
    this.#dir = dir;
    this.#disk = disk;
  }

  async put(bytes: Uint8Array): Promise<BodyHash> {
    const own = Uint8Array.from(bytes);
    const hash = sha256(own);
    const write = this.#writing.get(hash) ?? this.#write(hash, own);
    this.#writing.set(hash, write);
    try {
      await write;
    } finally {
      this.#writing.delete(hash);
    }
    return hash as BodyHash;
  }

  /** @throws AppError `internal` when the file is not what its name says */
  async get(hash: BodyHash): Promise<Uint8Array | null> {
    if (!/^[0-9a-f]{64}$/.test(hash)) return null;
    const bytes = await this.#disk.read(path.join(this.#dir, hash));
    if (bytes && sha256(bytes) !== hash) {
      throw new AppError('internal', `blobs/${hash} is damaged: its content is not what its name says`);
    }
    return bytes;
  }

  async #write(hash: string, bytes: Uint8Array): Promise<void> {
    const file = path.join(this.#dir, hash);
    const there = await this.#disk.read(file);
    // A damaged one is written again. One that is there was renamed in, but its name may not be durable yet.
    if (there && sha256(there) === hash) await this.#disk.syncDir(this.#dir);
    else await writeDurably(this.#disk, file, [bytes]);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
