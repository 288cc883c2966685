import { expect, test } from 'vitest';
import { createMemoryStore } from './memory-store.ts';
import { commitOf } from './sample-commit.ts';

test('held commits are seen but not settled; a failure takes all of them back', async () => {
  const store = createMemoryStore();
  await store.commit(commitOf(1, 'a'));
  const release = store.hold();
  let settled = 0;
  const held = store.commit(commitOf(2, 'b')).then(() => settled++);
  await new Promise((done) => setImmediate(done));
  expect([store.snapshot().revision, settled]).toEqual([2, 0]);
  release();
  await held;
  expect(settled).toBe(1);

  store.hold();
  const refused = Promise.allSettled([store.commit(commitOf(3, 'c')), store.commit(commitOf(4, 'd'))]);
  store.fail('the disk is full');
  expect((await refused).map((r) => r.status)).toEqual(['rejected', 'rejected']);
  expect(store.snapshot().revision).toBe(2);
  expect(store.degraded()).toBe('the disk is full');
  await expect(store.commit(commitOf(3, 'e'))).rejects.toThrow('the disk is full');
  store.fail(null);
  await store.commit(commitOf(3, 'e'));
  expect(store.snapshot().get('meta', 'c')).toBeUndefined();
});
