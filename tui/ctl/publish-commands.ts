import type { Command } from 'commander';
import type { BlastRadius, NodeBlast } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { confirm, confirmReach, regionsOf } from './confirm.ts';
import type { Ctl, CtlRun } from './ctl.ts';
import { aims, type MutationFlags, mutates, mutation, reaches } from './flags.ts';
import { count, type Listing, line, show, showData, showDone } from './output.ts';
import { type TargetFlags, targetOf } from './target.ts';

// What hands versions to nodes, and takes them back: who is hit comes first.

interface PublishFlags extends TargetFlags, MutationFlags {
  readonly dryRun?: boolean;
  readonly confirm?: string;
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
      { head: 'CLOSES', of: (n) => n.closes.map((c) => `${c.service} ${c.addr}`).join(', ') || '-' },
      { head: 'WHY', of: (n) => n.why },
    ],
  };
}

function tellBlast({ io }: CtlRun, blast: BlastRadius): void {
  const regions = blast.regions.map((r) => `${r.region} ${r.nodes}`).join(', ');
  const unfit = blast.nodes.filter((n) => n.change === 'unfit').length;
  line(
    io,
    `${blast.toLabel} to ${count(blast.nodes.length, 'node')}${regions === '' ? '' : ` (${regions})`}, ${count(blast.streams, 'live stream')} on them, ${count(blast.listenersClosed, 'listener')} would close${unfit > 0 ? `, ${unfit} cannot run it` : ''}`,
  );
}

export function publishCommands(program: Command, ctl: Ctl): void {
  const config = program.commands.find((c) => c.name() === 'configs');
  if (config === undefined) throw new Error('configs comes first');

  aims(
    config
      .command('preview')
      .description('who would get a version, what would close there, how many streams are on them')
      .argument('<label>'),
  ).action((label: string, flags: TargetFlags) =>
    ctl.run(async (run) => {
      const blast = await run.api.previewPublish({ label, target: targetOf(flags) });
      if (run.form === 'table' || run.form === 'wide') tellBlast(run, blast);
      show(run, blastListing(blast));
    }),
  );

  reaches(
    mutates(
      aims(
        config
          .command('publish')
          .description('hands a version to the nodes meant; without a target, to everybody')
          .argument('<label>')
          .option('--dry-run', 'say who would get it, change nothing'),
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
  const blast = await api.previewPublish({ label, target });
  if (dryRun) {
    const done = await api.publish(mutation(flags, ''), { label, target, dryRun });
    if (showData(run, { ...done, dryRun, blast })) return;
    if (run.form !== 'name') line(io, `${label} would go to ${hits(done.nodes)}`);
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
  const done = await api.publish(mutation(flags, ''), { label, target, dryRun });
  showDone(run, { ...done, dryRun }, label, `${label} is published to ${hits(done.nodes)}`);
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
