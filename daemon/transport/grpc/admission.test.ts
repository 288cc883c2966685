import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ADMISSION, Admission, type AdmissionSettings } from './admission.ts';

/** What admission sees of a connection: where from, whether it is gone, and that it goes. */
class Arrival extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(address: string, port: number) {
    super();
    this.remoteAddress = address;
    this.remotePort = port;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

function setup(over: Partial<AdmissionSettings>) {
  let now = 0;
  let ports = 0;
  const admitted: number[] = [];
  const refused: string[] = [];
  let wake = (): void => {};
  const admission = new Admission(
    { ...ADMISSION, ...over },
    {
      admit(socket) {
        admitted.push(socket.remotePort ?? -1);
        wake();
      },
      refused: (address, reason) => refused.push(`${address}: ${reason}`),
      monotonic: () => now,
    },
  );
  return {
    admission,
    admitted,
    refused,
    arrive(address = '192.0.2.1'): Arrival {
      ports += 1;
      const a = new Arrival(address, ports);
      admission.arrive(a as unknown as Socket);
      return a;
    },
    advance(ms: number): void {
      now += ms;
    },
    async until(count: number): Promise<void> {
      while (admitted.length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

test('a burst goes in at once, the rest waits its turn, first come first served', async () => {
  const t = setup({ burst: 3, minPerSecond: 100, maxPerSecond: 100 });
  for (let i = 0; i < 6; i++) t.arrive();
  expect(t.admitted).toEqual([1, 2, 3]);
  expect(t.admission.queued).toBe(3);
  t.advance(20); // two at a hundred a second
  await t.until(5);
  expect(t.admitted).toEqual([1, 2, 3, 4, 5]);
  expect(t.admission.queued).toBe(1);
  t.advance(10);
  await t.until(6);
  t.admission.stop();
});

test('a late tick slows down, never below the least', async () => {
  const t = setup({ burst: 1000, minPerSecond: 100, maxPerSecond: 1000, maxPerAddress: 5000 });
  for (let i = 0; i < 1200; i++) t.arrive();
  expect(t.admitted).toHaveLength(1000);
  t.advance(100); // the loop was busy: 100 ms at 0.8 of the pace
  await t.until(1001);
  expect(t.admitted).toHaveLength(1080);
  t.admission.stop();
});

test('who is gone when the turn comes costs no place; who waited too long is refused', async () => {
  const t = setup({ burst: 1, minPerSecond: 100, maxPerSecond: 100, maxWaitMs: 1000 });
  t.arrive();
  const gone = t.arrive();
  const late = t.arrive();
  gone.destroy();
  t.advance(2000);
  t.arrive();
  await t.until(2);
  expect(t.admitted).toEqual([1, 4]);
  expect(t.refused).toEqual(['192.0.2.1: waited too long']);
  expect(late.destroyed).toBe(true);
  t.admission.stop();
});

test('a full queue refuses, and a stop lets go of everybody', () => {
  const t = setup({ burst: 0, maxWaiting: 2 });
  const first = t.arrive();
  t.arrive();
  const third = t.arrive('198.51.100.7');
  expect(third.destroyed).toBe(true);
  expect(t.refused).toEqual(['198.51.100.7: the queue is full']);
  t.admission.stop();
  expect(first.destroyed).toBe(true);
  expect(t.admission.queued).toBe(0);
});
