import xterm from '@xterm/headless';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRow } from './cells.ts';
import { FrameWriter, type Sink } from './writer.ts';

const ESC = '\u001b';

/** A real terminal emulator at the other end. */
function emulator(columns: number, rows: number) {
  const term = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
  // Where the console lives: no scrollback, and a resize does not re-wrap.
  term.write(`${ESC}[?1049h`);
  let written = '';
  const sink: Sink = {
    write: (data) => {
      written = data;
      term.write(data);
      return true;
    },
    onDrain: () => {},
  };
  const size = { columns, rows };
  return {
    term,
    size,
    writer: new FrameWriter({ sink, size }),
    last: () => written,
    settle: () => new Promise<void>((done) => term.write('', done)),
  };
}

/** Every cell: what stands there, and its looks. */
function picture(term: xterm.Terminal): string[] {
  const buffer = term.buffer.active;
  const out: string[] = [];
  for (let y = 0; y < term.rows; y++) {
    const line = buffer.getLine(buffer.viewportY + y);
    let s = '';
    for (let x = 0; x < term.cols; x++) {
      const c = line?.getCell(x);
      if (c === undefined || c.getWidth() === 0) continue;
      const look = [
        c.getFgColorMode(),
        c.getFgColor(),
        c.getBgColorMode(),
        c.getBgColor(),
        c.isBold(),
        c.isDim(),
      ];
      s += `${c.getChars() || ' '}{${[...look, c.isInverse(), c.isUnderline()].join(',')}}`;
    }
    out.push(s);
  }
  return out;
}

async function fresh(frame: string, columns: number, rows: number): Promise<string[]> {
  const e = emulator(columns, rows);
  e.writer.draw(frame);
  await e.settle();
  const p = picture(e.term);
  e.term.dispose();
  return p;
}

/** The frame as it should stand there, worked out without the writer: text only. */
function expectedText(frame: string, columns: number, rows: number): string[] {
  const lines = frame.split('\n').slice(0, rows);
  while (lines.length < rows) lines.push('');
  return lines.map((l) => {
    const r = parseRow(l, columns);
    return r.ch.join('').trimEnd();
  });
}

const LOOKS = [
  (s: string) => s,
  (s: string) => `${ESC}[7m${s}${ESC}[27m`,
  (s: string) => `${ESC}[1m${ESC}[38;2;255;106;61m${s}${ESC}[39m${ESC}[22m`,
  (s: string) => `${ESC}[38;5;75m${s}${ESC}[39m`,
  (s: string) => `${ESC}[4m${s}${ESC}[24m`,
  (s: string) => `${ESC}[2m${ESC}[31m${s}${ESC}[0m`,
  (s: string) => `${ESC}[48;5;20m${s}${ESC}[49m`,
];

const glyph = fc.constantFrom(
  'a',
  'b',
  'Z',
  '0',
  ' ',
  ' ',
  '-',
  '▃',
  '█',
  '●',
  '─',
  '中',
  '区',
  '한',
  'e\u0301',
  '…',
);
const run = fc
  .tuple(fc.constantFrom(...LOOKS), fc.array(glyph, { maxLength: 9 }))
  .map(([look, cells]) => look(cells.join('')));
const line = fc.array(run, { maxLength: 5 }).map((r) => r.join(''));

