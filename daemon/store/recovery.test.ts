import { describe, expect, test } from 'vitest';
import type { Op, Store } from '../service/ports.ts';
import { afterPowerCut, type CrashDisk, createCrashDisk } from './crash-disk.ts';
import { type FileStoreSettings, openFileStore, SCHEMA } from './file-store.ts';
import type { Migrations } from './migrate.ts';
import { encodeLine, encodeRecord } from './record.ts';
import { commitOf } from './sample-commit.ts';

let ids = 0;
const random = { hex: (n: number) => (++ids).toString(16).padStart(n * 2, '0') };
const openOn = (disk: CrashDisk, settings: Partial<FileStoreSettings> = {}, migrations?: Migrations) =>
  openFileStore(
    { dir: '/db', ...settings },
    { random, disk: disk.boot(), processes: afterPowerCut, ...(migrations && { migrations }) },
  );
const SEGMENT = '/db/journal/0000000000000001.jsonl';

/** A store that has lost power after so many commits: its journal is all there is, or with snapshots each `every`. */
async function crashedAfter(commits: number, settings: Partial<FileStoreSettings> = {}): Promise<CrashDisk> {
  const disk = createCrashDisk();
  const store = await openOn(disk, settings);
  for (let rev = 1; rev <= commits; rev++) {
    await store.commit(commitOf(rev, `k${rev}`));
    // Lets a snapshot that is due be written before the next commit.
    for (let turn = 0; turn < 12; turn++) await new Promise((done) => setImmediate(done));
  }
  disk.crash();
  return disk;
}
const filesOf = (disk: CrashDisk) => disk.files().filter((f) => !f.endsWith('LOCK'));
const keysOf = (store: Store) =>
  store
    .snapshot()
    .list('meta')
    .map((m) => m.id);
const names = (disk: CrashDisk, dir: string) =>
  disk
    .files()
    .filter((f) => f.startsWith(`/db/${dir}/`))
    .map((f) => f.slice(dir.length + 5));

describe('a journal whose end is torn', () => {
  test('cut at every byte of its last record: it starts, reports the cut, and goes on', async () => {
    const whole = Buffer.from((await (await crashedAfter(3)).read(SEGMENT)) ?? []);
    const last = whole.lastIndexOf(10, whole.length - 2) + 1;
    for (let size = last; size < whole.length; size++) {
      const disk = await crashedAfter(3);
      disk.edit(SEGMENT, (bytes) => bytes.subarray(0, size));
      const store = await openOn(disk);
      expect(store.snapshot().revision, `${size} bytes`).toBe(2);
      expect(keysOf(store)).toEqual(['k1', 'k2']);
      expect(store.recovery).toHaveLength(size === last ? 0 : 1);
      if (size > last) {
        expect(store.recovery[0]).toContain(`was cut at byte ${last} after revision 2`);
        expect(store.recovery[0]).toContain('never acknowledged');
        expect(await disk.read(`/db/quarantine/journal-0000000000000001.jsonl.${last}`)).toEqual(
          whole.subarray(last, size),
        );
      }
      await store.commit(commitOf(3, 'again'));
      disk.crash();
      const later = await openOn(disk);
      expect(keysOf(later)).toEqual(['k1', 'k2', 'again']);
      expect(later.recovery).toEqual([]);
      expect(later.id).toBe(store.id);
      await later.close();
    }
  });

  test('a first record that is torn leaves an empty store', async () => {
    const disk = await crashedAfter(1);
    disk.edit(SEGMENT, (bytes) => bytes.subarray(0, 20));
    const store = await openOn(disk);
    expect(store.snapshot().revision).toBe(0);
    expect(names(disk, 'journal')).toEqual([]);
    await store.commit(commitOf(1, 'x'));
    disk.crash();
    const again = await openOn(disk);
    expect(keysOf(again)).toEqual(['x']);
    await again.close();
  });
});

