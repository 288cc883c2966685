import { expect, it } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { reportOf } from '../bench/control/nodes.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

const MINUTE = 60_000;

it('what was lately, by steps up to the one that goes on; before anything was measured there are gaps', async () => {
  const m = await MemoryMaster.start();
  await m.join('hk-1');
  const hk = { region: 'hk', nodeType: 'edge' } as const;
  for (let i = 0; i < 4; i++) {
    m.services.agents.metrics('hk-1' as NodeName, reportOf(m.now));
    m.now += MINUTE;
  }
  m.now += 1;
  const lastly = (ms: number, step: number) => m.services.figures.lastly(hk, ms, step);
  const minutes = lastly(10 * MINUTE, MINUTE);
  expect(minutes).toHaveLength(10);
  expect(minutes.slice(0, 5)).toEqual([null, null, null, null, null]);
  expect(minutes.slice(5, 9).every((v) => v !== null && v > 0)).toBe(true);
  // All of it in one step of three minutes, in one of twenty, in one hour of a day.
  expect(lastly(60 * MINUTE, 3 * MINUTE).filter((v) => v !== null).length).toBeGreaterThan(0);
  expect(lastly(360 * MINUTE, 20 * MINUTE)).toHaveLength(18);
  expect(lastly(1440 * MINUTE, 60 * MINUTE).at(-1)).toBe(minutes[8]);
  expect(m.services.figures.lastly({ region: 'sg', nodeType: 'edge' }, 10 * MINUTE, MINUTE)).toEqual(
    Array.from({ length: 10 }, () => null),
  );
  expect(() => lastly(1440 * MINUTE, MINUTE)).toThrow(/multiple of 10m/);
});
