import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  COMMAND_OPTIONS,
  COMMAND_TYPES,
  type CommandOptions,
  type CommandResult,
  type CommandTask,
  type CommandType,
  isReserved,
  isSettled,
  type TaskState,
} from '../../proto/vocab/command.ts';
import { formatDuration } from '../../proto/vocab/duration.ts';
import type { CommandId } from '../../proto/vocab/ids.ts';
import { confirm, confirmReach, regionsOf } from './confirm.ts';
import { type Ctl, type CtlRun, noun } from './ctl.ts';
import { type MutationFlags, mutates, mutation, reaches, watches, whole } from './flags.ts';
import { CtlExit, EXIT } from './io.ts';
import { count, line, moment, showData, showDone, since, table } from './output.ts';
import { duration, formatTarget, targetOfWords } from './target.ts';
import { list, progress } from './watching.ts';

/** `succeeded 1.8 s, generation 4 → 5, unchanged, 12 streams kept` */
function said(r: CommandResult): string {
  const tail = r.outputTail.trim().split('\n').at(-1) ?? '';
  if (r.state !== 'succeeded') {
    return [isSettled(r.state) ? `exit ${r.exitCode}` : '', tail].filter((t) => t !== '').join(': ');
  }
  const took = r.tookMs < 100 ? `${Math.round(r.tookMs)} ms` : `${(r.tookMs / 1000).toFixed(1)} s`;
  const parts = [took];
  if (r.before !== null && r.after !== null) {
    parts.push(`generation ${r.before.generation} → ${r.after.generation}`);
  }
  if (r.unchanged) parts.push('unchanged');
  parts.push(`${r.streamsKept} streams kept`);
  if (r.streamsCut !== undefined && r.streamsCut > 0) parts.push(`${r.streamsCut} cut`);
  return parts.join(', ');
}

function results(task: CommandTask, headers: boolean): string {
  const rows = Object.entries(task.results).sort(([a], [b]) => (a < b ? -1 : 1));
  return table(
    [
      { head: 'NODE', of: ([name]) => name },
      { head: 'STATE', of: ([, r]) => r.state },
      { head: 'RESULT', of: ([, r]) => said(r) },
    ],
    rows,
    headers,
  );
}

const POLL_MS = 250;

const over = (task: CommandTask): boolean =>
  task.endedAt !== null || Object.values(task.results).every((r) => isSettled(r.state));

/** Until it is over, or the time is. @param each called with every state it is seen in */
async function followed(
  { api, io }: CtlRun,
  first: CommandTask,
  waitMs: number | null,
  each: (task: CommandTask) => void,
): Promise<CommandTask> {
  const until = waitMs === null ? Number.POSITIVE_INFINITY : io.now() + waitMs;
  let task = first;
  each(task);
  while (!over(task) && io.now() < until) {
    await io.sleep(POLL_MS);
    task = await api.getCommand(task.id);
    each(task);
  }
  return task;
}

function tally(task: CommandTask): string {
  const all = Object.values(task.results);
  const settled = all.filter((r) => isSettled(r.state));
  const wrong = settled.filter((r) => r.state !== 'succeeded').length;
  return `${task.type} ${task.id}: ${settled.length} of ${all.length}${wrong > 0 ? `, ${wrong} failed` : ''}`;
}

interface OrderFlags extends MutationFlags {
  readonly wait?: boolean;
  readonly watch?: boolean;
  readonly timeout?: number;
  readonly expires?: number;
  readonly dryRun?: boolean;
  readonly maxParallel?: number;
  readonly confirm?: string;
  readonly deadline?: number;
  readonly lines?: number;
  readonly service?: string;
  readonly hard?: boolean;
}

function optionsOf(f: OrderFlags): CommandOptions {
  return {
    ...(f.deadline === undefined ? {} : { deadlineMs: f.deadline }),
    ...(f.lines === undefined ? {} : { lines: f.lines }),
    ...(f.service === undefined ? {} : { service: f.service }),
    ...(f.hard === true ? { hard: true } : {}),
  };
}

/** Those that end streams, now or when their time is over. */
const CUTS: Readonly<Partial<Record<CommandType, string>>> = {
  restart: 'cuts streams that do not end in time',
  stop: 'stops the engine: its streams are cut when their time is over, new ones refused',
  drain: 'takes no new streams any more; nodes undrain takes it back',
};

