import { describe, expect, test, vi } from 'vitest';
import type { Store } from '../service/ports.ts';
import { afterPowerCut, type CrashDisk, createCrashDisk, diskError } from './crash-disk.ts';
import type { Disk } from './disk.ts';
import { type FileStoreSettings, openFileStore } from './file-store.ts';
import { commitOf } from './sample-commit.ts';

let ids = 0;
const random = { hex: (n: number) => (++ids).toString(16).padStart(n * 2, '0') };
const openOn = (disk: CrashDisk, settings: Partial<FileStoreSettings> = {}) =>
  openBooted(disk.boot(), settings);
const openBooted = (disk: Disk, settings: Partial<FileStoreSettings> = {}) =>
  openFileStore({ dir: '/db', retryMs: 1, ...settings }, { random, disk, processes: afterPowerCut });
const keysOf = (store: Store) =>
  store
    .snapshot()
    .list('meta')
    .map((m) => m.id);

/** Commits in bursts until the power goes; what had been acknowledged by then must be there afterwards. */
async function lostInPowerCut(disk: CrashDisk, open: () => Promise<Store>, cutAfter: number, torn: number) {
  const store = await open();
  const acknowledged: string[] = [];
  let next = store.snapshot().revision + 1;
  const running: Promise<void>[] = [];
  for (let turn = 0; turn < cutAfter; turn++) {
    for (let i = 0; i < 3; i++) {
      const key = `t${turn}.${i}`;
      const rev = next++;
      running.push(store.commit(commitOf(rev, key)).then(() => void acknowledged.push(key)));
    }
    await new Promise((done) => setImmediate(done));
  }
  disk.crash(torn);
  const settled = await Promise.allSettled(running);
  await store.close().catch(() => {});
  const there = new Set<string>();
  // A store that does not start has lost all.
  const again = await open().catch(() => null);
  for (const key of again ? keysOf(again) : []) there.add(key);
  await again?.close();
  expect(settled.some((s) => s.status === 'rejected') || acknowledged.length === running.length).toBe(true);
  return { acknowledged, lost: acknowledged.filter((key) => !there.has(key)) };
}

describe('power cuts', () => {
  test('no acknowledged commit is lost, wherever the power goes and whatever of the rest got through', async () => {
    let acknowledged = 0;
    for (const cutAfter of [1, 2, 3, 4, 5, 8, 13, 21]) {
      for (const torn of [0, 1, 40, 10_000]) {
        const disk = createCrashDisk();
        const settings = { rotateBytes: 900, snapshotCommits: 7 };
        const run = await lostInPowerCut(disk, () => openOn(disk, settings), cutAfter, torn);
        expect(run.lost, `cut after ${cutAfter}, ${torn} bytes torn`).toEqual([]);
        acknowledged += run.acknowledged.length;
      }
    }
    expect(acknowledged).toBeGreaterThan(100);
  });

  test.each(['datasync', 'syncDir'] as const)('a store that skips %s is found out', async (skipped) => {
    const lost: string[] = [];
    for (const cutAfter of [8, 13, 21]) {
      const disk = createCrashDisk();
      const careless = (): Disk => {
        const booted = disk.boot();
        return {
          ...booted,
          syncDir: (dir) => (skipped === 'syncDir' ? Promise.resolve() : booted.syncDir(dir)),
          async open(file, mode) {
            const handle = await booted.open(file, mode);
            return skipped === 'datasync' ? { ...handle, datasync: async () => {} } : handle;
          },
        };
      };
      lost.push(...(await lostInPowerCut(disk, () => openBooted(careless()), cutAfter, 0)).lost);
    }
    expect(lost.length).toBeGreaterThan(0);
  });

  test('blobs survive too', async () => {
    const disk = createCrashDisk();
    const store = await openOn(disk);
    const hash = await store.putBlob(Buffer.from('services: []'));
    disk.crash();
    const again = await openOn(disk);
    expect(Buffer.from((await again.getBlob(hash)) ?? []).toString()).toBe('services: []');
    disk.edit(`/db/blobs/${hash}`, (b) => b.fill(0, 0, 1));
    await expect(again.getBlob(hash)).rejects.toMatchObject({ code: 'internal' });
    await again.putBlob(Buffer.from('services: []'));
    expect(await again.getBlob(hash)).not.toBeNull();
    await again.close();
  });
});

