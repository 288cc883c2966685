import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { busySlice, reportOf, seeded } from '../../../test/fakes/traffic.ts';
import { createRings } from './rings.ts';

const NODES = 60;
const BEGAN = Date.UTC(2026, 10, 24, 3, 0, 0);

function heap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it('a busy node of five services costs at most 20 KB, with a full hour behind it', () => {
  const random = seeded(7);
  const names = ['chat', 'embeddings', 'images', 'audio', 'batch'];
  // Made before: what they weigh is not the rings'.
  const reports = Array.from({ length: 40 }, () => reportOf(names.map((n) => busySlice(n, random))));
  const rings = createRings();
  const one = 'hk-warm' as NodeName;
  for (let i = 0; i < 50; i++) rings.take(one, reports[i % 40] as (typeof reports)[0], BEGAN + i * 10_000);

  const before = heap();
  for (let i = 0; i < 6 * 75; i++) {
    const at = BEGAN + i * 10_000;
    for (let n = 0; n < NODES; n++) {
      rings.take(`hk-${n}` as NodeName, reports[(i + n) % 40] as (typeof reports)[0], at);
    }
  }
  const bytes = (heap() - before) / NODES;
  const until = BEGAN + 75 * 60_000;
  const args = { service: null, start: until - 60 * 60_000, end: until, stepMs: 60_000, now: until };
  const told = rings.range('hk-3' as NodeName, args).filter((p) => p.buckets !== null);
  expect(told.length).toBeGreaterThanOrEqual(55);
  expect(bytes).toBeLessThan(20 * 1024);
});
