import { expect, test } from 'vitest';
import { Throttle } from './throttle.ts';

const rule = { free: 3, baseMs: 1000, maxMs: 8000, forgetMs: 60_000, most: 4 };

test('free at first, then twice as long each time, to an end', () => {
  const t = new Throttle(rule);
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    expect(t.refusal('a', now)).toBeNull();
    t.attempt('a', now);
    const wait = t.refusal('a', now)?.waitMs ?? 0;
    waits.push(wait);
    now += wait;
  }
  expect(waits).toEqual([0, 0, 1000, 2000, 4000, 8000, 8000, 8000]);
  expect(t.refusal('b', now)).toBeNull();
});

test('the first one turned away in a wait is told from the others', () => {
  const t = new Throttle(rule);
  for (let i = 0; i < 3; i++) t.attempt('a', 0);
  expect([t.refusal('a', 10), t.refusal('a', 20), t.refusal('a', 30)]).toEqual([
    { waitMs: 990, first: true },
    { waitMs: 980, first: false },
    { waitMs: 970, first: false },
  ]);
  t.attempt('a', 1000);
  expect(t.refusal('a', 1001)?.first).toBe(true);
});

test('a success forgets the key; one that did not fail is taken back; time forgets', () => {
  const t = new Throttle(rule);
  for (let i = 0; i < 2; i++) t.attempt('a', 0);
  t.attempt('a', 0)();
  expect(t.refusal('a', 1)).toBeNull();
  t.attempt('a', 1);
  expect(t.refusal('a', 2)?.waitMs).toBe(999);
  const right = t.attempt('a', 1001);
  t.attempt('a', 1001);
  right();
  expect(t.refusal('a', 1002)?.waitMs).toBe(3999); // the wait that another one's failure made stands
  t.clear('a');
  expect(t.refusal('a', 2)).toBeNull();
  for (let i = 0; i < 4; i++) t.attempt('a', 0);
  t.attempt('a', 70_000);
  expect(t.refusal('a', 70_000)).toBeNull();
});

test('bounded: the key heard of least recently goes', () => {
  const t = new Throttle(rule);
  for (let i = 0; i < 3; i++) t.attempt('a', 0);
  for (const k of ['b', 'c', 'd']) t.attempt(k, 0);
  t.attempt('a', 0); // heard of again
  t.attempt('e', 0); // b goes
  expect(t.size).toBe(4);
  expect(t.refusal('a', 1)).not.toBeNull();
});
