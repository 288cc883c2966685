// `npm run sim`: thousands of agents, simulated, on a real master.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import { tokensInMemory } from '../../proto/link/people-api.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { BEHAVIOUR, SLOW_ACK_MS, type Tally } from './behaviour.ts';
import { SimFleet } from './fleet.ts';
import { SimMaster } from './master.ts';

const HELP = `npm run sim -- [OPTIONS]

Agents in great numbers on a real master: each has joined with a token, has a key and a certificate of its own, and holds
a mutual-TLS stream as agents do. What they report is made up: streams that follow the sun, log-normal times, regions that
differ. Offers are answered after a believable time. On loopback each dials from an address of its own.

  --nodes N          how many agents, default 100; 1 to 20,000
  --seconds S        how long it runs once all are there; until ctrl-c otherwise
  --prefix TEXT      put before their names; another one where names of an earlier run are taken

  --master HOST:PORT where agents connect, instead of a master of our own
  --socket PATH      that master's console socket on this host, to make join tokens by
  --ca PIN           or, from elsewhere: sha256 of its CA, hex, as join tokens have it, with
  --token FILE       a file that holds an API key of an operator
  --heartbeat D      of our own master, default 10s
  --set KEY=VALUE    a setting of our own master; repeatable

  --refuse P         so many offers are refused, in percent: 2%
  --flap P           so many agents lose their connection every 20 s or so
  --offline P        so many join and never come
  --bad P            so many answer late and fail often
  --slow             answers to offers take 8 s instead of 0.25 s (medians)

  --json             a JSON object a second instead of a line
  --help             this text

Exit codes: 0 it ran as asked, 1 something failed, 2 the command line is wrong, 130 interrupted before all were there.
`;

const MOST_NODES = 20_000;
const LONGEST_MS = 2 ** 31 - 1;

interface Wanted {
  readonly nodes: number;
  readonly seconds: number | null;
  readonly json: boolean;
  readonly fleet: {
    readonly flap: number;
    readonly offline: number;
    readonly bad: number;
    readonly prefix: string;
  };
  readonly behaviour: { readonly refuse: number; readonly ackMs: number };
  readonly master: { readonly at: string; readonly console: ConsoleApi } | null;
  readonly own: { readonly heartbeat?: string; readonly set: readonly string[] };
}

/** @throws Error with a line that says what is wrong with the command line */
function wanted(args: readonly string[]): Wanted | 'help' {
  const { values: v } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: 'string', default: '100' },
      seconds: { type: 'string' },
      prefix: { type: 'string', default: '' },
      master: { type: 'string' },
      socket: { type: 'string' },
      ca: { type: 'string' },
      token: { type: 'string' },
      heartbeat: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      refuse: { type: 'string', default: '0' },
      flap: { type: 'string', default: '0' },
      offline: { type: 'string', default: '0' },
      bad: { type: 'string', default: '0' },
      slow: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (v.help) return 'help';
  if (!/^[a-z0-9-]{0,20}$/.test(v.prefix))
    throw new Error(`--prefix ${v.prefix}: up to 20 of a-z, 0-9 and -`);
  return {
    nodes: whole('--nodes', v.nodes, 1, MOST_NODES),
    seconds: v.seconds === undefined ? null : whole('--seconds', v.seconds, 1, 7 * 86_400),
    json: v.json,
    fleet: {
      flap: share('--flap', v.flap),
      offline: share('--offline', v.offline),
      bad: share('--bad', v.bad),
      prefix: v.prefix,
    },
    behaviour: { refuse: share('--refuse', v.refuse), ackMs: v.slow ? SLOW_ACK_MS : BEHAVIOUR.ackMs },
    master: v.master === undefined ? null : { at: v.master, console: consoleOf(v.master, v) },
    own: { set: v.set, ...(v.heartbeat === undefined ? {} : { heartbeat: v.heartbeat }) },
  };
}

function consoleOf(
  addr: string,
  v: {
    readonly socket?: string | undefined;
    readonly ca?: string | undefined;
    readonly token?: string | undefined;
  },
): ConsoleApi {
  const times = { readDeadlineMs: 60_000, writeDeadlineMs: 60_000 };
  if (v.socket !== undefined) return connectConsole({ socket: v.socket, ...times });
  const { ca: caPin, token: file } = v;
  if (caPin === undefined || file === undefined) {
    throw new Error('--master needs a way to make join tokens: --socket PATH, or --ca PIN and --token FILE');
  }
  const key = readFileSync(file, 'utf8').trim();
  const tokens = tokensInMemory({ accessToken: key, refreshToken: null });
  return connectConsole({ addr, caPin, tokens, ...times });
}

