// Ten thousand agents on one master: joining, steady, a publication, a master that is killed; and gRPC alone beside it.

import { mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openCa } from '../../../daemon/ca/ca.ts';
import type { ConsoleApi } from '../../../proto/link/console-api.ts';
import { SimFleet } from '../../../scripts/sim/fleet.ts';
import { SimMaster } from '../../../scripts/sim/master.ts';
import { realClock as clock, realRandom as random } from '../../fakes/services.ts';
import { Running } from '../../harness/running.ts';
import { bodyOf, FIRST_BODY } from './documents.ts';
import { type Cost, costOf, gauged } from './gauge.ts';
import { RestProbe } from './rest-probe.ts';

const { values: flags } = parseArgs({
  options: {
    nodes: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});
const USAGE = `npm run bench:fleet -- [--quick] [--json] [--nodes N] [--profile DIR]
Simulated agents with mutual-TLS streams on a real master: CPU, memory, loop and REST while they join, while nothing
happens, while 20 KB are published to all of them, and after the master was killed; then the same agents on gRPC alone.
10,000 agents, some eight minutes; --quick: 2,000 in a little over one. --profile DIR: V8's CPU profiles of the master. --set
KEY=VALUE: a setting of it.`;

const SETTLE_MS = 2_500;

interface Effort {
  readonly nodes: number;
  readonly steadyS: number;
  /** What the master offers, before it is stretched for a large fleet. */
  readonly heartbeatS: number;
  /** From when all are connected until it counts as steady: documents that name what has just joined are looked after. */
  readonly settleS: number;
  /** Steady once more after the master came back: the machine is another by then. */
  readonly again: boolean;
}
const WHOLE: Effort = { nodes: 10_000, steadyS: 60, heartbeatS: 10, settleS: 30, again: true };
/** As many heartbeats a second as of the whole fleet: what a second costs anyway weighs the same. */
const QUICK: Effort = { nodes: 2_000, steadyS: 12, heartbeatS: 4, settleS: SETTLE_MS / 1000, again: false };
const HEARTBEATS_A_SECOND = 500;
const PATIENCE_MS = 600_000;
/** gRPC alone lets everybody in at once and is blocked for as long: its agents move a part at a time. */
const PARTS = 25;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

interface Stage {
  readonly effort: Effort;
  readonly fleet: SimFleet;
  readonly dir: string;
}

async function main(): Promise<number> {
  if (flags.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const kind = flags.quick ? QUICK : WHOLE;
  const effort = { ...kind, nodes: flags.nodes === undefined ? kind.nodes : Number(flags.nodes) };
  const dir = await mkdtemp(path.join(tmpdir(), 'aicdn-bench-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })];
  try {
    const stopped = new Promise<never>((_, reject) => {
      for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.once(s, () => reject(new Error(`stopped by ${s}`)));
    });
    const figures = await Promise.race([measured(effort, dir, (step) => undo.push(step)), stopped]);
    if (flags.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
    else process.stdout.write(`${tableOf(figures)}\n`);
    return figures.stuck === 0 ? 0 : 1;
  } catch (e) {
    say(`bench: ${e instanceof Error ? e.message : String(e)}`);
    return 1;
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function measured(effort: Effort, dir: string, atEnd: (step: () => Promise<unknown>) => void) {
  const load = loadavg()[0] ?? Number.NaN;
  const gauge = path.join(dir, 'master.gauge');
  if (flags.profile !== undefined) mkdirSync(flags.profile, { recursive: true });
  const master = await SimMaster.start({
    runtime: gauged(gauge, flags.profile),
    heartbeat: `${effort.heartbeatS}s`,
    set: flags.set,
  });
  atEnd(() => master.stop());
  await publish(master.api, 'first', FIRST_BODY);
  const { secret } = await master.api.createApiKey(
    { reason: 'bench' },
    { name: 'bench', role: 'viewer', scopes: null, ttlMs: null },
  );
  const fleet = await SimFleet.start({ nodes: effort.nodes, address: master.address });
  atEnd(() => fleet.stop());
  const stage: Stage = { effort, fleet, dir };
  const all = (t: { open: number }): boolean => t.open === fleet.expected;

  say(`${effort.nodes} agents join`);
  const joins = await profiled(master.pid, () => timed(gauge, () => fleet.join(master.api)));
  say('they connect');
  const connects = await profiled(master.pid, () =>
    timed(gauge, async () => {
      fleet.connect();
      await fleet.until('all are connected', PATIENCE_MS, all);
      await answered(fleet, 'first');
    }),
  );
  await sleep(effort.settleS * 1000);
  say(`steady for ${effort.steadyS} s`);
  const steady = await profiled(master.pid, () => steadyCost(stage, gauge));
  say('20 KB for everybody');
  const fanout = await profiled(master.pid, () => published(stage, master, gauge, steady, 'second'));
  // Again, with people who ask: that costs the master something as well.
  say('20 KB for everybody again, and REST beside it');
  const rest = new RestProbe(master.rest, secret, fleet.nodes[0]?.name ?? '');
  atEnd(() => rest.stop());
  const restFrom = Date.now();
  await sleep(SETTLE_MS);
  const restSteady = rest.within(restFrom, Date.now());
  const asked = await published(stage, master, gauge, steady, 'third');
  const restFanout = rest.within(asked.from, asked.to);

  say('the master is killed, and started again');
  const gauge2 = path.join(dir, 'again.gauge');
  const killedAt = Date.now();
  await master.kill('SIGKILL');
  await fleet.until('nobody is connected', PATIENCE_MS, (t) => t.open === 0);
  const startedAt = Date.now();
  await master.begin({ runtime: gauged(gauge2, flags.profile) });
  const readyAt = Date.now();
  const back = await profiled(master.pid, () => fleet.until('all are back', PATIENCE_MS, all));
  const backAt = Date.now();
  await sleep(SETTLE_MS);
  const returned = costOf(gauge2, startedAt, backAt);
  const restReturn = rest.within(readyAt, backAt);
  const stuck = await stuckOf(master.api, fleet);
  await rest.stop();

  const turns = [steady];
  if (effort.again) {
    say('steady once more');
    await sleep(effort.settleS * 1000);
    turns.push(await profiled(master.pid, () => steadyCost(stage, gauge2)));
  }
  say('the same agents on gRPC alone');
  const bare = await onBare(stage, master, atEnd);
  const perMessage = (...of: readonly Steady[]): number =>
    (of.reduce((ms, s) => ms + s.cost.cpuMs, 0) * 1000) / of.reduce((n, s) => n + s.messages, 0);
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model ?? ''}`,
    node: process.version,
    load_at_start: round(load),
    nodes: effort.nodes,
    ratios: {
      heartbeat_cpu_vs_bare: round(perMessage(...turns) / perMessage(bare.steady)),
      fanout_cpu_vs_bare: round(fanout.cpuMs / bare.fanout.cpuMs),
    },
    join_cpu_s: round(joins.cpuMs / 1000),
    rss_mb: round(Math.max(joins.rssMb, connects.rssMb, fanout.cost.rssMb, returned.rssMb)),
    stuck,
    joins: phase(joins),
    connects: phase(connects),
    steady: {
      ...phase(steady.cost),
      messages: steady.messages,
      cpu_us_a_message: round(perMessage(...turns)),
      cpu_us_a_message_each: turns.map((t) => round(perMessage(t))),
      bare_cpu_us_a_message: round(perMessage(bare.steady)),
      rest_p99_ms: round(restSteady.p99),
      rest_bad: restSteady.bad,
    },
    fanout: {
      ...phase(fanout.cost),
      cpu_over_steady_s: round(fanout.cpuMs / 1000),
      last_ack_s: round(fanout.lastAckS),
      bare_cpu_over_steady_s: round(bare.fanout.cpuMs / 1000),
      bare_last_ack_s: round(bare.fanout.lastAckS),
      rest_p99_ms: round(restFanout.p99),
      rest_bad: restFanout.bad,
    },
    restart: {
      ...phase(returned),
      down_ms: readyAt - killedAt,
      ready_ms: readyAt - startedAt,
      all_back_s: round((backAt - readyAt) / 1000),
      rest_p99_ms: round(restReturn.p99),
      rest_bad: restReturn.bad,
      rest_asked: restReturn.n,
      reasons: back.reasons,
    },
    simulation_cpu_s: round(fleet.tally.cpuMs / 1000),
  };
}

type Figures = Awaited<ReturnType<typeof measured>>;

async function timed(gauge: string, work: () => Promise<void>): Promise<Cost> {
  const from = Date.now();
  await work();
  const to = Date.now();
  await sleep(300); // its last reading
  return { ...costOf(gauge, from, to + 300), seconds: (to - from) / 1000 };
}

async function published(
  stage: Stage,
  master: SimMaster,
  gauge: string,
  steady: Steady,
  label: string,
): Promise<FannedOut> {
  return fannedOut(stage, gauge, steady, async () => {
    await publish(master.api, label, bodyOf(label));
    return label;
  });
}

async function publish(api: ConsoleApi, label: string, text: string): Promise<void> {
  await api.createConfig(
    { reason: 'bench' },
    { label, description: '', body: Buffer.from(text), parent: null },
  );
  await api.publish({ reason: 'bench' }, { label, target: {}, dryRun: false });
}

/** Everybody who is here has answered. */
async function answered(fleet: SimFleet, label: string): Promise<number> {
  const t = await fleet.until(`all have answered ${label}`, PATIENCE_MS, ({ answers }) => {
    const a = answers[label];
    return a !== undefined && a.applied + a.refused >= fleet.expected;
  });
  return t.answers[label]?.lastAt ?? 0;
}

/** With `--profile`, a profile of each phase: this process's of it are numbered. */
async function profiled<T>(pid: number, work: () => Promise<T>): Promise<T> {
  if (flags.profile === undefined) return work();
  process.kill(pid, 'SIGUSR2');
  try {
    return await work();
  } finally {
    process.kill(pid, 'SIGUSR2');
    await sleep(1500); // it is written
  }
}

interface Steady {
  readonly cost: Cost;
  readonly messages: number;
  readonly from: number;
  readonly to: number;
}

async function steadyCost({ fleet, effort }: Stage, gauge: string): Promise<Steady> {
  const from = Date.now();
  const before = fleet.tally;
  await sleep(effort.steadyS * 1000);
  const to = Date.now();
  const after = fleet.tally;
  const messages = after.heartbeats + after.reports - before.heartbeats - before.reports;
  return { cost: costOf(gauge, from, to), messages, from, to };
}

interface FannedOut {
  readonly cost: Cost;
  /** Beyond what the same time costs when nothing happens. */
  readonly cpuMs: number;
  readonly lastAckS: number;
  readonly from: number;
  readonly to: number;
}

async function fannedOut(
  { fleet }: Stage,
  gauge: string,
  steady: Steady,
  push: () => Promise<string>,
): Promise<FannedOut> {
  const from = Date.now();
  const label = await push();
  const last = await answered(fleet, label);
  await sleep(SETTLE_MS);
  const to = Date.now();
  const cost = costOf(gauge, from, to);
  const idle = (steady.cost.cpuMs / steady.cost.seconds) * cost.seconds;
  return { cost, cpuMs: cost.cpuMs - idle, lastAckS: (last - from) / 1000, from, to };
}

/** Who is not there, not heard of, or not in sync, as the master has it. */
async function stuckOf(api: ConsoleApi, fleet: SimFleet): Promise<number> {
  const { nodes, vitals } = await api.listNodes();
  const status = new Map(vitals.map((v) => [`${v.name}`, v.status]));
  const fine = nodes.filter((n) => status.get(n.name) === 'ready' && n.configSync === 'in_sync');
  return fleet.expected - fine.length;
}

async function onBare(
  stage: Stage,
  master: SimMaster,
  atEnd: (step: () => Promise<unknown>) => void,
): Promise<{ steady: Steady; fanout: FannedOut }> {
  const { fleet, dir, effort } = stage;
  const ca = await openCa({ dir: path.join(master.stateDir, 'ca') }, { clock, random });
  const { certificatePem: cert, keyPem: key } = await ca.issueServer({
    names: ['127.0.0.1'],
    now: Date.now(),
  });
  const given = path.join(dir, 'bare.json');
  const least = Math.ceil((effort.nodes * 1000) / HEARTBEATS_A_SECOND);
  const heartbeatMs = Math.max(effort.heartbeatS * 1000, least);
  await writeFile(given, JSON.stringify({ cert, key, ca: ca.certificatePem, heartbeatMs }), { mode: 0o600 });
  const gauge = path.join(dir, 'bare.gauge');
  const bare = new Running(process.execPath, [
    ...gauged(gauge),
    path.join(import.meta.dirname, 'bare.ts'),
    given,
  ]);
  atEnd(() => bare.stop());
  const { port } = JSON.parse(await bare.wrote(/^\{.*\}$/m)) as { port: number };
  const { opened } = fleet.tally;
  fleet.moveTo(`127.0.0.1:${port}`);
  for (let i = 0; i < PARTS; i++) {
    fleet.cut(i / PARTS, (i + 1) / PARTS, 'moved');
    const soFar = opened + Math.floor((fleet.expected * (i + 0.9)) / PARTS);
    await fleet.until('a part has moved', PATIENCE_MS, (t) => t.opened >= soFar);
  }
  await fleet.until(
    'all have moved',
    PATIENCE_MS,
    (t) => t.open === fleet.expected && t.opened >= opened + fleet.expected,
  );
  await sleep(effort.settleS * 1000);
  const steady = await steadyCost(stage, gauge);
  const fanout = await fannedOut(stage, gauge, steady, async () => {
    bare.tell('push\n');
    return 'bare-2';
  });
  return { steady, fanout };
}

const round = (n: number): number => Number(n.toPrecision(3));

function phase(c: Cost) {
  return {
    seconds: round(c.seconds),
    cpu_s: round(c.cpuMs / 1000),
    rss_mb: round(c.rssMb),
    loop_max_ms: round(c.lateMaxMs),
    loop_p99_ms: round(c.lateP99Ms),
  };
}

function tableOf(f: Figures): string {
  const flat = (o: object, before = ''): string[] =>
    Object.entries(o).flatMap(([k, v]) =>
      typeof v === 'object' && v !== null
        ? flat(v, `${before}${k}.`)
        : [`${`${before}${k}`.padEnd(36)} ${v}`],
    );
  return flat(f).join('\n');
}

process.exit(await main());
