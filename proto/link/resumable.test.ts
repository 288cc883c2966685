import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../vocab/errors.ts';
import { BACKOFF, backoffMs } from './backoff.ts';
import { type AttemptHooks, type LinkState, resumable } from './resumable.ts';
import type { Timers } from './timers.ts';

/** Time that moves when told to; due timers run in order. */
function handTimers(): Timers & { advance(ms: number): void; readonly due: number } {
  let now = 1_000_000;
  let timers: { at: number; fn: () => void }[] = [];
  return {
    now: () => now,
    after(ms, fn) {
      const timer = { at: now + ms, fn };
      timers.push(timer);
      return () => {
        timers = timers.filter((t) => t !== timer);
      };
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const next = timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((t) => t !== next);
        now = next.at;
        next.fn();
      }
      now = end;
    },
    get due() {
      return timers.length;
    },
  };
}

function setup(random = 0.5) {
  const timers = handTimers();
  const states: LinkState[] = [];
  const attempts: { hooks: AttemptHooks; closed: boolean }[] = [];
  const link = resumable(
    {},
    {
      timers,
      random: () => random,
      onState: (s) => states.push(s),
      open(hooks) {
        const attempt = { hooks, closed: false };
        attempts.push(attempt);
        return {
          close() {
            attempt.closed = true;
          },
        };
      },
    },
  );
  const last = () => {
    const a = attempts.at(-1);
    if (!a) throw new Error('no attempt yet');
    return a;
  };
  return { timers, states, attempts, link, last };
}

const gone = new AppError('unavailable', 'gone');

test('the wait grows to ten seconds and is spread over all of it', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 2000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (n, r) => {
        const ms = backoffMs(n, () => r);
        const ceiling = Math.min(BACKOFF.maxMs, BACKOFF.baseMs * 2 ** Math.min(n, 30));
        expect(ms).toBe(Math.floor(r * ceiling));
      },
    ),
  );
  expect(backoffMs(0, () => 0.999)).toBe(249);
  expect(backoffMs(99, () => 0.999)).toBe(9990);
});

describe('a stream is kept', () => {
  test('connecting -> open -> waiting(reason) -> connecting', () => {
    const t = setup();
    t.last().hooks.opened();
    t.last().hooks.closed(gone);
    expect(t.states.map((s) => s.kind)).toEqual(['connecting', 'open', 'waiting']);
    expect(t.link.state()).toMatchObject({
      kind: 'waiting',
      reason: 'gone',
      code: 'unavailable',
      attempt: 1,
    });
    expect(t.attempts[0]?.closed).toBe(true);
    t.timers.advance(125);
    expect(t.attempts).toHaveLength(2);
    expect(t.link.state()).toEqual({ kind: 'connecting', attempt: 1 });
  });

  test('failures in a row wait longer; a stream that stood for a while starts small again', () => {
    const t = setup();
    const waits: number[] = [];
    const fail = (): void => {
      t.last().hooks.closed(gone);
      const s = t.link.state();
      if (s.kind === 'waiting') waits.push(s.until - t.timers.now());
      t.timers.advance(10_000);
    };
    fail();
    fail();
    fail();
    t.last().hooks.opened();
    fail(); // at once: no proof of anything
    t.last().hooks.opened();
    t.timers.advance(60_000);
    fail();
    expect(waits).toEqual([125, 250, 500, 1000, 125]);
  });

  test('a peer that asks to stay away is heard', () => {
    const t = setup();
    t.last().hooks.closed(gone, 5_000);
    t.timers.advance(4_999);
    expect(t.attempts).toHaveLength(1);
    t.timers.advance(1);
    expect(t.attempts).toHaveLength(2);
  });

  test('an attempt without an answer is given up after 30 s', () => {
    const t = setup();
    t.timers.advance(30_000);
    expect(t.link.state()).toMatchObject({ kind: 'waiting', code: 'timeout' });
    expect(t.attempts[0]?.closed).toBe(true);
  });

  test('what an ended attempt still says is not heard', () => {
    const t = setup();
    const old = t.last();
    old.hooks.closed(gone);
    t.timers.advance(125);
    old.hooks.opened();
    old.hooks.closed(gone);
    expect(t.link.state()).toEqual({ kind: 'connecting', attempt: 1 });
  });

  test('a throw while opening is a failure like any other', () => {
    const timers = handTimers();
    const link = resumable(
      {},
      {
        timers,
        random: () => 0,
        onState: () => {},
        open() {
          throw new AppError('invalid', 'not host:port');
        },
      },
    );
    expect(link.state()).toMatchObject({ kind: 'waiting', reason: 'not host:port', code: 'invalid' });
    link.stop();
  });

  test('stop leaves no timer, no attempt and no further word', () => {
    for (const before of ['connecting', 'open', 'waiting'] as const) {
      const t = setup();
      if (before !== 'connecting') t.last().hooks.opened();
      if (before === 'waiting') t.last().hooks.closed(gone);
      expect(t.link.state().kind).toBe(before);
      t.link.stop();
      t.last().hooks.closed(gone);
      t.timers.advance(100_000);
      expect(t.states.at(-1)).toEqual({ kind: 'stopped' });
      expect(t.attempts).toHaveLength(1);
      expect(t.last().closed).toBe(true);
      expect(t.timers.due).toBe(0);
    }
  });

  test('retryNow ends the wait once', () => {
    const t = setup();
    t.last().hooks.closed(gone);
    t.link.retryNow();
    t.link.retryNow();
    t.timers.advance(200);
    expect(t.attempts).toHaveLength(2);
  });
});