test('a record found in the cache only, its writer killed before the sync, is durable once it was shown', async () => {
  const disk = await crashedAfter(1);
  const half = await disk.open(SEGMENT, 'append');
  await half.write(encodeRecord(commitOf(2, 'k2')));
  const store = await openOn(disk);
  expect(keysOf(store)).toEqual(['k1', 'k2']);
  disk.crash();
  const again = await openOn(disk);
  expect(keysOf(again)).toEqual(['k1', 'k2']);
  await again.close();
});

describe('a journal that has rotted', () => {
  test('every flipped byte of the last segment is noticed', async () => {
    const size = (await (await crashedAfter(2)).read(SEGMENT))?.length ?? 0;
    for (let at = 0; at < size; at += 3) {
      const disk = await crashedAfter(2);
      disk.edit(SEGMENT, (bytes) => {
        bytes[at] = (bytes[at] ?? 0) ^ 0x04;
        return bytes;
      });
      const store = await openOn(disk);
      expect(store.snapshot().revision, `byte ${at}`).toBeLessThan(2);
      expect(store.recovery).toHaveLength(1);
      await store.close();
    }
  });

  test('whole records that had to be cut are named, and consoles start anew: the store has another id', async () => {
    const disk = await crashedAfter(4);
    const before = JSON.parse(Buffer.from((await disk.read('/db/store.json')) ?? []).toString());
    disk.edit(SEGMENT, (bytes) => {
      bytes[bytes.indexOf('k2')] = 0x58;
      return bytes;
    });
    const store = await openOn(disk);
    expect(keysOf(store)).toEqual(['k1']);
    expect(store.recovery[0]).toContain('a damaged record and 2 after it, which may have been acknowledged');
    expect(store.id).not.toBe(before.store_id);
    disk.crash();
    const again = await openOn(disk);
    expect([again.id, again.recovery]).toEqual([store.id, []]);
    await again.close();
  });

  test('a record missing in the middle is a gap, not a journal', async () => {
    const disk = await crashedAfter(3);
    disk.edit(SEGMENT, (bytes) => {
      const lines = bytes.toString().split('\n');
      return Buffer.from([lines[0], lines[2], ''].join('\n'));
    });
    const store = await openOn(disk);
    expect(keysOf(store)).toEqual(['k1']);
    await store.close();
  });

  test('damage before the last segment: it does not start, says where, and changes nothing', async () => {
    const disk = await crashedAfter(9, { rotateBytes: 500 });
    expect(names(disk, 'journal').length).toBeGreaterThan(2);
    disk.edit(SEGMENT, (bytes) => bytes.fill(0x58, 300, 310));
    const files = filesOf(disk);
    await expect(openOn(disk)).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringMatching(
        /journal\/0000000000000001\.jsonl is damaged at byte \d+ \(revision 2\), and newer segments follow/,
      ),
    });
    expect(filesOf(disk)).toEqual(files);
  });

  test('a missing segment: it does not start', async () => {
    const disk = await crashedAfter(9, { rotateBytes: 500 });
    await disk.unlink(`/db/journal/${names(disk, 'journal')[1]}`);
    await expect(openOn(disk)).rejects.toThrow(/does not go on where the one before it ends/);
    const first = await crashedAfter(9, { rotateBytes: 500 });
    await first.unlink(SEGMENT);
    await expect(openOn(first)).rejects.toThrow(/begins at revision \d+, 1 is missing/);
  });

  test('a sound record of a form it does not know is not cut: a newer release wrote it', async () => {
    const disk = await crashedAfter(1);
    const strange = encodeLine({ ...commitOf(2), ops: [{ op: 'put', kind: 'planet', key: 'x', value: {} }] });
    disk.edit(SEGMENT, (bytes) => Buffer.concat([bytes, strange]));
    await expect(openOn(disk)).rejects.toThrow(/a newer release wrote it/);
  });
});

