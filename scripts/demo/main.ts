// `npm start`: the main job on one machine. With a terminal it opens the console on a living fleet, without one (or
// with --check) it checks the loop and exits 0 or 1, with --headless it stays up and prints one JSON line.

import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { check, type Step } from './check.ts';
import { Fleet } from './fleet.ts';
import { program } from './process.ts';

const HELP = `npm start [-- OPTIONS]

A master, two edges (hk-1, hk-2), one core (cn-1), an origin and chat clients, as real processes on loopback
with real mutual TLS, on free ports, their state in a temporary folder; and the console on them.

  --check      run the same without a console, check the loop, say what was seen; exit 0 or 1
               (also what happens without a terminal)
  --headless   stay up without a console until ctrl-c; prints one JSON line that says where everything is
  --clients N  chat clients an edge, default 4
  --help       this text

ctrl-c (or q twice in the console) ends all of it and removes the folder.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((a) => a !== '--no-build'),
    options: {
      check: { type: 'boolean' },
      headless: { type: 'boolean' },
      clients: { type: 'string', default: '4' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const clients = Number(values.clients);
  if (!Number.isInteger(clients) || clients < 1 || clients > 200) {
    throw new TypeError(`--clients ${values.clients}: a whole number from 1 to 200 is wanted`);
  }
  const headless = values.headless === true;
  const checking = values.check === true || (!headless && !process.stdout.isTTY);
  // One JSON line on standard output is a promise: everything said beside it goes to standard error.
  const out = headless ? process.stderr : process.stdout;
  const say = (line: string): void => {
    out.write(`${line}\n`);
  };

  let interrupted: (signal: string) => void = () => {};
  const signal = new Promise<string>((resolve) => {
    interrupted = resolve;
  });
  for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(s, () => interrupted(s));

  const started = performance.now();
  say('starting a master, two edges, a core, an origin and chat clients on loopback');
  const starting = Fleet.start({ clients, strategy: 'quick', say: (line) => say(`  ${line}`) });
  const early = await Promise.race([starting.then(() => null), signal]);
  if (early !== null) {
    await starting.then(
      (f) => f.stop(),
      () => {},
    );
    return 130;
  }
  const fleet = await starting;
  try {
    say(`up after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    if (headless) {
      process.stdout.write(`${JSON.stringify(fleet.describe())}\n`);
      await signal;
      return 0;
    }
    if (checking) {
      const result = await Promise.race([check(fleet, (step) => say(line(step))), signal]);
      if (typeof result === 'string') return 130;
      say(
        `${result ? '● the loop holds' : '✗ the loop is broken'}, ${((performance.now() - started) / 1000).toFixed(1)} s in all`,
      );
      return result ? 0 : 1;
    }
    return await openConsole(fleet, signal);
  } finally {
    await fleet.stop();
  }
}

const line = (s: Step): string =>
  `${s.ok ? '●' : '✗'} ${s.name.padEnd(16)} ${(s.tookMs / 1000).toFixed(1).padStart(5)} s  ${s.saw}`;

async function openConsole(fleet: Fleet, signal: Promise<string>): Promise<number> {
  // The console has the terminal; ctrl-c is a key to it. A signal to us alone ends it as well: it restores the terminal.
  const tui = execa(process.execPath, [program('tui'), '--socket', fleet.socket], {
    stdio: 'inherit',
    reject: false,
    env: { NODE_ENV: 'production' },
  });
  void signal.then((s) => tui.kill(s === 'SIGINT' ? 'SIGTERM' : (s as NodeJS.Signals)));
  const result = await tui;
  return result.exitCode ?? 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (e: unknown) => {
    process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`);
    process.exitCode = e instanceof TypeError ? 2 : 1;
  },
);