async function order(
  run: CtlRun,
  type: CommandType,
  given: readonly string[],
  flags: OrderFlags,
): Promise<void> {
  const { io, api } = run;
  const args = {
    type,
    target: targetOfWords(given),
    timeoutMs: flags.timeout ?? null,
    expiresMs: flags.expires ?? null,
    maxParallel: flags.maxParallel ?? null,
    options: optionsOf(flags),
  };
  const m = mutation(flags, '');
  const dryRun = flags.dryRun === true;
  const would = await api.runCommand({ reason: m.reason }, { ...args, dryRun: true });
  if (dryRun) {
    if (showData(run, { nodes: would.nodes, offline: would.offline, dryRun })) return;
    if (run.form === 'name') return io.out(would.nodes.map((n) => `${n}\n`).join(''));
    return line(io, `would ${type} ${count(would.nodes.length, 'node')}: ${would.nodes.join(', ')}`);
  }
  const regions = await regionsOf(run, would.nodes);
  await confirmReach(run, {
    what: type,
    nodes: would.nodes.length,
    regions,
    streams: null,
    given: flags.confirm,
  });
  const cuts = flags.hard === true ? 'restarts the whole engine: its streams are cut' : CUTS[type];
  if (cuts !== undefined && regions.length < 2)
    await confirm(run, `${type} ${would.nodes.join(', ')}: ${cuts}`);
  const taken = await api.runCommand(m, { ...args, dryRun });
  if (flags.wait !== true && flags.watch !== true) {
    return showDone(
      run,
      taken,
      taken.command.id,
      `${taken.command.id}: ${type} of ${count(taken.nodes.length, 'node')} is queued; --wait shows the results`,
    );
  }
  const waitMs = taken.command.timeoutMs + 10_000 + (flags.deadline ?? 0);
  const task = await watched(run, taken.command, waitMs, flags.watch === true);
  if (!showData(run, { command: task, nodes: taken.nodes })) {
    if (run.form === 'name') line(io, task.id);
    else if (flags.watch !== true) io.out(results(task, run.headers));
  }
  conclude(run, task);
}

/** Node by node as they come, or one line of progress. */
async function watched(
  run: CtlRun,
  first: CommandTask,
  waitMs: number | null,
  nodeByNode: boolean,
): Promise<CommandTask> {
  const { io } = run;
  const said_ = new Map<string, string>();
  const bar = progress(run);
  const task = await followed(run, first, waitMs, (now) => {
    if (!nodeByNode || run.form === 'json' || run.form === 'yaml') return bar.say(tally(now));
    for (const [name, r] of Object.entries(now.results)) {
      if (said_.get(name) === r.state) continue;
      said_.set(name, r.state);
      bar.end();
      line(io, `${moment(io.now())} ${name} ${r.state}${isSettled(r.state) ? ` ${said(r)}` : ''}`);
    }
    bar.say(tally(now));
  }).finally(() => bar.end());
  return task;
}

function conclude({ io }: CtlRun, task: CommandTask): void {
  const all = Object.values(task.results);
  const open = all.filter((r) => !isSettled(r.state)).length;
  if (open > 0) io.err(`${open} nodes have not answered; ${task.id} goes on on the master\n`);
  if (all.some((r) => r.state !== 'succeeded')) throw new CtlExit(EXIT.refused);
}

function takes(command: Command, types: readonly CommandType[]): Command {
  const any = (o: keyof CommandOptions) => types.some((t) => COMMAND_OPTIONS[t].includes(o));
  command
    .option('--wait', 'until every node has answered; any failure ends with 1')
    .option('-w, --watch', 'as --wait, node by node as it comes')
    .option('--timeout <duration>', 'how long a node may take', duration)
    .option('--expires <duration>', 'nodes that are away get it when they come, so long', duration)
    .option('--max-parallel <n>', 'so many nodes at a time', whole)
    .option('--dry-run', 'say who is hit, change nothing');
  if (any('deadlineMs'))
    command.option('--deadline <duration>', 'streams that are left then are cut', duration);
  if (any('lines')) command.option('--lines <n>', 'logs: how many', whole);
  if (any('service')) command.option('--service <name>', 'drain, undrain: this service alone');
  if (any('hard')) command.option('--hard', 'restart: the whole engine at once; its streams are cut');
  return reaches(mutates(command));
}

const WORDS: Readonly<Partial<Record<CommandType, string>>> = {
  reload: 'reads the config again on the nodes meant; streams are kept',
  restart: 'another engine process on the nodes meant; streams get until --deadline',
  stop: 'stops the engine of the nodes meant',
  start: 'starts the engine of the nodes meant',
  status: 'asks the engines of the nodes meant how they are',
  drain: 'no new streams on the nodes meant; those that run go on',
  undrain: 'new streams again',
};
const TARGET_HELP = 'node names, region=hk, type=edge, label=value, or all';

