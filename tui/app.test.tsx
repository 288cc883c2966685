import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import xterm from '@xterm/headless';
import { afterEach, expect, test } from 'vitest';
import { ConsoleMaster, fakeAlert, fakeNode, fakeVersion } from '../test/fakes/console-master.ts';
import { type App, startApp } from './app.tsx';
import { toInput } from './input.ts';
import type { Input } from './keys/key.ts';
import { inkStream } from './terminal/ink-stream.ts';
import { Router } from './terminal/router.ts';
import { FrameWriter } from './terminal/writer.ts';
import { createTheme } from './theme/theme.ts';

const running: App[] = [];
afterEach(async () => {
  for (const app of running.splice(0)) {
    app.stop();
    await app.done;
  }
});

/** The whole console but the process: real Ink, real writer, real router, an emulated terminal, a master in memory. */
function open(a: { width?: number; height?: number; nodes?: number } = {}) {
  const { width = 80, height = 24, nodes = 30 } = a;
  const time = {
    now: Date.now,
    after: (ms: number, fn: () => void) => {
      const timer = setTimeout(fn, ms);
      return () => clearTimeout(timer);
    },
  };
  const names = Array.from({ length: nodes }, (_, i) => `hk-${i + 1}`);
  const master = new ConsoleMaster({ nodes: names.map((n) => fakeNode(n)) }, { time });
  master.commit([{ kind: 'version', key: 'v1', value: fakeVersion('v1', { parent: 'v0' as never }) }]);
  const term = new xterm.Terminal({ cols: width, rows: height, allowProposedApi: true, scrollback: 0 });
  const size = Object.assign(new EventEmitter(), { columns: width, rows: height });
  const drains: (() => void)[] = [];
  let stalled = false;
  const writer = new FrameWriter({
    size,
    sink: {
      write: (data) => {
        term.write(data);
        return !stalled;
      },
      onDrain: (fn) => drains.push(fn),
    },
  });
  const stdin = Object.assign(new Readable({ read() {} }), { isTTY: false });
  let feed = (_: string): void => {};
  const app = startApp(
    {
      theme: createTheme({ depth: 'none', background: 'dark', locale: { lang: 'en', utf8: true } }),
      context: 'default',
      client: 'test',
    },
    {
      api: master,
      stdout: inkStream({ writer, size }),
      stdin: stdin as unknown as NodeJS.ReadStream,
      listen: (onInput: (input: Input) => void) => {
        const router = new Router(
          { escapeMs: 10, pasteMs: 100 },
          {
            timers: { start: time.after },
            emit: (event) => {
              const input = toInput(event);
              if (input !== null) onInput(input);
            },
          },
        );
        feed = (text) => router.feed(Buffer.from(text));
        return () => router.stop();
      },
    },
  );
  running.push(app);
  master.tick();
  const screen = async (): Promise<string> => {
    await new Promise<void>((done) => term.write('', done));
    const b = term.buffer.active;
    return Array.from({ length: term.rows }, (_, y) => b.getLine(y)?.translateToString(true) ?? '').join(
      '\n',
    );
  };
  /** Waits for what must appear: the test's own timeout is the only clock. */
  const until = async (want: RegExp): Promise<string> => {
    const t0 = Date.now();
    for (;;) {
      const now = await screen();
      if (Date.now() - t0 > 3000) throw new Error(`${want}\n${now}`);
      if (want.test(now)) return now;
      await new Promise((done) => setTimeout(done, 5));
    }
  };
  return {
    app,
    master,
    term,
    size,
    screen,
    until,
    resize: async (columns: number, rows: number) => {
      await screen();
      term.resize(columns, rows);
      Object.assign(size, { columns, rows });
      size.emit('resize');
    },
    type: (text: string) => feed(text),
    stall: () => {
      stalled = true;
    },
    flow: () => {
      stalled = false;
      for (const fn of drains.splice(0)) fn();
    },
  };
}

const commands = (m: ConsoleMaster) => m.asked.filter((a) => a.startsWith('runCommand'));

test('the first frame is the fleet, worst first, with the keys that work', async () => {
  const t = open();
  t.master.status('hk-7', 'down');
  t.master.tick();
  const s = await t.until(/✗ 1 down/);
  const lines = s.split('\n');
  expect(lines[0]).toMatch(/^ demo {2}\[1 Nodes\]/);
  expect(await t.until(/> hk-7 +✗ down/)).toMatch(/Enter describe {2}r reload {2}m silence/);
});

test('keys read at once are several keys, and r acts on the node drawn under the cursor', async () => {
  const t = open();
  await t.until(/> hk-1 /);
  t.type('jjjr');
  await t.until(/reload hk-4: /);
  expect(commands(t.master)).toEqual(['runCommand reload hk-4']);
});