function whole(name: string, text: string, least: number, most: number): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= least && n <= most) return n;
  throw new Error(`${name} ${text}: a whole number from ${least} to ${most} is wanted`);
}

function share(name: string, text: string): number {
  const n = Number(text.replace(/%$/, ''));
  if (text !== '' && n >= 0 && n <= 100) return n / 100;
  throw new Error(`${name} ${text}: percent from 0 to 100 are wanted, such as 2%`);
}

/** What has happened within the last second. */
function lineOf(t: Tally, before: Tally, seconds: number): string {
  const answered = Object.entries(t.answers).map(([label, a]) => {
    const refused = a.refused > 0 ? `, ${a.refused} refused` : '';
    return `${label} ${a.applied}/${a.offered}${refused}`;
  });
  const reasons = Object.entries(t.reasons)
    .filter(([why, n]) => n > (before.reasons[why] ?? 0))
    .map(([why, n]) => `${n - (before.reasons[why] ?? 0)} × ${why}`);
  return [
    `${`${seconds}`.padStart(4)} s`,
    `joined ${t.joined}/${t.nodes}`,
    `connected ${t.open}`,
    `+${t.opened - before.opened} -${t.closed - before.closed}`,
    `${t.heartbeats - before.heartbeats} heartbeats/s`,
    `${t.reports - before.reports} reports/s`,
    ...answered,
    ...reasons.slice(0, 3),
  ].join('  ');
}

async function main(): Promise<number> {
  const w = wanted(process.argv.slice(2).filter((a) => a !== '--no-build'));
  if (w === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  let interrupted: () => void = () => {};
  const signal = new Promise<'interrupted'>((resolve) => {
    interrupted = () => resolve('interrupted');
  });
  for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(s, interrupted);
  const undo: (() => Promise<void> | void)[] = [];
  try {
    const run = work(w, signal, (step) => undo.push(step));
    const how = await Promise.race([run, signal.then(() => null)]);
    return how ?? 130;
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function work(
  w: Wanted,
  signal: Promise<'interrupted'>,
  atEnd: (step: () => Promise<void> | void) => void,
): Promise<number> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  let { master } = w;
  if (!master) {
    const own = await SimMaster.start(w.own);
    atEnd(() => own.stop());
    master = { at: own.address, console: own.api };
    say(`a master of our own: agents ${own.address}, REST ${own.rest}, console socket ${own.dir}/m.sock`);
  }
  const api = master.console;
  atEnd(() => api.close());
  const fleet = await SimFleet.start({
    nodes: w.nodes,
    address: master.at,
    ...w.fleet,
    behaviour: w.behaviour,
  });
  atEnd(() => fleet.stop());
  const began = performance.now();
  let before = fleet.tally;
  const lines = setInterval(() => {
    const t = fleet.tally;
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stdout.write(`${w.json ? JSON.stringify({ seconds, ...t }) : lineOf(t, before, seconds)}\n`);
    before = t;
  }, 1000);
  atEnd(() => clearInterval(lines));
  await fleet.join(api);
  const took = (performance.now() - began) / 1000;
  say(`${w.nodes} joined in ${took.toFixed(1)} s`);
  fleet.connect();
  const here = fleet.expected * (1 - w.fleet.flap);
  await fleet.until('they are connected', 600_000, (t) => t.open >= here * 0.999 - 1);
  say(`connected ${(performance.now() - began - took * 1000).toFixed(0)} ms after that`);
  const stays = w.seconds === null ? new Promise(() => {}) : sleep(w.seconds * 1000);
  // What fails meanwhile is said at once.
  await Promise.race([stays, signal, fleet.until('the end', LONGEST_MS, () => false)]);
  return 0;
}

process.exit(
  await main().catch((e: unknown) => {
    const usage = e instanceof TypeError || (e instanceof Error && e.message.startsWith('--'));
    process.stderr.write(`sim: ${e instanceof AppError || e instanceof Error ? e.message : String(e)}\n`);
    if (usage) process.stderr.write('(npm run sim -- --help says more)\n');
    return usage ? 2 : 1;
  }),
);
