import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NodeName } from '../../proto/vocab/ids.ts';
import {
  type Eligibility,
  NODE_STATUSES,
  type Node,
  type NodeStatus,
  type NodeVitals,
} from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { confirm } from './confirm.ts';
import { type Ctl, type CtlRun, noun } from './ctl.ts';
import { describeNode } from './describe.ts';
import { aims, type MutationFlags, mutates, mutation, watches, whole } from './flags.ts';
import { type Column, count, figure, type Listing, line, showData, showDone, since } from './output.ts';
import { changes, duration, many, nodeName, type TargetFlags } from './target.ts';
import { list } from './watching.ts';

interface NodeLine {
  readonly node: Node;
  readonly vitals: NodeVitals | null;
}

function columns(now: number): readonly Column<NodeLine>[] {
  return [
    { head: 'NAME', of: (n) => n.node.name },
    { head: 'REGION', of: (n) => n.node.region },
    { head: 'TYPE', of: (n) => n.node.nodeType },
    { head: 'STATUS', of: (n) => n.vitals?.status ?? 'unknown' },
    { head: 'SEEN', of: (n) => since(now, n.vitals?.lastSeen ?? null), right: true },
    { head: 'CONFIG', of: (n) => n.node.effective?.version ?? '-' },
    { head: 'SYNC', of: (n) => n.node.configSync },
    { head: 'STREAMS', of: (n) => figure(n.vitals?.streams ?? null), right: true },
    { head: 'TTFT95', of: (n) => figure(n.vitals?.ttft95Ms ?? null), right: true },
    { head: 'P99', of: (n) => figure(n.vitals?.p99Ms ?? null), right: true },
    { head: 'ERR%', of: (n) => figure(n.vitals?.errPct ?? null, 2), right: true },
    { head: 'TARGET', of: (n) => n.node.target?.version ?? '-', wide: true },
    { head: 'DRAIN', of: (n) => n.node.drain, wide: true },
    { head: 'ELIGIBILITY', of: (n) => n.node.eligibility, wide: true },
    { head: 'IDENTITY', of: (n) => n.node.identity, wide: true },
    {
      head: 'ENGINE',
      of: (n) => (n.node.engine === null ? '-' : `${n.node.engine.kind} ${n.node.engine.version}`),
      wide: true,
    },
    { head: 'AGENT', of: (n) => n.node.agentVersion, wide: true },
    {
      head: 'LABELS',
      of: (n) =>
        Object.entries(n.node.labels)
          .map(([k, v]) => `${k}=${v}`)
          .join(','),
      wide: true,
    },
  ];
}

interface ListFlags extends TargetFlags {
  readonly status?: readonly NodeStatus[];
  readonly watch?: boolean;
}

function fits(flags: ListFlags, names: readonly NodeName[], { node, vitals }: NodeLine): boolean {
  const meant = [...names, ...(flags.node ?? [])];
  return (
    (meant.length === 0 || meant.includes(node.name)) &&
    (flags.type === undefined || flags.type === node.nodeType) &&
    (flags.region === undefined || flags.region.includes(node.region)) &&
    (flags.status === undefined || flags.status.includes(vitals?.status ?? 'unknown')) &&
    Object.entries(flags.labelSelector ?? {}).every(([k, v]) => node.labels[k] === v)
  );
}

async function listing(
  { api, io }: CtlRun,
  flags: ListFlags,
  names: readonly NodeName[],
): Promise<Listing<NodeLine>> {
  const { nodes, vitals, revision } = await api.listNodes();
  const by = new Map(vitals.map((v) => [v.name, v]));
  const rows = [...nodes]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((node) => ({ node, vitals: by.get(node.name) ?? null }))
    .filter((n) => fits(flags, names, n));
  return {
    rows,
    data: { revision, nodes: rows.map((r) => r.node), vitals: rows.flatMap((r) => r.vitals ?? []) },
    name: (n) => n.node.name,
    empty:
      nodes.length === 0
        ? 'no node has joined yet: aicdnctl token create --help'
        : `none of ${count(nodes.length, 'node')} fits`,
    columns: columns(io.now()),
  };
}

