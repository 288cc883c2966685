import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FollowedLines } from '../../proto/vocab/agent-link.ts';
import { EngineTwin } from '../../test/fakes/engine-twin.ts';
import { OwnLines } from '../core/own-lines.ts';
import { Followed } from './followed.ts';

let engine: EngineTwin;
let own: OwnLines;
let sent: FollowedLines[];
let writable: boolean;
let now: number;
let followed: Followed;
beforeEach(() => {
  vi.useFakeTimers();
  engine = new EngineTwin();
  own = new OwnLines();
  sent = [];
  writable = true;
  now = 0;
  followed = new Followed({
    engine,
    own,
    instance: () => engine.instance,
    send: (lines) => {
      if (writable) sent.push(lines);
      return writable;
    },
    now: () => now,
  });
});
afterEach(() => {
  followed.endAll();
  vi.useRealTimers();
});

const said = (from: number, to: number): EngineTwin['lines'] =>
  Array.from({ length: to - from }, (_, i) => ({
    seq: from + i + 1,
    at: from + i,
    level: 'info',
    text: `e${from + i}`,
  }));
const texts = () => sent.flatMap((s) => s.lines.map((l) => l.text));
const pass = (ms: number) => {
  now += ms;
  return vi.advanceTimersByTimeAsync(ms);
};

it('the last of what is there, then what comes, from the engine and from the agent, in their order', async () => {
  engine.lines = said(0, 100);
  own.push({ at: 97.5, level: 'warn', text: 'agent: a' });
  followed.begin({ followId: 'f', lines: 3, maxMs: 60_000 });
  await pass(1);
  expect(texts()).toEqual(['agent: a', 'e98', 'e99']);
  engine.lines = said(0, 102);
  await pass(500);
  expect(texts().slice(3)).toEqual(['e100', 'e101']);
  // Another process counts from one again.
  engine.restart('i2');
  engine.lines = said(0, 1);
  await pass(500);
  expect(texts().slice(5)).toEqual(['e0']);
});

it('what a slow link cannot take waits, a thousand lines at most; the rest is counted', async () => {
  followed.begin({ followId: 'f', lines: 0, maxMs: 60_000 });
  await pass(1);
  writable = false;
  engine.lines = said(0, 900);
  await pass(500);
  engine.lines = said(0, 1500);
  await pass(500);
  writable = true;
  followed.flush();
  // The newest of what came: 1499 of the engine's came, the first one was there before.
  expect(sent[0]?.dropped).toBe(499);
  expect(texts()).toHaveLength(1000);
  expect(texts().at(-1)).toBe('e1499');
  expect(sent.every((s) => s.lines.length <= 64)).toBe(true);
});

it('its time is over once, and nothing follows; eight at a time', async () => {
  followed.begin({ followId: 'f', lines: 1, maxMs: 1000 });
  await pass(1500);
  await pass(1500);
  expect(sent.map((s) => s.ended)).toEqual([null, 'its time is over']);
  for (let i = 0; i < 9; i++) followed.begin({ followId: `f${i}`, lines: 0, maxMs: 1000 });
  expect(sent.at(-1)).toMatchObject({ followId: 'f8', ended: expect.stringMatching(/too many/) });
});