type Step =
  | { readonly op: 'lines'; readonly at: readonly number[]; readonly lines: readonly string[] }
  | { readonly op: 'scroll'; readonly by: number; readonly lines: readonly string[] }
  | { readonly op: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly op: 'forget' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('lines' as const),
      at: fc.array(fc.nat(13), { maxLength: 3 }),
      lines: fc.array(line, { minLength: 3, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('scroll' as const),
      by: fc.integer({ min: -3, max: 3 }),
      lines: fc.array(line, { minLength: 3, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('resize' as const),
      columns: fc.integer({ min: 3, max: 44 }),
      rows: fc.integer({ min: 2, max: 14 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('forget' as const) }) },
);

describe('the screen is the frame', () => {
  test('after any sequence of frames, scrolls and sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 14, maxLength: 14 }),
        fc.array(step, { maxLength: 8 }),
        async (start, steps) => {
          const e = emulator(40, 12);
          let lines = [...start];
          e.writer.draw(lines.join('\n'));
          for (const s of steps) {
            if (s.op === 'resize') {
              e.term.resize(s.columns, s.rows);
              Object.assign(e.size, { columns: s.columns, rows: s.rows });
            } else if (s.op === 'forget') {
              e.term.write(`${ESC}[5;5Hnoise`);
              e.writer.forget();
            } else if (s.op === 'scroll') {
              const by = s.by;
              lines =
                by > 0
                  ? [...lines.slice(by), ...s.lines.slice(0, by)]
                  : [...s.lines.slice(0, -by), ...lines.slice(0, lines.length + by)];
            } else {
              lines = [...lines];
              s.at.forEach((y, i) => {
                lines[y] = s.lines[i] ?? '';
              });
            }
            e.writer.draw(lines.join('\n'));
            await e.settle();
            const want = await fresh(lines.join('\n'), e.size.columns, e.size.rows);
            expect(picture(e.term)).toEqual(want);
            const text = picture(e.term).map((l) => l.replace(/\{[\d,-]*\}/g, '').trimEnd());
            expect(text).toEqual(expectedText(lines.join('\n'), e.size.columns, e.size.rows));
          }
          e.term.dispose();
        },
      ),
      { numRuns: 15 },
    );
  }, 30_000);
});

describe('bytes', () => {
  const frame = (n: string) =>
    Array.from({ length: 24 }, (_, y) => `row ${y} ${'x'.repeat(60)} ${y === 5 ? n : '-'}`).join('\n');

  test('nothing changed: nothing is written', () => {
    const e = emulator(80, 24);
    e.writer.draw(frame('1'));
    const before = e.writer.stats.bytes;
    e.writer.draw(frame('1'));
    expect(e.writer.stats).toEqual({ frames: 1, skipped: 0, bytes: before });
  });

  test('one cell: a jump, the cell, and the frame around it', () => {
    const e = emulator(80, 24);
    e.writer.draw(frame('1'));
    e.writer.draw(frame('2'));
    expect(e.last()).toBe(`${ESC}[?2026h${ESC}[6;68H2${ESC}[?2026l`);
  });

  test('a list scrolled by one row costs a row, not a screen', () => {
    const e = emulator(120, 40);
    const list = (from: number) =>
      [
        'head',
        ...Array.from({ length: 34 }, (_, y) => `node-${from + y} ${'figures '.repeat(12)}`),
        'foot',
      ].join('\n');
    e.writer.draw(list(0));
    e.writer.draw(list(1));
    expect(e.last().length).toBeLessThan(200);
  });
});

describe('a slow terminal', () => {
  test('keeps only the newest frame, and shows it when it can', () => {
    const written: string[] = [];
    let drained = () => {};
    const sink: Sink = {
      write: (data) => {
        written.push(data);
        return false;
      },
      onDrain: (fn) => {
        drained = fn;
      },
    };
    const writer = new FrameWriter({ sink, size: { columns: 80, rows: 24 } });
    for (let n = 0; n < 100; n++) writer.draw(`frame ${n}`);
    expect(written).toHaveLength(1);
    expect(writer.stats.skipped).toBe(98);
    drained();
    expect(written).toHaveLength(2);
    expect(written[1]).toContain('99');
    let told = 0;
    writer.draw('frame 100');
    writer.whenWritten(() => {
      told += 1;
    });
    drained();
    expect(told).toBe(0);
    drained();
    expect(told).toBe(1);
    writer.draw('frame 101');
    writer.whenWritten(() => {
      told += 1;
    });
    writer.stop();
    expect(told).toBe(2);
    drained();
    expect(written).toHaveLength(4);
  });
});

test('what moves the cursor does not get through', () => {
  const e = emulator(20, 3);
  e.writer.draw(`a${ESC}[2Jb\r\u0007${ESC}]52;c;eA==\u0007c`);
  expect(e.last().slice(8, -8)).toBe(`${ESC}[m${ESC}[H${ESC}[2J${ESC}[1Ha[2Jb]52;c;eA==c`);
});
