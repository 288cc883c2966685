import { readFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { program, until } from '../../scripts/demo/process.ts';

// The console under tmux: another terminal than our emulator, with answers, sizes and a screen of its own.

const SIZES = [
  { cols: 80, rows: 24 },
  { cols: 120, rows: 40 },
] as const;

let fleet: Fleet;
let server = '';
beforeAll(async () => {
  fleet = await Fleet.start({ clients: 1 });
  server = path.join(fleet.dir, 'tmux.sock');
});
afterAll(async () => {
  await execa('tmux', ['-S', server, 'kill-server'], { reject: false });
  await fleet?.stop();
});

async function tmux(...args: string[]): Promise<string> {
  const env = { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', NODE_ENV: 'production' };
  return (await execa('tmux', ['-S', server, '-f', '/dev/null', ...args], { env })).stdout;
}

/** A shell of this size that runs the console and writes down how the terminal was before and after. */
async function session(name: string, size: { cols: number; rows: number }) {
  const at = (what: string) => path.join(fleet.dir, `${name}-${what}`);
  const shell = ['bash', '--norc', '--noprofile'].join(' ');
  await tmux('new-session', '-d', '-s', name, '-x', `${size.cols}`, '-y', `${size.rows}`, shell);
  const run = `${process.execPath} ${program('tui')} --socket ${fleet.socket}`;
  const line = `stty -a >${at('before')}; ${run}; echo "code=$?"; stty -a >${at('after')}; echo over >${at('over')}`;
  await tmux('send-keys', '-t', name, '-l', line);
  await tmux('send-keys', '-t', name, 'Enter');

  // Colons and dots are part of a target's syntax: the name is enough.
  const screen = async (): Promise<string[]> => (await tmux('capture-pane', '-p', '-t', name)).split('\n');
  let last = '';
  const wait = (what: RegExp): Promise<true> =>
    until(
      `${what}`,
      15_000,
      async () => {
        last = (await screen()).join('\n');
        return what.test(last) ? true : null;
      },
      () => `the screen was\n${last}`,
    );
  return {
    screen,
    wait,
    keys: (...keys: string[]) => tmux('send-keys', '-t', name, ...keys),
    resize: (cols: number, rows: number) =>
      tmux('resize-window', '-t', name, '-x', `${cols}`, '-y', `${rows}`),
    alternate: async () => (await tmux('display-message', '-p', '-t', name, '#{alternate_on}')) === '1',
    /** Of the console: the shell's child. */
    pid: async () => {
      const shellPid = await tmux('display-message', '-p', '-t', name, '#{pane_pid}');
      return Number((await execa('ps', ['-o', 'pid=', '--ppid', shellPid])).stdout.trim());
    },
    /** The terminal is its owner's again, as it was. */
    async given(code: number) {
      await wait(new RegExp(`code=${code}`));
      await until('stty written', 5_000, () => (readIf(at('over')) === '' ? null : true));
      expect(settings(at('before'))).toMatch(/icanon/);
      expect(settings(at('after'))).toBe(settings(at('before')));
      expect(await this.alternate()).toBe(false);
    },
  };
}

/** The window's size is among them, and is not the console's to put back. */
function settings(file: string): string {
  return readIf(file).replace(/rows \d+; columns \d+;/, '');
}

function readIf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

describe.each(SIZES)('at $cols x $rows', (size) => {
  const name = `at-${size.cols}`;
  const narrow = size.cols < 100;

  it('every node, its foot on the last row, and the pages', async () => {
    const s = await session(`${name}-pages`, size);
    for (const node of ['hk-1', 'hk-2', 'cn-1']) await s.wait(new RegExp(`${node} .*● ready`));
    expect(await s.alternate()).toBe(true);
    const rows = await s.screen();
    expect(rows).toHaveLength(size.rows);
    expect(rows.at(-1)).toMatch(narrow ? /\? all$/ : /\? all keys$/);
    expect(rows.filter((r) => r.length > size.cols)).toEqual([]);
    await s.keys('/', 'h', 'k', '-', '1', 'Enter', 'Enter');
    await s.wait(/Nodes \/ hk-1 {3}● ready/);
    await s.keys('2');
    await s.wait(/all edge +2 /);
    await s.keys('3');
    await s.wait(/Rollouts \/ 2 +v2 to type=edge +● succeeded/);
    await s.keys('4');
    await s.wait(/Nothing is firing/);
    await s.keys('?');
    await s.wait(/Keys of Alerts/);
    await s.keys('Escape');
    await s.wait(/Nothing is firing/);
    await s.keys('C-c');
    await s.given(0);
  });

  it('resized while it runs, too small and back', async () => {
    const s = await session(`${name}-resize`, size);
    await s.wait(/hk-1 .*● ready/);
    await s.keys('m');
    await s.wait(/Silence all alerts on/);
    await s.resize(50, 10);
    await s.wait(/needs 60 x 15\. {2}This is 50 x 10/);
    await s.keys('x', 'Enter');
    await s.resize(100, 30);
    await s.wait(/> comment {3}▏/);
    expect(await s.screen()).toHaveLength(30);
    expect((await s.screen()).join('\n')).not.toMatch(/comment {3}x|a comment is wanted/);
    await s.keys('C-c');
    await s.given(0);
  });

  it('q gives the terminal back', async () => {
    const s = await session(`${name}-q`, size);
    await s.wait(/hk-1 .*● ready/);
    await s.keys('q', 'q');
    await s.given(0);
  });

  it('SIGTERM gives the terminal back', async () => {
    const s = await session(`${name}-term`, size);
    await s.wait(/hk-1 .*● ready/);
    process.kill(await s.pid(), 'SIGTERM');
    await s.given(143);
  });
});
