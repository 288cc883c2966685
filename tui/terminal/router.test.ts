import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type InputEvent, ROUTER_SETTINGS, Router, type Timers } from './router.ts';

/** A working timer whose hand the test turns. */
function handTimers() {
  let due: { fn: () => void } | null = null;
  const timers: Timers = {
    start: (_ms, fn) => {
      const mine = { fn };
      due = mine;
      return () => {
        if (due === mine) due = null;
      };
    },
  };
  return {
    timers,
    armed: () => due !== null,
    fire: () => {
      const now = due;
      due = null;
      now?.fn();
    },
  };
}

function setup() {
  const events: InputEvent[] = [];
  const t = handTimers();
  const router = new Router(ROUTER_SETTINGS, { timers: t.timers, emit: (e) => events.push(e) });
  return { events, router, ...t };
}

function word(e: InputEvent): string {
  if (e.kind === 'paste') return `paste(${e.text})`;
  if (e.kind === 'reply') return `reply(${e.text})`;
  return `${e.ctrl ? 'ctrl-' : ''}${e.alt ? 'alt-' : ''}${e.shift ? 'shift-' : ''}${e.name ?? e.char}`;
}

function keys(...chunks: (string | Uint8Array)[]): string[] {
  const s = setup();
  for (const c of chunks) s.router.feed(Buffer.from(c));
  return s.events.map(word);
}

describe('keys', () => {
  test.each<[string, string, string[]]>([
    ['several in one read', 'jjj', ['j', 'j', 'j']],
    ['arrows, both kinds', '\x1b[A\x1bOB\x1b[C\x1b[D', ['up', 'down', 'right', 'left']],
    [
      'home and end, all kinds',
      '\x1b[H\x1b[1~\x1bOH\x1b[7~\x1b[F\x1b[4~\x1b[8~',
      ['home', 'home', 'home', 'home', 'end', 'end', 'end'],
    ],
    ['pages, delete', '\x1b[5~\x1b[6~\x1b[3~', ['pageup', 'pagedown', 'delete']],
    ['tab and back', '\t\x1b[Z', ['tab', 'shift-tab']],
    ['control letters', '\x03\x12\x1a\x00', ['ctrl-c', 'ctrl-r', 'ctrl-z', 'ctrl- ']],
    ['enter and backspace', '\r\x7f\x08', ['enter', 'backspace', 'backspace']],
    ['modifiers', '\x1b[1;5A\x1b[1;2D\x1b[5;3~', ['ctrl-up', 'shift-left', 'alt-pageup']],
    ['Chinese', '/九龙', ['/', '九', '龙']],
    ['Esc with a letter is not the letter', '\x1br', ['alt-r']],
    ['Esc twice, then an arrow', '\x1b\x1b\x1b[A', ['escape', 'escape', 'up']],
    ['mouse, old and new', 'a\x1b[M !!b\x1b[<0;10;20Mc', ['a', 'b', 'c']],
    ['focus, function keys', 'a\x1b[I\x1b[O\x1bOP\x1b[15~\x1b[[Ab', ['a', 'b']],
    ['a sequence broken off by another', '\x1b[12\x1b[A', ['up']],
    ['letters of other alphabets', 'aÿ', ['a', 'ÿ']],
    [
      'answers of the terminal',
      '\x1b[3;7R\x1b]11;rgb:0000/0000/0000\x1b\\x',
      ['reply([3;7R)', 'reply(]11;rgb:0000/0000/0000)', 'x'],
    ],
    ['a paste is one thing', 'a\x1b[200~r\ry\x1b[A\x1b[201~b', ['a', 'paste(r\ny[A)', 'b']],
  ])('%s', (_name, bytes, want) => {
    expect(keys(bytes)).toEqual(want);
  });

  test('bytes that are no UTF-8 are skipped, what follows is not', () => {
    expect(keys(new Uint8Array([0xff, 0xc0, 0x80, 0x61, 0xe4, 0x62]))).toEqual(['a', 'b']);
  });
});

describe('time', () => {
  test('a lone Esc waits, then is Esc', () => {
    const s = setup();
    s.router.feed(Buffer.from('\x1b'));
    expect(s.events).toEqual([]);
    expect(s.armed()).toBe(true);
    s.fire();
    expect(s.events.map(word)).toEqual(['escape']);
    s.router.feed(Buffer.from('[A'));
    expect(s.events.map(word)).toEqual(['escape', '[', 'A']);
  });

  test('a sequence that never ends is dropped; the next key counts', () => {
    const s = setup();
    s.router.feed(Buffer.from('\x1b]0;half'));
    s.fire();
    s.router.feed(Buffer.from('j'));
    expect(s.events.map(word)).toEqual(['j']);
    expect(s.armed()).toBe(false);
  });

  test('a paste without an end becomes a paste, and the keyboard lives again', () => {
    const s = setup();
    s.router.feed(Buffer.from('\x1b[200~half a paste'));
    s.fire();
    s.router.feed(Buffer.from('j'));
    expect(s.events.map(word)).toEqual(['paste(half a paste)', 'j']);
  });

  test('a paste of a megabyte is cut, and ends where it ends', () => {
    const s = setup();
    s.router.feed(Buffer.from('\x1b[200~'));
    const block = Buffer.alloc(64 * 1024, 'x');
    for (let i = 0; i < 16; i++) s.router.feed(block);
    s.router.feed(Buffer.from('\x1b[201~j'));
    const [paste, key] = s.events;
    expect(paste?.kind === 'paste' && paste.cut && paste.text.length).toBe(64 * 1024);
    expect(key && word(key)).toBe('j');
  });
});

describe('chunks mean nothing', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'j',
      'G',
      ':',
      '\r',
      '\t',
      '\x03',
      '\x7f',
      '九',
      'é',
      '😀',
      '\x1b[A',
      '\x1bOB',
      '\x1b[Z',
      '\x1b[1;5C',
      '\x1b[5~',
      '\x1b[200~pasted\ntext 龙\x1b[201~',
      '\x1b[M !!',
      '\x1b[<0;1;2M',
      '\x1b]11;rgb:ffff/ffff/ffff\x07',
      '\x1bP1$r\x1b\\',
      '\x1b',
      '\x1b\x1b',
      '\x1b[',
      '\x1b[200~',
      '\x1b[201~',
      '\x1b[[A',
    ),
    fc.string({ maxLength: 4 }),
  );

  test('any cutting of the same bytes gives the same keys', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            piece.map((p) => Buffer.from(p)),
            fc.uint8Array({ maxLength: 3 }),
          ),
          { maxLength: 12 },
        ),
        fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 40 }),
        (parts, sizes) => {
          const bytes = Buffer.concat(parts);
          const whole = setup();
          whole.router.feed(bytes);
          whole.router.flush();
          const cut = setup();
          let at = 0;
          for (let i = 0; at < bytes.length; i++) {
            const size = 1 + (sizes[i % sizes.length] ?? 0);
            cut.router.feed(bytes.subarray(at, at + size));
            at += size;
          }
          cut.router.flush();
          expect(cut.events).toEqual(whole.events);
        },
      ),
      { numRuns: 300 },
    );
  });
});
