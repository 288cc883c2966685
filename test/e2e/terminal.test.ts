import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { guarded, openTty, type Tty } from '../harness/tty.ts';

// A shell in a real pty starts the program; what the shell's terminal is like before and after must be equal.

const CHILD = new URL('./terminal-child.ts', import.meta.url).pathname;
const open: Tty[] = [];

afterEach(() => {
  for (const o of open.splice(0)) o.close();
});

async function started(more: Record<string, string> = {}) {
  const s = openTty({ cols: 100, rows: 20, env: { CHILD, NODE: process.execPath, ...more } });
  open.push(s);
  s.type(guarded('$NODE "$CHILD"'));
  await s.wait(/^frame 1 started, pid \d+ at 100x20/m);
  expect(s.term.buffer.active.type).toBe('alternate');
  return s;
}

async function given(s: Tty, code: number, also?: RegExp) {
  await s.wait(new RegExp(`code=${code}\\s+same`));
  if (also) await s.wait(also);
  expect(s.term.buffer.active.type).toBe('normal');
  expect(s.term.modes.bracketedPasteMode).toBe(false);
  expect(s.term.modes.wraparoundMode).toBe(true);
}

describe('the terminal is given back', () => {
  test('on quit; keys, a paste and a resize before it', async () => {
    const s = await started();
    s.type('jj\u001b[A');
    await s.wait(/^frame 4 up/m);
    s.type('\u001b[200~rm -rf q\r\u001b[201~');
    await s.wait(/^frame 5 paste\(rm -rf q/m);
    s.resize(70, 18);
    await s.wait(/^frame \d+ resized at 70x18/m);
    s.type('q');
    await given(s, 0);
  });

  test('on a fault of its own, which is told afterwards', async () => {
    const s = await started();
    s.type('X');
    await given(s, 1, /a fault in the console/);
  });

  test('on a rejection nobody handled', async () => {
    const s = await started();
    s.type('P');
    await given(s, 1, /a promise nobody kept/);
  });

  test.each([
    ['TERM', 143],
    ['INT', 130],
    ['HUP', 129],
  ])('on SIG%s', async (signal, code) => {
    const s = await started();
    const pid = Number(/pid (\d+)/.exec(s.text())?.[1]);
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, `SIG${signal}`);
    await given(s, code);
  });

  test('when stopped with ctrl-z, and taken again with fg', async () => {
    const s = await started();
    s.type('\u001a');
    await s.wait(/Stopped/);
    expect(s.term.buffer.active.type).toBe('normal');
    s.type('fg\r');
    await s.wait(/^frame 1 started/m);
    expect(s.term.buffer.active.type).toBe('alternate');
    s.type('j');
    await s.wait(/^frame \d+ j/m);
    s.type('q');
    await s.wait(/code=/);
    expect(s.term.buffer.active.type).toBe('normal');
  });
});

test('a stalled terminal stops the picture, not the program; the newest picture comes after', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'terminal-'));
  try {
    const alive = join(dir, 'alive');
    const s = await started({ ALIVE: alive });
    const pid = Number(/pid (\d+)/.exec(s.text())?.[1]);
    s.type('F');
    await s.wait(/flood/);
    s.pause();
    const frames: number[] = [];
    const until = Date.now() + 15_000;
    while (frames.length < 5 && Date.now() < until) {
      process.kill(pid, 'SIGUSR2');
      await new Promise((r) => setTimeout(r, 100));
      const n = Number(read(alive));
      // More frames than any buffer on the way could hold: the loop turns while nobody reads.
      if (n > (frames.at(-1) ?? 0) + 10) frames.push(n);
    }
    expect(frames).toHaveLength(5);
    s.resume();
    const last = frames[4] ?? 0;
    const seen = async () => Number(/frame (\d+) flood/.exec(await s.wait(/frame \d+ flood/))?.[1]);
    while ((await seen()) < last && Date.now() < until) await new Promise((r) => setTimeout(r, 20));
    expect(await seen()).toBeGreaterThanOrEqual(last);
    s.type('q');
    await given(s, 0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '0';
  }
}
