import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';

/** A shell in a real pty, its screen kept by an emulator that also answers what programs ask of a terminal. */
export interface Tty {
  readonly term: InstanceType<typeof xterm.Terminal>;
  readonly pid: number;
  /** Everything the emulator holds, what has scrolled away included. */
  text(): string;
  /** The rows on the screen, nothing cut. */
  screen(): readonly string[];
  /** Resolves with the text once it matches; the error has the whole of what was there instead. */
  wait(what: RegExp): Promise<string>;
  type(keys: string): void;
  /** Types until it shows: a sheet drops what comes before its question is on the screen, and says so. */
  typeUntil(keys: string, shows: RegExp): Promise<void>;
  resize(cols: number, rows: number): void;
  /** Nobody reads the terminal until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends the shell and the emulator. */
  close(): void;
}

export interface TtySettings {
  readonly cols: number;
  readonly rows: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly waitMs?: number;
}

// The shell's own line editor marks pastes too: off, so that what is seen is the program's.
const QUIET = "bind 'set enable-bracketed-paste off'; ";

/** A shell line that runs a command and then says its exit code, and `same` when stty is as it was before. */
export function guarded(command: string): string {
  return `${QUIET}B=$(stty -g); ${command}; echo "code=$?"; [ "$B" = "$(stty -g)" ] && echo same\r`;
}

export function openTty({ cols, rows, env = {}, waitMs = 15_000 }: TtySettings): Tty {
  const term = new xterm.Terminal({ cols, rows, allowProposedApi: true, scrollback: 200 });
  const pty = spawn('/bin/bash', ['--norc', '--noprofile', '-i'], {
    cols,
    rows,
    env: { ...process.env, TERM: 'xterm-256color', PS1: '$ ', ...env },
  });
  pty.onData((d) => term.write(d));
  term.onData((d) => pty.write(d));
  let alive = true;
  pty.onExit(() => {
    alive = false;
  });
  const rowsFrom = (from: number, to: number): string[] => {
    const b = term.buffer.active;
    return Array.from({ length: to - from }, (_, y) => b.getLine(from + y)?.translateToString(true) ?? '');
  };
  const text = (): string => rowsFrom(0, term.buffer.active.length).join('\n');

  async function wait(what: RegExp): Promise<string> {
    for (const end = Date.now() + waitMs; !what.test(text()); await sleep(20)) {
      if (Date.now() > end) throw new Error(`never saw ${what} in:\n${text()}`);
    }
    return text();
  }

  return {
    term,
    pid: pty.pid,
    text,
    screen: () => rowsFrom(term.buffer.active.baseY, term.buffer.active.baseY + term.rows),
    wait,
    type: (keys) => pty.write(keys),
    async typeUntil(keys, shows) {
      for (const end = Date.now() + waitMs; ; ) {
        pty.write(keys);
        for (let i = 0; i < 15 && !shows.test(text()); i++) await sleep(20);
        if (shows.test(text())) return;
        if (Date.now() > end) throw new Error(`typed ${keys}, never saw ${shows} in:\n${text()}`);
      }
    },
    resize(c, r) {
      pty.resize(c, r);
      term.resize(c, r);
    },
    pause: () => pty.pause(),
    resume: () => pty.resume(),
    close() {
      if (alive) process.kill(pty.pid, 'SIGKILL');
      term.dispose();
    },
  };
}
