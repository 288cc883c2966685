import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { program } from '../../scripts/demo/process.ts';

// Completion as the two shells do it, against a master with nodes: tab is pressed in a terminal, and the line is read.

let fleet: Fleet;
let server = '';
let bin = '';

beforeAll(async () => {
  fleet = await Fleet.start();
  server = path.join(fleet.dir, 'tmux.sock');
  bin = path.join(fleet.dir, 'bin');
  mkdirSync(bin);
  const file = path.join(bin, 'aicdnctl');
  writeFileSync(file, `#!/bin/sh\nexec ${process.execPath} ${program('ctl')} "$@"\n`);
  chmodSync(file, 0o755);
});
afterAll(async () => {
  await execa('tmux', ['-S', server, 'kill-server'], { reject: false });
  await fleet?.stop();
});

async function tmux(...args: string[]): Promise<string> {
  const env = { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', PATH: `${bin}:${process.env['PATH']}` };
  return (await execa('tmux', ['-S', server, '-f', '/dev/null', ...args], { env })).stdout;
}

const SHELLS = [
  {
    shell: 'bash',
    start: 'bash --norc --noprofile',
    ready: `PS1='>'; source <(aicdnctl completion bash); clear`,
  },
  {
    shell: 'zsh',
    start: 'zsh -f',
    ready: `PS1='>'; unsetopt PROMPT_SP; autoload -Uz compinit; compinit -u -d ${'$'}AICDN_DUMP; source <(aicdnctl completion zsh); clear`,
  },
] as const;

/** The line as it stands after a tab; the test's own time is the limit. */
async function completed(session: string, typed: string): Promise<string> {
  await tmux('send-keys', '-t', session, 'C-u');
  await tmux('send-keys', '-t', session, '-l', `aicdnctl ${typed}`);
  await tmux('send-keys', '-t', session, 'Tab');
  // What stands behind the completed word shows where it ends: tmux leaves out blanks at the end of a line.
  await tmux('send-keys', '-t', session, '-l', '#');
  for (;;) {
    const screen = await tmux('capture-pane', '-p', '-t', session);
    const line = /^>aicdnctl (.*)#$/m.exec(screen)?.[1];
    if (line !== undefined) return line;
    await new Promise((r) => setTimeout(r, 50));
  }
}

describe.each(SHELLS)('$shell', ({ shell, start, ready }) => {
  beforeAll(async () => {
    const dump = path.join(fleet.dir, `zcompdump-${shell}`);
    const env = `AICDN_SOCKET=${fleet.socket} AICDN_DUMP=${dump} HOME=${fleet.dir} ${start}`;
    await tmux('new-session', '-d', '-s', shell, '-x', '120', '-y', '30', `env ${env}`);
    await tmux('send-keys', '-t', shell, '-l', ready);
    await tmux('send-keys', '-t', shell, 'Enter');
    for (;;) {
      const [first] = (await tmux('capture-pane', '-p', '-t', shell)).split('\n');
      if (first === '>') return;
      await new Promise((r) => setTimeout(r, 50));
    }
  });

  it.each([
    ['no', 'nodes '],
    ['nodes sho', 'nodes show '],
    ['nodes show c', 'nodes show cn-1 '],
    ['nodes list --reg', 'nodes list --region '],
    ['nodes list --region c', 'nodes list --region cn '],
    ['reload region=c', 'reload region=cn '],
    ['config roll', 'config rollback '],
    ['silence create node=x --com', 'silence create node=x --comment '],
  ])('%s', async (typed, want) => {
    expect(await completed(shell, typed)).toBe(want);
  });
});