test('while the terminal stalls nothing acts: what was not drawn is not acted on', async () => {
  const t = open();
  await t.until(/> hk-1 /);
  t.stall();
  t.type('j');
  await t.until(/> hk-2 /);
  t.type('j');
  t.type('r');
  for (let i = 0; i < 20; i++) await new Promise((done) => setTimeout(done, 5));
  expect(commands(t.master)).toEqual([]);
  t.flow();
  await t.until(/reload hk-3: /);
  expect(commands(t.master)).toEqual(['runCommand reload hk-3']);
});

test('a sheet: y before it is armed is dropped and said so, Enter says no, y acts', async () => {
  const t = open();
  await t.until(/> hk-1 /);
  t.type('  ry');
  await t.until(/Reload 2 marked nodes/);
  t.type('\u001b');
  await t.until(/came before the question/);
  expect(commands(t.master)).toEqual([]);
  await until(() => t.app.hub.state().sheet?.armed === true);
  t.type('\r');
  await until(() => t.app.hub.state().sheet === null);
  expect(commands(t.master)).toEqual([]);
  t.type('r');
  await t.until(/Reload 2 marked nodes/);
  await until(() => t.app.hub.state().sheet?.armed === true);
  t.type('y');
  await until(() => commands(t.master).length > 0);
  expect(commands(t.master)).toEqual(['runCommand reload hk-1 hk-2']);
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setTimeout(done, 5));
}

test('a paste never acts; in a field it is one line of text', async () => {
  const t = open();
  await t.until(/> hk-1 /);
  t.type('\u001b[200~rrr\u001b[201~');
  await t.until(/3 pasted characters ignored/);
  expect(commands(t.master)).toEqual([]);
  t.type('/');
  await until(() => t.app.hub.state().prompt !== null);
  t.type('\u001b[200~hk-2\nq\u001b[201~');
  const s = await t.until(/\/hk-2▏/);
  expect(s).toMatch(/11 of 30/);
});

test('a silence of an alert: preview, comment, and its row is suppressed', async () => {
  const t = open();
  t.master.putAlert(
    fakeAlert('NodeDown', 'hk-9', { severity: 'critical', value: 'last seen \u001b[31mlong ago' }),
  );
  await t.until(/> hk-9 +✗/);
  t.type('4');
  await t.until(/> NodeDown/);
  t.type('m');
  await t.until(/It would silence now +1 alert/);
  await until(() => t.app.hub.state().sheet?.armed === true);
  t.type('wei is on it\r');
  const s = await t.until(/○ suppressed/);
  expect(s).toMatch(/\\u\{1b\}/);
  expect(s).toMatch(/1 critical alert silenced/);
  expect(await t.until(/○ active/)).toMatch(/S-\d+ +○ active +alertname=NodeDown node=hk-9/);
});

test('no master: everything stays, greyed and dated, keys that act are off, and it comes back', async () => {
  const t = open();
  await t.until(/> hk-1 /);
  t.master.down('connection reset');
  await t.until(/no master for .*connection reset/);
  t.type('r');
  await t.until(/r reload is off: no master/);
  t.type('j');
  await t.until(/> hk-2 /);
  t.master.up();
  await t.until(/back after/);
  expect(commands(t.master)).toEqual([]);
});

test('every screen, back and forth, and a larger terminal', async () => {
  const t = open({ width: 120, height: 40 });
  await t.until(/> hk-1 /);
  for (const [keys, want] of [
    ['\r', /Nodes \/ hk-1[\s\S]*first byte after/],
    ['?', /Keys of hk-1/],
    ['\u001b', /Esc back/],
    ['4', /Nothing is firing/],
    ['-', /Nodes \/ hk-1/],
    ['1', /> hk-1 /],
    ['o', /order by/],
  ] as const) {
    t.type(keys);
    await t.until(want);
  }
  t.type('n');
  await t.resize(180, 44);
  await t.until(/LABELS|GAP99/);
});

test('at 60x15 it works, below that it says so and takes no acts', async () => {
  const small = open({ width: 48, height: 10 });
  await small.until(/needs 60 x 15/);
  small.type('r');
  small.type('4');
  const least = open({ width: 60, height: 15 });
  await least.until(/> hk-1 /);
  least.type('r');
  await least.until(/reload hk-1: /);
  expect(commands(least.master)).toHaveLength(1);
  expect(commands(small.master)).toEqual([]);
  small.type('q');
  await small.app.done;
});

test('q asks once more, then everything is let go', async () => {
  const t = open();
  await t.until(/> hk-1 /);
  t.type('q');
  await t.until(/q once more quits/);
  t.type('q');
  await t.app.done;
});
