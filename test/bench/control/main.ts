// REST beside bare fastify in the same run, interleaved, medians; and the store's durable commits.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { Running } from '../../harness/running.ts';
import { median } from '../tunnel/report.ts';
import { commitsPerSecond } from './commits.ts';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const USAGE = `npm run bench:control -- [--quick] [--json]
REST: one node, and a list of 1,000, beside bare fastify with the same bytes; commits a second of the store with 100
writers. wrk makes the load, on one thread of its own. Half a minute with --quick, two without.`;

interface Effort {
  readonly rounds: number;
  readonly seconds: number;
}
const QUICK: Effort = { rounds: 3, seconds: 2 };
const WHOLE: Effort = { rounds: 7, seconds: 4 };
const WARM_UP_S = 1;

const PATHS = { node: '/api/v1/nodes/', list: '/api/v1/nodes?limit=1000' } as const;
type What = keyof typeof PATHS;
/** So many connections: enough to keep one core busy, few enough that lists do not wait for each other. */
const CONNECTIONS: Readonly<Record<What, number>> = { node: 64, list: 16 };

async function main(): Promise<number> {
  if (flags.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const effort = flags.quick ? QUICK : WHOLE;
  const dir = await mkdtemp(path.join(tmpdir(), 'aicdn-bench-'));
  const running: Running[] = [];
  const start = (file: string, ...args: string[]): Running => {
    const r = new Running(process.execPath, [path.join(import.meta.dirname, file), ...args]);
    running.push(r);
    return r;
  };
  try {
    // Before anything else runs here: the store alone.
    const commits = await commitRounds(effort, dir);
    const ours = JSON.parse(await start('master.ts', dir).wrote(/^\{.*\}$/m)) as Ours;
    const files: string[] = [];
    for (const what of ['node', 'list'] as const) {
      const answer = await fetch(`http://127.0.0.1:${ours.port}${pathOf(what, ours)}`, {
        headers: bearer(ours),
      });
      if (answer.status !== 200) throw new Error(`${what}: ${answer.status}`);
      const file = path.join(dir, `${what}.json`);
      await writeFile(file, Buffer.from(await answer.arrayBuffer()));
      files.push(file);
    }
    const bare = JSON.parse(await start('bare.ts', ...files).wrote(/^\{.*\}$/m)) as { port: number };
    const figures = { ...(await measure(effort, { ours, bare: bare.port })), commits_per_s: commits };
    if (flags.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
    else
      for (const [name, value] of Object.entries(figures))
        process.stdout.write(`${name.padEnd(14)} ${value}\n`);
    return 0;
  } catch (e) {
    process.stderr.write(`bench: ${e instanceof Error ? e.message : String(e)}\n`);
    return 1;
  } finally {
    for (const r of running) await r.finish();
    await rm(dir, { recursive: true, force: true });
  }
}

async function commitRounds({ rounds, seconds }: Effort, dir: string): Promise<number> {
  await commitsPerSecond(path.join(dir, 'warm-up'), WARM_UP_S * 1000);
  const taken: number[] = [];
  for (let i = 0; i < rounds; i++) {
    taken.push(await commitsPerSecond(path.join(dir, `${i}`), seconds * 1000));
  }
  return Math.round(median(taken));
}

interface Ours {
  readonly port: number;
  readonly key: string;
  readonly node: string;
}
const bearer = (ours: Ours) => ({ authorization: `Bearer ${ours.key}` });
const pathOf = (what: What, ours: Ours): string => (what === 'node' ? PATHS.node + ours.node : PATHS.list);

async function measure({ rounds, seconds }: Effort, at: { readonly ours: Ours; readonly bare: number }) {
  const taken: Record<What, { ours: number[]; bare: number[] }> = {
    node: { ours: [], bare: [] },
    list: { ours: [], bare: [] },
  };
  const run = (what: What, port: number, s: number) =>
    wrk(what, `http://127.0.0.1:${port}${pathOf(what, at.ours)}`, at.ours, s);
  for (const what of ['node', 'list'] as const) {
    await run(what, at.ours.port, WARM_UP_S);
    await run(what, at.bare, WARM_UP_S);
  }
  for (let i = 0; i < rounds; i++) {
    for (const what of ['node', 'list'] as const) {
      taken[what].ours.push(await run(what, at.ours.port, seconds));
      taken[what].bare.push(await run(what, at.bare, seconds));
    }
  }
  const beside = ({ ours, bare }: { ours: number[]; bare: number[] }): number =>
    Number(median(ours.map((n, i) => n / (bare[i] ?? Number.NaN))).toPrecision(3));
  return {
    node_rps: Math.round(median(taken.node.ours)),
    list_rps: Math.round(median(taken.list.ours)),
    node_vs_bare: beside(taken.node),
    list_vs_bare: beside(taken.list),
  };
}

/** Requests a second. @throws when an answer was none of 200 or a socket failed */
async function wrk(what: What, url: string, ours: Ours, seconds: number): Promise<number> {
  const { stdout } = await execa('wrk', [
    '-t1',
    `-c${CONNECTIONS[what]}`,
    `-d${seconds}s`,
    '-H',
    `authorization: ${bearer(ours).authorization}`,
    url,
  ]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`${url}: ${stdout}`);
  const m = /Requests\/sec:\s+([\d.]+)/.exec(stdout);
  if (!m?.[1]) throw new Error(`wrk said nothing of requests: ${stdout}`);
  return Number(m[1]);
}

process.exit(await main());
