import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { storeConformance } from './conformance.ts';
import { createCrashDisk } from './crash-disk.ts';
import { openFileStore } from './file-store.ts';
import { createMemoryStore } from './memory-store.ts';

const random = { hex: (n: number) => 'ab'.repeat(n) };

storeConformance('memory store', async () => ({ store: createMemoryStore() }));

storeConformance('file store', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'ai-cdn-store-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const open = () => openFileStore({ dir: path.join(dir, 'db') }, { random });
  return { store: await open(), reopen: open };
});

storeConformance('file store, small segments and many snapshots', async () => {
  const disk = createCrashDisk();
  const open = () => openFileStore({ dir: '/db', rotateBytes: 400, snapshotCommits: 4 }, { random, disk });
  return { store: await open(), reopen: open };
});
