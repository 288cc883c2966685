import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Commit, Store } from '../service/ports.ts';
import { afterPowerCut, createCrashDisk, type DiskOp, diskError } from './crash-disk.ts';
import { openFileStore } from './file-store.ts';

const random = { hex: (n: number) => 'ab'.repeat(n) };
const turn = () => new Promise((done) => setImmediate(done));

type Step =
  | { readonly do: 'burst'; readonly commits: number; readonly turns: number }
  | { readonly do: 'break'; readonly op: DiskOp }
  | { readonly do: 'mend' }
  | { readonly do: 'power cut'; readonly torn: number }
  | { readonly do: 'kill' }
  | { readonly do: 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      commits: fc.integer({ min: 1, max: 6 }),
      turns: fc.integer({ min: 0, max: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('break' as const),
      op: fc.constantFrom<DiskOp>('open', 'write', 'datasync', 'rename', 'unlink', 'truncate', 'syncDir'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mend' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('power cut' as const), torn: fc.constantFrom(0, 1, 33, 9999) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** Each commit leaves its number of attempt under its revision, so that the state tells which commits it is made of. */
function attemptAt(rev: number, attempt: number): Commit {
  const value = { id: `r${rev}`, value: attempt, modRevision: rev };
  return { rev, ts: 0, actor: 'a', src: 's', ops: [{ op: 'put', kind: 'meta', key: `r${rev}`, value }] };
}

function holds(store: Store, acknowledged: ReadonlyMap<number, number>): void {
  const { revision } = store.snapshot();
  expect(
    store
      .snapshot()
      .list('meta')
      .map((m) => m.id),
  ).toEqual(Array.from({ length: revision }, (_, i) => `r${i + 1}`));
  for (const [rev, attempt] of acknowledged)
    expect(store.snapshot().get('meta', `r${rev}`)?.value).toBe(attempt);
}

test('bursts, refusing disks, power cuts, kills and restarts in any order: nothing acknowledged or once shown is lost', async () => {
  let acknowledgedInAll = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const disk = createCrashDisk();
      const settings = { dir: '/db', rotateBytes: 500, snapshotCommits: 5, retryMs: 0 };
      const open = () => openFileStore(settings, { random, disk: disk.boot(), processes: afterPowerCut });
      let store = await open();
      const acknowledged = new Map<number, number>();
      let attempts = 0;
      let running: Promise<unknown>[] = [];
      for (const s of [...steps, { do: 'power cut', torn: 0 } as const]) {
        if (s.do === 'burst') {
          for (let i = 0; i < s.commits; i++) {
            const rev = store.snapshot().revision + 1;
            const attempt = ++attempts;
            const settled = store.commit(attemptAt(rev, attempt)).then(() => acknowledged.set(rev, attempt));
            running.push(settled.catch(() => {}));
          }
          for (let i = 0; i < s.turns; i++) await turn();
        } else if (s.do === 'break') {
          disk.fault = (op) => {
            if (op === s.op) throw diskError('EIO');
          };
        } else if (s.do === 'mend') {
          disk.fault = null;
          await new Promise((done) => setTimeout(done, 2));
        } else {
          disk.fault = null;
          if (s.do === 'power cut') disk.crash(s.torn);
          else if (s.do === 'kill') disk.kill();
          else await Promise.all(running);
          await store.close().catch(() => {});
          await Promise.all(running);
          running = [];
          store = await open();
          holds(store, acknowledged);
          // What a start has shown is as good as acknowledged.
          for (const m of store.snapshot().list('meta')) acknowledged.set(m.modRevision, Number(m.value));
        }
      }
      await store.close();
      acknowledgedInAll += acknowledged.size;
    }),
    { numRuns: 60 },
  );
  expect(acknowledgedInAll).toBeGreaterThan(500);
});
