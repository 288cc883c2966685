import { expect, test } from 'vitest';
import { parseBackground, probe } from './probe.ts';
import { type InputEvent, ROUTER_SETTINGS, Router } from './router.ts';

function setup() {
  let expire = () => {};
  const timers = {
    start: (_ms: number, fn: () => void) => {
      expire = fn;
      return () => {
        if (expire === fn) expire = () => {};
      };
    },
  };
  const never = { start: () => () => {} };
  const listeners = new Set<(e: InputEvent) => void>();
  const keys: string[] = [];
  const router = new Router(ROUTER_SETTINGS, {
    timers: never,
    emit: (e) => {
      for (const fn of listeners) fn(e);
      if (e.kind === 'key') keys.push(e.name ?? e.char);
    },
  });
  let asked = '';
  const answer = probe(
    { ms: 100, askWidth: true },
    {
      write: (d) => {
        asked += d;
      },
      timers,
      subscribe: (fn) => {
        listeners.add(fn);
        return () => listeners.delete(fn);
      },
    },
  );
  return { answer, keys, router, listeners, asked: () => asked, expire: () => expire() };
}

test('both answers, keys in between go through', async () => {
  const s = setup();
  expect(s.asked()).toContain('\u001b[6n');
  s.router.feed(Buffer.from('j\u001b]11;rgb:ffff/ffff/f0f0\u0007k\u001b[1;3Rl'));
  expect(await s.answer).toEqual({ background: [0xffff, 0xffff, 0xf0f0], ambiguousWide: true });
  expect(s.keys).toEqual(['j', 'k', 'l']);
  expect(s.listeners.size).toBe(0);
});

test('a silent terminal costs the time-out and nothing else; a late answer is no key', async () => {
  const s = setup();
  s.router.feed(Buffer.from('j'));
  s.expire();
  expect(await s.answer).toEqual({ background: null, ambiguousWide: null });
  s.router.feed(Buffer.from('\u001b[1;2Rk'));
  expect(s.keys).toEqual(['j', 'k']);
});

test('half an answer is kept', async () => {
  const s = setup();
  s.router.feed(Buffer.from('\u001b[1;2R'));
  s.expire();
  expect(await s.answer).toEqual({ background: null, ambiguousWide: false });
});

test('colours of any depth', () => {
  expect(parseBackground(']11;rgb:0/8/f')).toEqual([0, 34952, 65535]);
  expect(parseBackground(']11;rgb:1e/1e/1e')).toEqual([7710, 7710, 7710]);
  expect(parseBackground(']10;rgb:1e/1e/1e')).toBeNull();
});
