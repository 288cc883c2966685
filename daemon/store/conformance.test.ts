import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { AppError } from '../../proto/vocab/errors.ts';
import type { BodyHash, SilenceId } from '../../proto/vocab/ids.ts';
import type { Op, Store } from '../service/ports.ts';
import { createCrashDisk } from './crash-disk.ts';
import { openFileStore } from './file-store.ts';
import { createMemoryStore } from './memory-store.ts';
import { commitOf } from './sample-commit.ts';

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

/** What every store must do, whatever is under it. `reopen` is given by those that outlive a restart. */
function storeConformance(
  name: string,
  make: () => Promise<{ store: Store; reopen?: () => Promise<Store> }>,
): void {
  describe(name, () => {
    let store: Store;
    let reopen: (() => Promise<Store>) | undefined;
    beforeEach(async () => {
      ({ store, reopen } = await make());
      return async () => store.close();
    });

    test('begins empty at revision 0', () => {
      expect(store.snapshot().revision).toBe(0);
      expect(store.snapshot().list('node')).toEqual([]);
      expect(store.degraded()).toBeNull();
      expect(store.recovery).toEqual([]);
    });

    test('a commit is seen at once, and only by the snapshots taken after it', async () => {
      const before = store.snapshot();
      const done = store.commit(commitOf(1, 'a', 'b'));
      expect(store.snapshot().get('meta', 'a')?.value).toBe('a@1');
      await done;
      await store.commit(commitOf(2, 'b', '-a', 'c'));
      expect(before.get('meta', 'a')).toBeUndefined();
      expect(before.count('meta')).toBe(0);
      expect(store.snapshot().list('meta')).toEqual([
        { id: 'b', value: 'b@2', modRevision: 2 },
        { id: 'c', value: 'c@2', modRevision: 2 },
      ]);
    });

    test('the same list for the same snapshot, a frozen one', async () => {
      await store.commit(commitOf(1, 'a'));
      const snapshot = store.snapshot();
      expect(snapshot.list('meta')).toBe(snapshot.list('meta'));
      expect(Object.isFrozen(snapshot.list('meta'))).toBe(true);
    });

    test('kinds do not mix, and odd keys are only keys', async () => {
      const keys = ['__proto__', 'constructor', '', '香港-1', 'a\nb', '\u202e'];
      await store.commit(commitOf(1, ...keys));
      for (const k of keys) expect(store.snapshot().get('meta', k)?.id).toBe(k);
      expect(store.snapshot().get('silence', '__proto__')).toBeUndefined();
      expect(store.snapshot().get('meta', 'toString')).toBeUndefined();
    });

    test('a commit that does not follow is refused and changes nothing', async () => {
      await store.commit(commitOf(1, 'a'));
      for (const rev of [0, 1, 3]) {
        await expect(store.commit(commitOf(rev, 'x'))).rejects.toMatchObject({ code: 'internal' });
      }
      expect(store.snapshot().revision).toBe(1);
      expect(store.snapshot().get('meta', 'x')).toBeUndefined();
    });

    test('a value that cannot be written is refused and changes nothing', async () => {
      const id = 'S-1' as SilenceId;
      const value = { id, matchers: [], startsAt: 1n, modRevision: 1 } as never;
      const ops: Op[] = [{ op: 'put', kind: 'silence', key: id, value }];
      await expect(store.commit({ ...commitOf(1), ops })).rejects.toThrow(TypeError);
      expect(store.snapshot().revision).toBe(0);
      await store.commit(commitOf(1, 'a'));
    });

    test('many at once settle in order', async () => {
      const settled: number[] = [];
      const all = Array.from({ length: 50 }, (_, i) =>
        store.commit(commitOf(i + 1, `k${i}`)).then(() => settled.push(i + 1)),
      );
      await Promise.all(all);
      expect(settled).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
      expect(store.snapshot().count('meta')).toBe(50);
    });

    test('blobs come back by their hash, and a caller cannot change one afterwards', async () => {
      const bytes = new TextEncoder().encode('services: []\n');
      const hash = await store.putBlob(bytes);
      expect(hash).toBe('a163d50c2e1cc570bf3f1da6033e37fd6154cc9ea2a9197574a17e3a11b43618');
      bytes.fill(0);
      expect(Buffer.from((await store.getBlob(hash)) ?? []).toString()).toBe('services: []\n');
      expect(await store.getBlob('00'.repeat(32) as BodyHash)).toBeNull();
      expect(await store.getBlob('../LOCK' as BodyHash)).toBeNull();
      const twice = await Promise.all([store.putBlob(Buffer.from('x')), store.putBlob(Buffer.from('x'))]);
      expect(twice[0]).toBe(twice[1]);
    });

    test('a closed store takes nothing, and says so', async () => {
      await store.commit(commitOf(1, 'a'));
      await store.close();
      await store.close();
      await expect(store.commit(commitOf(2, 'b'))).rejects.toBeInstanceOf(AppError);
      await expect(store.putBlob(Buffer.from('x'))).rejects.toMatchObject({ code: 'unavailable' });
      expect(store.snapshot().get('meta', 'a')?.value).toBe('a@1');
    });

    test('what was committed is there after a restart, in the same order, under the same id', async () => {
      if (!reopen) return;
      for (let rev = 1; rev <= 30; rev++) await store.commit(commitOf(rev, `k${(rev * 7) % 20}`, '-k3'));
      const hash = await store.putBlob(Buffer.from('body'));
      const before = store.snapshot();
      await store.close();
      const again = await reopen();
      try {
        expect(again.id).toBe(store.id);
        expect(again.recovery).toEqual([]);
        expect(again.snapshot().revision).toBe(30);
        expect(again.snapshot().list('meta')).toEqual(before.list('meta'));
        expect(Buffer.from((await again.getBlob(hash)) ?? []).toString()).toBe('body');
        await again.commit(commitOf(31, 'more'));
      } finally {
        await again.close();
      }
    });
  });
}
