import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import xterm from '@xterm/headless';
import { render } from 'ink';
import { expect, test } from 'vitest';
import { inkStream } from '../../tui/terminal/ink-stream.ts';
import { FrameWriter } from '../../tui/terminal/writer.ts';
import { row } from '../../tui/theme/row.ts';
import { Frame } from '../../tui/views/frame.tsx';
import { ui } from './asia.ts';

function setup() {
  const term = new xterm.Terminal({ cols: 60, rows: 15, allowProposedApi: true, scrollback: 0 });
  const size = Object.assign(new EventEmitter(), { columns: 60, rows: 15 });
  const writes: string[] = [];
  const writer = new FrameWriter({
    size,
    sink: {
      write: (d) => {
        writes.push(d);
        term.write(d);
        return true;
      },
      onDrain: () => {},
    },
  });
  const stdin = Object.assign(new Readable({ read() {} }), { isTTY: false });
  const options = {
    stdout: inkStream({ writer, size }),
    stdin: stdin as unknown as NodeJS.ReadStream,
    interactive: true,
    patchConsole: false,
    exitOnCtrlC: false,
    maxFps: 1000,
  };
  const lines = async () => {
    await new Promise<void>((done) => term.write('', done));
    const b = term.buffer.active;
    return Array.from({ length: term.rows }, (_, y) => b.getLine(y)?.translateToString(true) ?? '');
  };
  return { term, size, writes, options, lines };
}

const frame = (n: number, width: number, height: number) => (
  <Frame
    rows={Array.from({ length: height }, (_, y) =>
      row(`row ${y} of frame ${n} 九龙`, { text: 'x', token: 'crit', accent: true }),
    )}
    ui={ui(width, height)}
  />
);

test('Ink draws whole frames, one write each, and only what changed', async () => {
  const s = setup();
  const app = render(frame(1, 60, 15), s.options);
  await app.waitUntilRenderFlush();
  expect((await s.lines())[14]).toBe('row 14 of frame 1 九龙x');
  app.rerender(frame(2, 60, 15));
  await app.waitUntilRenderFlush();
  expect((await s.lines())[0]).toBe('row 0 of frame 2 九龙x');
  expect(s.writes).toHaveLength(2);
  expect(s.writes[1]?.length).toBeLessThan(15 * 12 + 20);
  Object.assign(s.size, { columns: 70, rows: 18 });
  s.term.resize(70, 18);
  s.size.emit('resize');
  app.rerender(frame(3, 70, 18));
  await app.waitUntilRenderFlush();
  expect((await s.lines())[17]).toBe('row 17 of frame 3 九龙x');
  app.unmount();
  await app.waitUntilExit();
  for (const w of s.writes) expect(w.startsWith('\u001b[?2026h') && w.endsWith('\u001b[?2026l')).toBe(true);
});
