import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

/** A real process of ours, its output kept in a log file. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Settles when it has ended, with its exit code or signal. */
  readonly ended: Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

/** Bundles beside the tree's root: what an operator would run, not the sources. */
export const ROOT = path.resolve(import.meta.dirname, '../..');
export const program = (name: 'master' | 'agent' | 'engine' | 'tui' | 'ctl'): string =>
  path.join(ROOT, 'dist', `${name}.mjs`);

export interface StartArgs {
  readonly name: string;
  /** Script and its arguments, run by the runtime we run on. */
  readonly argv: readonly string[];
  readonly logDir: string;
  /** Gets what it prints on standard output instead of the log file. */
  readonly onStdout?: (text: string) => void;
}

export function start({ name, argv, logDir, onStdout }: StartArgs): Child {
  const logFile = path.join(logDir, `${name}.log`);
  const log = { file: logFile, append: true };
  const child = execa(process.execPath, argv, {
    // A pipe kept open: helpers of the demo end with us, however we end.
    stdin: 'pipe',
    stdout: onStdout ? 'pipe' : log,
    stderr: log,
    buffer: false,
    reject: false,
    cleanup: false,
    env: { NODE_ENV: 'production' },
  });
  if (onStdout) child.stdout?.on('data', (d: Buffer) => onStdout(d.toString('utf8')));
  const ended = child.then((r) => r.signal ?? `exit ${r.exitCode ?? '?'}`);
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${name} could not be started: ${argv.join(' ')}`);
  return {
    name,
    pid,
    logFile,
    ended,
    kill: (signal) => {
      child.kill(signal);
    },
  };
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Ends a process by its id: asked first, after `graceMs` forced. */
export async function end(pid: number, graceMs = 3000): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!alive(pid)) return;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    for (let waited = 0; waited < graceMs && alive(pid); waited += 25) await sleep(25);
  }
}

/** The last lines a process logged, for an error message. */
export function logTail(child: Pick<Child, 'logFile'>, lines = 8): string {
  try {
    return readFileSync(child.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/** Waits for the ready file a program writes once it serves; fails at once when the program ends first. */
export async function ready<T>(child: Child, file: string, withinMs: number): Promise<T> {
  let over: string | null = null;
  void child.ended.then((how) => {
    over = how;
  });
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(20)) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as T;
    } catch {
      if (over !== null)
        throw new Error(`${child.name} ended (${over}) before it was ready:\n${logTail(child)}`);
    }
  }
  throw new Error(`${child.name} was not ready within ${withinMs / 1000} s:\n${logTail(child)}`);
}

export function forget(file: string): void {
  rmSync(file, { force: true });
}

/** Polls until `probe` gives something other than null; the error says what was waited for and what was last seen. */
export async function until<T>(
  what: string,
  withinMs: number,
  probe: () => Promise<T | null> | T | null,
  seen: () => string = () => '',
): Promise<T> {
  let fault = '';
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(50)) {
    try {
      const value = await probe();
      if (value !== null) return value;
      fault = '';
    } catch (e) {
      fault = e instanceof Error ? e.message : String(e);
    }
  }
  const last = [seen(), fault].filter((s) => s !== '').join('; ');
  throw new Error(`not within ${withinMs / 1000} s: ${what}${last ? ` (${last})` : ''}`);
}