describe('group commit', () => {
  test('a hundred at once take a few datasyncs, not a hundred', async () => {
    const disk = createCrashDisk();
    const store = await openOn(disk);
    const before = disk.datasyncs();
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.commit(commitOf(i + 1, `k${i}`))));
    expect(disk.datasyncs() - before).toBeLessThanOrEqual(2);
    await store.close();
  });

  test('one after the other take one each', async () => {
    const disk = createCrashDisk();
    const store = await openOn(disk);
    const before = disk.datasyncs();
    for (let rev = 1; rev <= 5; rev++) await store.commit(commitOf(rev, 'k'));
    expect(disk.datasyncs() - before).toBe(5);
    await store.close();
  });
});

describe('a disk that refuses', () => {
  for (const [code, op, words] of [
    ['ENOSPC', 'write', 'the disk is full'],
    ['EIO', 'datasync', 'the disk reports an input/output error'],
  ] as const) {
    test(`${code} on ${op}: nothing is acknowledged, reads go on, and it recovers by itself`, async () => {
      const disk = createCrashDisk();
      const store = await openOn(disk);
      await store.commit(commitOf(1, 'before'));
      disk.fault = (at) => {
        if (at === op) throw diskError(code);
      };
      const refused = await Promise.allSettled([
        store.commit(commitOf(2, 'a')),
        store.commit(commitOf(3, 'b')),
        store.commit(commitOf(4, 'c')),
      ]);
      for (const r of refused) {
        expect(r).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      }
      expect(store.degraded()).toBe(words);
      expect(store.snapshot().revision).toBe(1);
      expect(keysOf(store)).toEqual(['before']);
      await expect(store.commit(commitOf(2, 'd'))).rejects.toMatchObject({ code: 'unavailable' });
      await expect(store.putBlob(Buffer.from('x'))).rejects.toThrow(words);

      disk.fault = null;
      await vi.waitFor(() => expect(store.degraded()).toBeNull());
      await store.commit(commitOf(2, 'after'));
      // Even if the platter took what the disk refused.
      disk.crash(10_000);
      await store.close().catch(() => {});
      const again = await openOn(disk);
      expect(keysOf(again)).toEqual(['before', 'after']);
      expect(again.recovery).toEqual([]);
      await again.close();
    });
  }

  test('commits that come while a sync is failing are refused with it, in their order', async () => {
    const disk = createCrashDisk();
    const store = await openOn(disk);
    const outcomes: string[] = [];
    const note = (rev: number) =>
      store.commit(commitOf(rev, `k${rev}`)).catch(() => void outcomes.push(`${rev}`));
    const behind: Promise<unknown>[] = [];
    disk.fault = (op) => {
      if (op !== 'datasync') return;
      behind.push(note(2), note(3));
      disk.fault = () => {
        throw diskError('EIO');
      };
      throw diskError('EIO');
    };
    await note(1);
    await Promise.all(behind);
    expect(outcomes).toEqual(['1', '2', '3']);
    expect(store.snapshot().revision).toBe(0);
    disk.fault = null;
    await store.close();
  });

  test('a failed first attempt to repair is followed by another', async () => {
    const disk = createCrashDisk();
    const store = await openOn(disk);
    await store.commit(commitOf(1, 'a'));
    let refusals = 0;
    disk.fault = (op) => {
      if (op === 'write' && refusals++ < 4) throw diskError('ENOSPC');
    };
    await expect(store.commit(commitOf(2, 'b'))).rejects.toMatchObject({ code: 'unavailable' });
    await vi.waitFor(() => expect(store.degraded()).toBeNull());
    expect(refusals).toBeGreaterThan(4);
    await store.commit(commitOf(2, 'c'));
    expect(keysOf(store)).toEqual(['a', 'c']);
    await store.close();
  });

  test('a snapshot that does not fit leaves no litter and costs nothing', async () => {
    const disk = createCrashDisk();
    const store = await openOn(disk, { snapshotCommits: 2 });
    disk.fault = (op, file) => {
      if (op === 'write' && file.includes('/snapshot/')) throw diskError('ENOSPC');
    };
    for (let rev = 1; rev <= 6; rev++) await store.commit(commitOf(rev, `k${rev}`));
    await store.close();
    expect(store.degraded()).toBeNull();
    expect(disk.files().filter((f) => f.startsWith('/db/snapshot/'))).toEqual([]);
    disk.fault = null;
    const again = await openOn(disk);
    expect(again.snapshot().revision).toBe(6);
    await again.close();
  });
});
