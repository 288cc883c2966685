import type { Command } from 'commander';
import type { RolloutId } from '../../proto/vocab/ids.ts';
import {
  OVER,
  type RevertPreview,
  type Rollout,
  type RolloutTarget,
  type RolloutVerb,
} from '../../proto/vocab/rollout.ts';
import { confirm, confirmReach } from './confirm.ts';
import { type Ctl, type CtlRun, noun } from './ctl.ts';
import { type MutationFlags, mutates, mutation, reaches, watches, whole } from './flags.ts';
import { count, type Listing, line, moment, showData, showDone, since, table } from './output.ts';
import { follow, stateAndWhy, stateWords, stepWords } from './rollout-following.ts';
import { duration, formatTarget } from './target.ts';
import { list } from './watching.ts';

const MOST_TARGETS = 20_000;

interface ListFlags {
  readonly open?: boolean;
  readonly limit?: number;
  readonly watch?: boolean;
}

interface VerbFlags extends MutationFlags {
  readonly dryRun?: boolean;
  readonly confirm?: string;
  readonly full?: boolean;
}

export interface FollowFlags {
  readonly timeout?: number;
}

function listing(rollouts: readonly Rollout[], now: number): Listing<Rollout> {
  return {
    rows: rollouts,
    data: rollouts,
    name: (r) => r.id,
    empty: 'nothing was published by a rollout yet',
    columns: [
      { head: 'ID', of: (r) => r.id, right: true },
      { head: 'VERSION', of: (r) => r.version },
      { head: 'TARGET', of: (r) => formatTarget(r.target) },
      { head: 'STATE', of: (r) => stateAndWhy(r)[0] },
      { head: 'STEP', of: (r) => `${r.step + 1} of ${r.steps.length}`, right: true },
      { head: 'HEALTHY', of: (r) => `${r.counts.healthy} of ${sum(r)}`, right: true },
      { head: 'FAILED', of: (r) => `${r.counts.failed}`, right: true },
      { head: 'STRATEGY', of: (r) => r.strategy.name, wide: true },
      { head: 'AGE', of: (r) => since(now, r.createdAt), right: true },
      { head: 'BY', of: (r) => r.createdBy },
      { head: 'REASON', of: (r) => r.reason || '-', wide: true },
      { head: 'WHY', of: (r) => stateAndWhy(r)[1] },
    ],
  };
}

function sum(r: Rollout): number {
  return Object.values(r.counts).reduce((n, c) => n + c, 0);
}

function shown({ io, headers }: CtlRun, r: Rollout, targets: readonly RolloutTarget[]): void {
  const of = r.reverts === null ? '' : `, takes back rollout ${r.reverts}`;
  line(io, `rollout ${r.id}  ${r.version} to ${formatTarget(r.target)}  ${stateWords(r)}${of}`);
  line(io, `by ${r.createdBy} ${moment(r.createdAt)}${r.reason === '' ? '' : `: ${r.reason}`}`);
  for (const [i, s] of r.steps.entries()) {
    const note = s.note === '' ? '' : `  ${s.note}`;
    line(io, `  step ${i + 1}  ${count(s.targets, 'node')}  ${stepWords(r, i)}${note}`);
  }
  for (const w of r.waits) line(io, `waits for ${w}`);
  if (r.failuresLeft !== null) line(io, `aborts with ${count(r.failuresLeft, 'more failed node')}`);
  const last = r.readings.at(-1);
  if (last) {
    line(
      io,
      `gate reading ${last.number} at ${moment(last.at)}: ${last.verdict}${last.why === '' ? '' : `, ${last.why}`}`,
    );
    const figure = (n: number | null): string => (n === null ? '-' : n.toFixed(2));
    io.out(
      table(
        [
          { head: 'GATE', of: (g) => g.gate },
          { head: 'REGION', of: (g) => g.region },
          { head: 'CANARY', of: (g) => figure(g.canary), right: true },
          { head: 'STABLE', of: (g) => figure(g.stable), right: true },
          { head: 'CHANGE', of: (g) => figure(g.change), right: true },
          { head: 'LIMIT', of: (g) => `${g.limit}`, right: true },
          { head: 'SAMPLES', of: (g) => `${g.canarySamples}/${g.stableSamples}`, right: true },
          { head: 'VERDICT', of: (g) => g.verdict },
        ],
        last.gates,
        headers,
      ),
    );
    if (last.largest) {
      const { node, gate, region, value, without } = last.largest;
      line(
        io,
        `largest share of ${region} ${gate}: ${node} at ${figure(value)}; without it ${figure(without)}`,
      );
    }
  }
  if (r.nextReadingAt !== null) line(io, `next reading at ${moment(r.nextReadingAt)}`);
  io.out(
    table(
      [
        { head: 'NODE', of: (t) => t.node },
        { head: 'STEP', of: (t) => `${t.step + 1}`, right: true },
        { head: 'STATE', of: (t) => t.state },
        { head: 'SINCE', of: (t) => moment(t.since) },
        { head: 'WHY', of: (t) => t.why || '-' },
      ],
      targets,
      headers,
    ),
  );
}

