import path from 'node:path';
import { openFileStore } from '../../../daemon/store/file-store.ts';
import { commitOf } from '../../../daemon/store/sample-commit.ts';
import { memoryLog, realRandom as random } from '../../fakes/services.ts';

const WRITERS = 100;

/** Commits a second, each on disk before its writer goes on: the store alone. */
export async function commitsPerSecond(dir: string, ms: number): Promise<number> {
  const store = await openFileStore({ dir: path.join(dir, 'commits') }, { random, log: memoryLog() });
  let done = 0;
  const until = performance.now() + ms;
  const writer = async (w: number): Promise<void> => {
    while (performance.now() < until) {
      await store.commit(commitOf(store.snapshot().revision + 1, `writer-${w}`));
      done += 1;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: WRITERS }, (_, w) => writer(w)));
  const perSecond = (done / (performance.now() - began)) * 1000;
  await store.close();
  return perSecond;
}