export function nodeCommands(program: Command, ctl: Ctl): void {
  const nodes = noun(program, 'node', 'nodes').description('the nodes of the fleet');

  watches(
    aims(
      nodes
        .command('list')
        .description('every node, its axes and its figures')
        .argument('[name...]', 'only these', many(nodeName)),
    ).addOption(
      new Option('--status <status>', 'only in this status; may be given again').argParser(
        many((text) => {
          const found = NODE_STATUSES.find((s) => s === text);
          if (found === undefined) throw new InvalidArgumentError(`one of ${NODE_STATUSES.join(', ')}.`);
          return found;
        }),
      ),
    ),
  ).action((names: readonly NodeName[] | undefined, flags: ListFlags) =>
    ctl.run((run) => list(run, flags.watch, () => listing(run, flags, names ?? []))),
  );

  nodes
    .command('show')
    .alias('describe')
    .description('one node: axes, engine, certificate, commands, log')
    .argument('<name>')
    .action((name: string) =>
      ctl.run(async (run) => {
        const d = await run.api.nodeDetail(name);
        if (showData(run, d)) return;
        if (run.form === 'name') return line(run.io, d.node.name);
        describeNode(run.io, d);
      }),
    );

  mutates(
    nodes
      .command('label')
      .description('NAME=VALUE sets a label, NAME- takes it away; configs may aim at labels')
      .argument('<name>')
      .argument('<change...>', 'rack=a3, rack-'),
    { ifRevision: true },
  ).action((name: string, given: readonly string[], flags: MutationFlags) => {
    const labels = changes(given);
    return ctl.run(async (run) => {
      const done = await run.api.updateNode(mutation(flags, 'nodes label'), { name, labels });
      const now = Object.entries(done.node.labels).map(([k, v]) => `${k}=${v}`);
      showDone(run, done, name, `${name}: ${now.join(' ') || 'no label'}`);
    });
  });

  for (const eligibility of ['eligible', 'ineligible'] as const) eligible(nodes, ctl, eligibility);

  mutates(
    nodes
      .command('remove')
      .description(
        'its certificate is revoked and its session ended; its streams go on until its engine stops',
      )
      .argument('<name>')
      .option('--keep', 'stays in the list, as revoked'),
    { ifRevision: true },
  ).action((name: string, flags: MutationFlags & { keep?: boolean }) =>
    ctl.run(async (run) => {
      await confirm(run, `remove ${name}: it needs a new token to come back`);
      const done = await run.api.removeNode(mutation(flags, 'nodes remove'), {
        name,
        keep: flags.keep === true,
      });
      showDone(run, done, name, `${name} is ${flags.keep === true ? 'revoked' : 'removed'}`);
    }),
  );

  logs(nodes, ctl);
  logs(program, ctl);
}

function eligible(nodes: Command, ctl: Ctl, eligibility: Eligibility): void {
  mutates(
    nodes
      .command(eligibility)
      .description(
        eligibility === 'eligible'
          ? 'gets publications again'
          : 'gets no publication until it is eligible again',
      )
      .argument('<name...>', 'which', many(nodeName)),
    { ifRevision: true },
  ).action((names: readonly NodeName[], flags: MutationFlags) =>
    ctl.run(async (run) => {
      const done = [];
      for (const name of names) {
        done.push(await run.api.updateNode(mutation(flags, `nodes ${eligibility}`), { name, eligibility }));
      }
      showDone(
        run,
        { nodes: done.map((d) => d.node) },
        names.join('\n'),
        `${names.join(', ')}: ${eligibility}`,
      );
    }),
  );
}

const FOLLOW_MS = 60 * 60_000;
const TAIL_MS = 5_000;

interface LogFlags {
  readonly follow?: boolean;
  readonly lines: number;
  readonly for?: number;
}

/** As `nodes logs NAME` and as `logs NAME`. */
function logs(parent: Command, ctl: Ctl): void {
  parent
    .command('logs')
    .description("the last lines of a node's log; -f follows it")
    .argument('<name>')
    .option('-f, --follow', 'what comes as well, for an hour or --for')
    .option('-n, --lines <n>', 'how many of what is there', whole, 50)
    .option('--for <duration>', 'with -f: so long', duration)
    .action((name: string, flags: LogFlags) =>
      ctl.run(async (run) => {
        const { io, api } = run;
        const { node } = await api.getNode(name);
        const maxMs = flags.follow === true ? (flags.for ?? FOLLOW_MS) : TAIL_MS;
        await new Promise<void>((resolve) => {
          let left = flags.lines;
          const stream = api.followLogs(
            { node: node.name, lines: flags.lines, maxMs },
            (l) => {
              if (run.form === 'json') io.out(`${JSON.stringify(l)}\n`);
              else
                line(
                  io,
                  `${new Date(l.at).toISOString()} ${l.level.padEnd(5)} ${safeText(l.text, { max: 2_000 })}`,
                );
              left -= 1;
              if (flags.follow === true || left > 0) return;
              stream.close();
              resolve();
            },
            (reason) => {
              if (flags.follow === true) io.err(`${reason}\n`);
              resolve();
            },
          );
        });
      }),
    );
}