export function rolloutCommands(program: Command, ctl: Ctl): void {
  const rollouts = noun(program, 'rollout', 'rollouts').description(
    'what takes a published version to its nodes in steps, and takes it back',
  );

  watches(
    rollouts
      .command('list')
      .description('the newest first')
      .option('--open', 'only those that are not over')
      .option('--limit <n>', 'so many at most', whole),
  ).action((flags: ListFlags) =>
    ctl.run((run) =>
      list(run, flags.watch, async () => {
        const { rollouts: all } = await run.api.listRollouts({
          limit: flags.limit ?? 50,
          before: null,
          ...(flags.open === true ? { open: true } : {}),
        });
        return listing(all, run.io.now());
      }),
    ),
  );

  rollouts
    .command('show')
    .description('one of them: its steps, what it waits for, its gates, its nodes (worst first)')
    .argument('<id>')
    .option('--targets <n>', 'so many nodes at most: 50', whole)
    .action((id: string, flags: { targets?: number }) =>
      ctl.run(async (run) => {
        const found = await run.api.getRollout({ id: id as RolloutId, targets: flags.targets ?? 50 });
        if (showData(run, found)) return;
        if (run.form === 'name') return line(run.io, found.rollout.id);
        shown(run, found.rollout, found.targets);
      }),
    );

  rollouts
    .command('watch')
    .description('follow one until it is over; 0 only when it succeeded, 8 otherwise')
    .argument('<id>')
    .option('--timeout <duration>', 'look no longer than this; ends with 8', duration)
    .action((id: string, flags: FollowFlags) =>
      ctl.run(async (run) => {
        const { rollout } = await run.api.getRollout({ id: id as RolloutId, targets: 0 });
        await follow(run, rollout, flags.timeout ?? null);
      }),
    );

  for (const [verb, what] of Object.entries(VERBS) as [Verb, (typeof VERBS)[Verb]][]) {
    const command = rollouts
      .command(verb)
      .description(what)
      .argument('<id>')
      .option('--dry-run', 'say what it would do, change nothing');
    if (verb === 'promote') command.option('--full', 'to the end, past every step, pause and gate (admin)');
    reaches(mutates(command, { ifRevision: true, ...(verb === 'undo' ? { reason: 'wanted' } : {}) })).action(
      (id: string, flags: VerbFlags) =>
        ctl.run((run) => give(run, id as RolloutId, flags.full === true ? 'promote_full' : verb, flags)),
    );
  }

  reaches(
    mutates(
      rollouts
        .command('revert-last')
        .description('the fleet revert: take back the newest publication, whatever state it is in')
        .option('--dry-run', 'say what it would do, change nothing'),
      { ifRevision: true },
    ),
  ).action((flags: VerbFlags) => ctl.run((run) => revertLast(run, flags)));
}

const VERBS = {
  pause: 'nothing more is offered until it is resumed',
  resume: 'it goes on from where it was paused',
  promote: 'its step is over: on with the next one',
  abort: 'it takes back what it has released',
  retry: 'the nodes that failed are asked once more',
  undo: 'what ran before comes back: an abort, or a new version where it had succeeded',
} as const satisfies Partial<Record<RolloutVerb, string>>;
type Verb = keyof typeof VERBS;

/** Nodes that get another version by the verb: what is confirmed. */
function reachedBy(
  verb: RolloutVerb,
  r: Rollout,
  targets: readonly RolloutTarget[],
): readonly RolloutTarget[] {
  switch (verb) {
    case 'promote':
      return targets.filter((t) => !t.released && t.step <= r.step + 1);
    case 'promote_full':
      return targets.filter((t) => !t.released);
    case 'retry':
      return targets.filter((t) => t.state === 'failed');
    case 'abort':
    case 'undo':
      return targets.filter((t) => t.released);
    case 'pause':
    case 'resume':
      return [];
  }
}