describe('snapshots', () => {
  const often = { snapshotCommits: 4, rotateBytes: 300 };

  test.each([
    ['large', { snapshotCommits: 4 }],
    ['small', often],
  ])('two are kept, and of the journal (%s segments) what the older of them needs', async (_, settings) => {
    const disk = await crashedAfter(21, settings);
    const snapshots = names(disk, 'snapshot').map((n) => Number.parseInt(n, 10));
    const segments = names(disk, 'journal').map((n) => Number.parseInt(n, 10));
    expect(snapshots).toHaveLength(2);
    expect(segments[0]).toBe((snapshots[0] ?? 0) + 1);
    const store = await openOn(disk);
    expect(store.snapshot().revision).toBe(21);
    expect(keysOf(store)).toHaveLength(21);
    await store.close();
  });

  test('the newest is damaged: the one before it and the journal lead to the same state', async () => {
    const newest = names(await crashedAfter(21, often), 'snapshot').at(-1);
    const file = `/db/snapshot/${newest}`;
    const size = (await (await crashedAfter(21, often)).read(file))?.length ?? 0;
    for (let at = 0; at < size; at += 41) {
      const disk = await crashedAfter(21, often);
      disk.edit(file, (bytes) => bytes.fill((bytes[at] ?? 0) ^ 1, at, at + 1));
      const store = await openOn(disk);
      expect(keysOf(store), `byte ${at}`).toHaveLength(21);
      expect(store.recovery[0]).toContain(`snapshot/${newest} was not sound`);
      expect(names(disk, 'quarantine')).toEqual([`snapshot-${newest}`]);
      await store.commit(commitOf(22, 'more'));
      await store.close();
      const again = await openOn(disk);
      expect(keysOf(again)).toHaveLength(22);
      expect(again.recovery).toEqual([]);
      expect(again.id).toBe(store.id);
      await again.close();
    }
  });

  test('none is sound and the journal does not reach back: it does not start', async () => {
    const disk = await crashedAfter(21, often);
    for (const name of names(disk, 'snapshot')) disk.edit(`/db/snapshot/${name}`, (b) => b.subarray(0, 30));
    await expect(openOn(disk)).rejects.toThrow(/no snapshot is sound .* and the journal begins at revision/);
  });

  test('a journal that ends before the snapshot does is not gone on with', async () => {
    const disk = createCrashDisk();
    const first = await openOn(disk);
    for (let rev = 1; rev <= 3; rev++) await first.commit(commitOf(rev, `k${rev}`));
    await first.close();
    disk.edit(SEGMENT, (bytes) => bytes.subarray(0, -1));
    const store = await openOn(disk);
    expect(store.snapshot().revision).toBe(3);
    await store.commit(commitOf(4, 'k4'));
    disk.crash();
    const again = await openOn(disk);
    expect(keysOf(again)).toEqual(['k1', 'k2', 'k3', 'k4']);
    await again.close();
  });

  test('close takes one, so that a start after it has nothing to replay', async () => {
    const disk = createCrashDisk();
    const store = await openOn(disk);
    await store.commit(commitOf(1, 'a', 'b'));
    await store.close();
    expect(names(disk, 'snapshot')).toEqual(['0000000000000001.jsonl']);
    const lines = Buffer.from((await disk.read('/db/snapshot/0000000000000001.jsonl')) ?? [])
      .toString()
      .split('\n');
    expect(JSON.parse(lines[0] ?? '')).toEqual({ schema: SCHEMA, store_id: store.id, rev: 1 });
    expect(JSON.parse(lines[3] ?? '')).toMatchObject({ entities: 2 });
  });

  test('what a crash left half written is cleared away', async () => {
    const disk = await crashedAfter(1);
    const half = await disk.open('/db/snapshot/0000000000000001.jsonl.tmp', 'create');
    await half.write(Buffer.from('{'));
    const store = await openOn(disk);
    expect(names(disk, 'snapshot')).toEqual([]);
    await store.close();
  });
});

