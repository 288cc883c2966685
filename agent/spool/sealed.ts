import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type SealedItem, type SealedRef, sealedFile } from '../../proto/vocab/secret.ts';
import { errno, makeDir, readOrNull, writeDurably } from './durable.ts';

/**
 * Secrets and certificates that this node's documents name: `<state_dir>/sealed`, 0700, a file a version, 0600. The engine
 * reads them; documents, and what is kept of them, hold references only.
 */
export class SealedSpool {
  readonly dir: string;
  #kept: string | null = null;

  constructor(settings: { readonly stateDir: string }) {
    this.dir = path.join(settings.stateDir, 'sealed');
  }

  /** Durable when it settles. */
  async put(items: readonly SealedItem[]): Promise<void> {
    await makeDir(this.dir);
    this.#kept = null;
    for (const item of items) {
      const file = path.join(this.dir, sealedFile(item));
      const content = Buffer.from(item.content).toString('utf8');
      if ((await readOrNull(file)) !== content) await writeDurably(file, content);
    }
  }

  /** Everything else goes: what is not used any more must not lie about. */
  async keepOnly(refs: readonly SealedRef[]): Promise<void> {
    const wanted = new Set(refs.map(sealedFile));
    const key = [...wanted].toSorted().join(' ');
    if (key === this.#kept) return;
    const found = await readdir(this.dir).catch((e: unknown) => {
      if (errno(e) === 'ENOENT') return [];
      throw e;
    });
    for (const name of found) if (!wanted.has(name)) await rm(path.join(this.dir, name), { force: true });
    this.#kept = key;
  }
}
