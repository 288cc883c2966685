import { type Command, Option } from 'commander';
import type { Pace } from '../../proto/link/console-api.ts';
import type { BlastRadius, NodeBlast } from '../../proto/vocab/blast.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { blastLines, checkLines, planLine } from './blast-lines.ts';
import { confirm, confirmReach, regionsOf } from './confirm.ts';
import type { Ctl, CtlRun } from './ctl.ts';
import { aims, type MutationFlags, mutates, mutation, reaches, whole } from './flags.ts';
import { count, type Listing, line, show, showData, showDone } from './output.ts';
import { follow } from './rollout-following.ts';
import { duration, type TargetFlags, targetOf } from './target.ts';

// What hands versions to nodes, and takes them back: who is hit comes first.

interface PaceFlags {
  readonly strategy?: string;
  readonly maxParallel?: number;
  readonly soak?: number;
}

interface PublishFlags extends TargetFlags, MutationFlags, PaceFlags {
  readonly dryRun?: boolean;
  readonly confirm?: string;
  readonly follow?: boolean;
  readonly timeout?: number;
}

function paced(command: Command): Command {
  return command
    .addOption(
      new Option('--strategy <name>', "how it goes to its nodes; the master's own when not given").choices([
        'standard',
        'unattended',
        'quick',
        'at-once',
        'revert',
      ]),
    )
    .option('--max-parallel <n>', 'so many nodes at a time, over the strategy', whole)
    .option('--soak <duration>', 'how long a node must stay healthy, over the strategy', duration);
}

function paceOf(f: PaceFlags): Pace {
  const overrides = {
    ...(f.maxParallel === undefined ? {} : { maxParallel: f.maxParallel }),
    ...(f.soak === undefined ? {} : { minHealthyMs: f.soak }),
  };
  return {
    ...(f.strategy === undefined ? {} : { strategy: f.strategy }),
    ...(Object.keys(overrides).length > 0 ? { overrides } : {}),
  };
}

function hits(nodes: readonly NodeName[]): string {
  if (nodes.length === 0) return 'no node yet';
  const some = nodes.slice(0, 10).join(', ');
  return `${count(nodes.length, 'node')}: ${some}${nodes.length > 10 ? ', …' : ''}`;
}

function blastListing(blast: BlastRadius): Listing<NodeBlast> {
  return {
    rows: blast.nodes,
    data: blast,
    name: (n) => n.name,
    empty: 'no node is meant by this',
    columns: [
      { head: 'NODE', of: (n) => n.name },
      { head: 'REGION', of: (n) => n.region },
      { head: 'TYPE', of: (n) => n.nodeType },
      { head: 'NOW', of: (n) => n.from ?? '-' },
      { head: 'CHANGE', of: (n) => n.change },
      { head: 'STREAMS', of: (n) => `${n.streams}`, right: true },
      {
        head: 'OPENS',
        of: (n) => n.opens.map((o) => `${o.service} ${o.addr}`).join(', ') || '-',
        wide: true,
      },
      { head: 'CLOSES', of: (n) => n.closes.map((c) => `${c.service} ${c.addr}`).join(', ') || '-' },
      { head: 'WHY', of: (n) => n.why },
    ],
  };
}

/** Who is hit and how, what was checked, in which steps; before the list of nodes. */
function tell({ io }: CtlRun, blast: BlastRadius): void {
  for (const text of [...blastLines(blast), ...checkLines(blast), planLine(blast)]) line(io, text);
}