/** As the master counts them: a step is so many, whoever they will be. */
function ofNextStep(r: Rollout, targets: readonly RolloutTarget[]): number {
  const released = targets.filter((t) => t.released).length;
  return Math.max(0, (r.steps[r.step + 1]?.targets ?? released) - released);
}

async function give(run: CtlRun, id: RolloutId, verb: RolloutVerb, flags: VerbFlags): Promise<void> {
  const { api, io } = run;
  const { rollout, targets, legal } = await api.getRollout({ id, targets: MOST_TARGETS });
  const hit = reachedBy(verb, rollout, targets);
  const word = verb.replace('_', ' ');
  if (flags.dryRun === true) {
    const own = legal.find((l) => l.verb === verb);
    if (
      showData(run, {
        verb,
        dryRun: true,
        possible: own?.ok ?? false,
        why: own?.why ?? '',
        nodes: hit.map((t) => t.node),
      })
    )
      return;
    return line(
      io,
      own?.ok === true
        ? `would ${word} rollout ${id} of ${rollout.version}: ${count(hit.length, 'node')}`
        : `rollout ${id} cannot ${word}: ${own?.why ?? ''}`,
    );
  }
  const regions = [...new Set(hit.map((t) => t.region))].sort();
  const nodes = verb === 'promote' ? ofNextStep(rollout, targets) : hit.length;
  if (regions.length > 1) {
    await confirmReach(run, {
      what: `${word} rollout ${id} of ${rollout.version}:`,
      nodes,
      regions,
      streams: null,
      given: flags.confirm,
    });
  } else if (verb === 'abort' || verb === 'undo' || verb === 'promote_full') {
    await confirm(run, `${word} rollout ${id} of ${rollout.version}: ${count(hit.length, 'node')}`);
  }
  // Typed, it is what was meant; whom an undo of one that is over reaches is the master's to find out.
  const typed = regions.length > 1 && !OVER.includes(rollout.state.kind);
  const confirmNodes = typed ? nodes : null;
  const done = await api.rolloutVerb(mutation(flags, ''), { id, verb, confirmNodes });
  const made = done.rollout.id === id ? '' : `; rollout ${done.rollout.id} takes it back`;
  showDone(run, done, done.rollout.id, `rollout ${id}: ${word}${made}, it is ${stateWords(done.rollout)}`);
}

async function revertLast(run: CtlRun, flags: VerbFlags): Promise<void> {
  const { api } = run;
  const p = await api.previewRevert();
  if (flags.dryRun === true) {
    if (showData(run, { ...p, dryRun: true })) return;
    return tellRevert(run, p);
  }
  const what = `take back ${p.rollout.version} (rollout ${p.rollout.id}) on`;
  const regions = p.regions.map((r) => r.region);
  if (regions.length > 1) {
    await confirmReach(run, {
      what,
      nodes: p.nodes.length,
      regions,
      streams: p.streams,
      given: flags.confirm,
    });
  } else await confirm(run, `${what} ${count(p.nodes.length, 'node')}, ${count(p.streams, 'live stream')}`);
  const done = await api.revertLast(mutation(flags, ''), {
    // Typed, it is what was meant.
    confirmNodes: regions.length > 1 ? p.nodes.length : null,
  });
  showDone(
    run,
    done,
    done.rollout.id,
    `rollout ${done.rollout.id} is ${stateWords(done.rollout)}; rollouts watch ${done.rollout.id} follows it`,
  );
}

function tellRevert({ io }: CtlRun, p: RevertPreview): void {
  const back = p.toLabel === null ? 'what each node had before' : p.toLabel;
  const as = p.newLabel === null ? '' : ` as ${p.newLabel}`;
  line(io, `would take back ${p.rollout.version}, rollout ${p.rollout.id} (${stateWords(p.rollout)})`);
  line(
    io,
    `puts back ${back}${as} on ${count(p.nodes.length, 'node')}, in ${count(p.batches, 'batch', 'batches')}`,
  );
  for (const r of p.regions)
    line(io, `  ${r.region}  ${count(r.nodes, 'node')}  ${count(r.streams, 'live stream')}`);
  for (const c of p.closes) {
    line(
      io,
      `  closes ${c.service} on ${count(c.nodes, 'node')}: its ${count(c.streams, 'stream')} finish first`,
    );
  }
}
