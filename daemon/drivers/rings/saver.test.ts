import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { memoryLog } from '../../../test/fakes/services.ts';
import { RingSaver } from './saver.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const MB = 1024 * 1024;

function saver(bytes: () => number | Error) {
  const saved: boolean[] = [];
  const log = memoryLog();
  const rings = {
    load: async () => null,
    save: async (_file: string, ended: boolean) => {
      saved.push(ended);
      const written = bytes();
      if (written instanceof Error) throw written;
      return written;
    },
  };
  return { saver: new RingSaver('rings', rings, log), saved, log };
}

test('figures are written aside each minute, and as their end once nothing comes any more', async () => {
  const s = saver(() => MB);
  await s.saver.start();
  await vi.advanceTimersByTimeAsync(3 * MINUTE + 1);
  expect(s.saved).toEqual([false, false, false]);
  await s.saver.stop();
  expect(s.saved).toEqual([false, false, false, true]);
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  expect(s.saved).toHaveLength(4);
});

test('many are written less often: half a megabyte a second', async () => {
  const s = saver(() => 180 * MB);
  await s.saver.start();
  await vi.advanceTimersByTimeAsync(MINUTE + 1);
  expect(s.saved).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5 * MINUTE);
  expect(s.saved).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(MINUTE + 1);
  expect(s.saved).toHaveLength(2);
  await s.saver.stop();
});

test('a disk that refuses is tried again each minute, and said once', async () => {
  const s = saver(() => new Error('no space left'));
  await s.saver.start();
  await vi.advanceTimersByTimeAsync(3 * MINUTE + 1);
  expect(s.saved).toHaveLength(3);
  expect(s.log.lines.filter((l) => l.message === 'figures are not written aside')).toHaveLength(1);
  await s.saver.stop();
});