export function publishCommands(program: Command, ctl: Ctl): void {
  const config = program.commands.find((c) => c.name() === 'configs');
  if (config === undefined) throw new Error('configs comes first');

  paced(
    aims(
      config
        .command('preview')
        .description(
          'what publishing a version would do: nodes, streams, listeners, routes, what was checked, steps',
        )
        .argument('<label>'),
    ),
  ).action((label: string, flags: TargetFlags & PaceFlags) =>
    ctl.run(async (run) => {
      const blast = await run.api.previewPublish({ label, target: targetOf(flags), ...paceOf(flags) });
      if (run.form === 'table' || run.form === 'wide') {
        tell(run, blast);
      }
      show(run, blastListing(blast));
    }),
  );

  reaches(
    mutates(
      paced(
        aims(
          config
            .command('publish')
            .description('hands a version to the nodes meant; without a target, to everybody')
            .argument('<label>')
            .option('--dry-run', 'say who would get it, change nothing')
            .option('--follow', 'until its rollout is over; 0 only when it succeeded, 8 otherwise')
            .option('--timeout <duration>', 'with --follow: look no longer than this', duration),
        ),
      ),
      { ifRevision: true },
    ),
  ).action((label: string, flags: PublishFlags) => ctl.run((run) => publish(run, label, flags)));

  reaches(
    mutates(
      aims(
        config
          .command('rollback')
          .description('a new version with the content before this one, published where it was')
          .argument('<label>', 'the version to take back')
          .option('--dry-run', 'say who is hit, change nothing'),
      ),
      { reason: 'wanted', ifRevision: true },
    ),
  ).action((label: string, flags: PublishFlags) => ctl.run((run) => rollback(run, label, flags)));
}

async function publish(run: CtlRun, label: string, flags: PublishFlags): Promise<void> {
  const { io, api } = run;
  const target = targetOf(flags);
  const dryRun = flags.dryRun === true;
  const pace = paceOf(flags);
  const blast = await api.previewPublish({ label, target, ...pace });
  if (dryRun) {
    const done = await api.publish(mutation(flags, ''), { label, target, dryRun, ...pace });
    if (showData(run, { ...done, dryRun, blast })) return;
    if (run.form !== 'name') {
      line(io, `${label} would go to ${hits(done.nodes)}`);
      tell(run, blast);
    }
    return show(run, blastListing(blast));
  }
  const reach = {
    what: `publish ${label} to`,
    nodes: blast.nodes.length,
    regions: blast.regions.map((r) => r.region),
    streams: blast.streams,
    given: flags.confirm,
  };
  if (reach.regions.length < 2 && blast.listenersClosed > 0) {
    await confirm(
      run,
      `${label} closes ${count(blast.listenersClosed, 'listener')} on ${hits(blast.nodes.map((n) => n.name))}`,
    );
  } else await confirmReach(run, reach);
  const done = await api.publish(mutation(flags, ''), { label, target, dryRun, ...pace });
  const { rollout } = done;
  if (flags.follow === true && rollout !== null) {
    if (run.form === 'table' || run.form === 'wide') line(io, `${label} is published to ${hits(done.nodes)}`);
    return follow(run, rollout, flags.timeout ?? null);
  }
  const by = rollout === null ? '' : `; rollout ${rollout.id} (${rollout.strategy.name}) takes it there`;
  showDone(run, { ...done, dryRun }, label, `${label} is published to ${hits(done.nodes)}${by}`);
}

async function rollback(run: CtlRun, label: string, flags: PublishFlags): Promise<void> {
  const { io, api } = run;
  const target = targetOf(flags);
  const p = await api.previewRollback({ label, target });
  if (flags.dryRun === true) {
    if (showData(run, { ...p, dryRun: true })) return;
    return line(
      io,
      `${p.newLabel} would put back ${p.toLabel} on ${hits(p.nodes)}; ${p.streams} streams on them`,
    );
  }
  if (p.nodes.length === 0)
    throw new AppError('precondition', `${label} is on no node: there is nothing to take back`);
  await confirmReach(run, {
    what: `roll back ${label} to ${p.toLabel} on`,
    nodes: p.nodes.length,
    regions: await regionsOf(run, p.nodes),
    streams: p.streams,
    given: flags.confirm,
  });
  const done = await api.rollback(mutation(flags, ''), { label, target, confirmNodes: p.nodes.length });
  showDone(
    run,
    done,
    done.version.label,
    `${done.version.label} puts back ${p.toLabel} on ${hits(done.nodes)}`,
  );
}