describe('schema', () => {
  const NEXT = SCHEMA + 1;
  const upgrades = new Map([
    [
      SCHEMA,
      (put: Op): Op =>
        put.op === 'put' && put.kind === 'meta'
          ? { ...put, value: { ...put.value, value: `${put.value.value}!` } }
          : put,
    ],
  ]);

  test('a newer release migrates, and the old files stay', async () => {
    const disk = await crashedAfter(9, { snapshotCommits: 4 });
    const store = await openOn(disk, { schema: NEXT }, upgrades);
    expect(store.snapshot().revision).toBe(9);
    expect(store.snapshot().get('meta', 'k7')?.value).toBe('k7@7!');
    expect(store.recovery.join()).toContain(
      `from schema ${SCHEMA} to ${NEXT}; the old files are in schema-${SCHEMA}/`,
    );
    expect(names(disk, `schema-${SCHEMA}/journal`).length).toBeGreaterThan(0);
    await store.commit(commitOf(10, 'new'));
    disk.crash();
    const again = await openOn(disk, { schema: NEXT }, upgrades);
    expect(again.snapshot().get('meta', 'k7')?.value).toBe('k7@7!');
    expect(keysOf(again)).toHaveLength(10);
    expect(again.id).toBe(store.id);
    await again.close();
  });

  test('every schema there was leads to this one', async () => {
    for (let was = 1; was < SCHEMA; was++) {
      const disk = createCrashDisk();
      const old = await openOn(disk, { schema: was });
      await old.commit(commitOf(1, 'a', 'b'));
      await old.close();
      const store = await openOn(disk);
      expect(keysOf(store)).toEqual(['a', 'b']);
      expect(store.id).toBe(old.id);
      await store.close();
    }
  });

  test('an older release refuses, and changes nothing', async () => {
    const disk = await crashedAfter(3);
    await (await openOn(disk, { schema: NEXT }, upgrades)).close();
    const files = filesOf(disk);
    await expect(openOn(disk)).rejects.toThrow(
      `newer release (schema ${NEXT}, this one knows ${SCHEMA}): install that release again`,
    );
    expect(filesOf(disk)).toEqual(files);
  });

  test('power lost at any step of a migration: the next start finishes it', async () => {
    let finished = false;
    for (let budget = 0; !finished; budget++) {
      const disk = await crashedAfter(5, { snapshotCommits: 2 });
      let left = budget;
      disk.fault = (op, file) => {
        if (file.includes('LOCK')) return;
        if (left-- <= 0) throw new Error(`the power goes at ${op}`);
      };
      try {
        await (await openOn(disk, { schema: NEXT }, upgrades)).close();
        finished = true;
      } catch (e) {
        expect(String(e)).toContain('the power goes');
      }
      disk.fault = null;
      disk.crash();
      const store = await openOn(disk, { schema: NEXT }, upgrades);
      expect(
        store
          .snapshot()
          .list('meta')
          .map((m) => m.value),
        `step ${budget}`,
      ).toEqual([1, 2, 3, 4, 5].map((n) => `k${n}@${n}!`));
      await store.close();
    }
  });

  test('a migration of a store that lost records gives it another id', async () => {
    const disk = await crashedAfter(3);
    const before = JSON.parse(Buffer.from((await disk.read('/db/store.json')) ?? []).toString());
    disk.edit(SEGMENT, (bytes) => bytes.fill(0x58, 20, 21));
    const store = await openOn(disk, { schema: NEXT }, upgrades);
    expect(store.id).not.toBe(before.store_id);
    expect(store.recovery).toHaveLength(2);
    disk.crash();
    const again = await openOn(disk, { schema: NEXT }, upgrades);
    expect(again.id).toBe(store.id);
    await again.close();
  });

  test('a store.json that cannot be read is not guessed', async () => {
    const disk = await crashedAfter(1);
    disk.edit('/db/store.json', (b) => b.subarray(0, 5));
    await expect(openOn(disk)).rejects.toMatchObject({ code: 'precondition' });
  });
});