/** `reload hk-1`, `nodes drain hk-1`: the orders a person types often. */
export function orderCommands(program: Command, ctl: Ctl): void {
  const nodes = program.commands.find((c) => c.name() === 'nodes');
  for (const type of COMMAND_TYPES) {
    const words = WORDS[type];
    if (words === undefined) continue;
    for (const parent of type === 'drain' || type === 'undrain' ? [program, nodes] : [program]) {
      if (parent === undefined) throw new Error('nodes comes first');
      takes(parent.command(type).description(words).argument('<target...>', TARGET_HELP), [type]).action(
        (given: readonly string[], flags: OrderFlags) => ctl.run((run) => order(run, type, given, flags)),
      );
    }
  }
}

const STATES = [
  'queued',
  'running',
  'succeeded',
  'partial',
  'failed',
  'timed_out',
  'cancelled',
] as const satisfies readonly TaskState[];

/** Commands as things: run, list, show, cancel. */
export function taskCommands(program: Command, ctl: Ctl): void {
  const commands = noun(program, 'command', 'commands').description(
    'what nodes were told to do, and what came of it',
  );

  takes(
    commands
      .command('run')
      .description('tells the nodes meant to do it')
      .argument('<type>', COMMAND_TYPES.filter((t) => !isReserved(t)).join(', '), (text) => {
        const found = COMMAND_TYPES.find((t) => t === text);
        if (found === undefined) throw new InvalidArgumentError(`one of ${COMMAND_TYPES.join(', ')}.`);
        return found;
      })
      .argument('<target...>', TARGET_HELP),
    COMMAND_TYPES,
  ).action((type: CommandType, given: readonly string[], flags: OrderFlags) =>
    ctl.run((run) => order(run, type, given, flags)),
  );

  watches(
    commands
      .command('list')
      .description('newest first')
      .addOption(new Option('--state <state>', 'only these').choices([...STATES]))
      .addOption(new Option('--type <type>', 'only these').choices([...COMMAND_TYPES]))
      .option('--limit <n>', 'how many', whole, 50)
      .option('--before <id>', 'older than this one'),
  ).action(
    (flags: { state?: TaskState; type?: CommandType; limit: number; before?: string; watch?: boolean }) =>
      ctl.run((run) =>
        list(run, flags.watch, async () => {
          const page = await run.api.listCommands({
            ...(flags.state === undefined ? {} : { state: flags.state }),
            ...(flags.type === undefined ? {} : { type: flags.type }),
            limit: flags.limit,
            before: flags.before ?? null,
          });
          return {
            rows: page.commands,
            data: page,
            name: (t) => t.id,
            empty: 'no command fits',
            columns: [
              { head: 'ID', of: (t) => t.id },
              { head: 'TYPE', of: (t) => t.type },
              { head: 'ON', of: (t) => formatTarget(t.target) },
              { head: 'STATE', of: (t) => t.state },
              { head: 'NODES', of: (t) => `${Object.keys(t.results).length}`, right: true },
              { head: 'AGE', of: (t) => since(run.io.now(), t.createdAt), right: true },
              { head: 'BY', of: (t) => t.createdBy },
              { head: 'REASON', of: (t) => t.reason },
            ],
          };
        }),
      ),
  );

  watches(commands.command('show').description('one command, node by node').argument('<id>')).action(
    (id: string, flags: { watch?: boolean }) =>
      ctl.run(async (run) => {
        const first = await run.api.getCommand(id as CommandId);
        const task = flags.watch === true ? await watched(run, first, null, true) : first;
        if (showData(run, { command: task })) return;
        if (run.form === 'name') return line(run.io, task.id);
        if (flags.watch === true) return line(run.io, `${task.type} ${task.state}`);
        const took =
          task.endedAt === null
            ? ''
            : `, took ${formatDuration(Math.max(1_000, task.endedAt - task.createdAt))}`;
        line(
          run.io,
          `${task.id}  ${task.type} ${formatTarget(task.target)}  ${task.state}  by ${task.createdBy} ${moment(task.createdAt)}${took}`,
        );
        if (task.reason !== '') line(run.io, `  reason  ${task.reason}`);
        run.io.out(results(task, run.headers));
      }),
  );

  mutates(
    commands
      .command('cancel')
      .description('who has not got it will not get it; who has is told to stop')
      .argument('<id>'),
    { ifRevision: true },
  ).action((id: string, flags: MutationFlags) =>
    ctl.run(async (run) => {
      const done = await run.api.cancelCommand(mutation(flags, 'commands cancel'), id as CommandId);
      showDone(run, done, id, `${id} is taken back: ${done.command.state}`);
    }),
  );
}
