import type { Command } from 'commander';
import { formatRefusal } from '../../proto/vocab/errors.ts';
import type { Node, NodeVitals } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Ctl } from './ctl.ts';
import { type Column, figure, json, line, since, table } from './output.ts';

interface NodeLine {
  readonly node: Node;
  readonly vitals: NodeVitals | null;
}

function columns(now: number, wide: boolean): readonly Column<NodeLine>[] {
  const narrow: Column<NodeLine>[] = [
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
  ];
  if (!wide) return narrow;
  return [
    ...narrow,
    { head: 'TARGET', of: (n) => n.node.target?.version ?? '-' },
    { head: 'DRAIN', of: (n) => n.node.drain },
    { head: 'IDENTITY', of: (n) => n.node.identity },
    {
      head: 'ENGINE',
      of: (n) => (n.node.engine === null ? '-' : `${n.node.engine.kind} ${n.node.engine.version}`),
    },
    { head: 'AGENT', of: (n) => n.node.agentVersion },
    {
      head: 'LABELS',
      of: (n) =>
        Object.entries(n.node.labels)
          .map(([k, v]) => `${k}=${v}`)
          .join(','),
    },
  ];
}

export function nodeCommands(program: Command, ctl: Ctl): void {
  const node = program.command('node').description('the nodes of the fleet');

  node
    .command('list')
    .description('every node, its axes and its figures')
    .action(() =>
      ctl.run(async ({ io, api, form }) => {
        const { nodes, vitals, revision } = await api.listNodes();
        if (form === 'json') return json(io, { revision, nodes, vitals });
        const by = new Map(vitals.map((v) => [v.name, v]));
        const rows = [...nodes]
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((n) => ({ node: n, vitals: by.get(n.name) ?? null }));
        if (rows.length === 0) return io.err('no node has joined yet: aicdnctl token create --help\n');
        io.out(table(columns(io.now(), form === 'wide'), rows));
      }),
    );

  node
    .command('show')
    .description('one node: axes, engine, certificate, commands, log')
    .argument('<name>')
    .action((name: string) =>
      ctl.run(async ({ io, api, form }) => {
        const d = await api.nodeDetail(name);
        if (form === 'json') return json(io, d);
        const n = d.node;
        const now = io.now();
        line(
          io,
          `${n.name}  ${n.nodeType} in ${n.region}  ${d.vitals.status}, seen ${since(now, d.vitals.lastSeen)} ago`,
        );
        line(
          io,
          `  config       ${n.configSync}  runs ${n.effective?.version ?? '-'}  wants ${n.target?.version ?? '-'}`,
        );
        if (n.failure !== null) {
          line(io, `  refused      ${n.failure.phase}: ${formatRefusal(n.failure.refusal)}`);
          for (const l of n.failure.logTail.split('\n').filter((t) => t !== ''))
            line(io, `               ${l}`);
        }
        line(io, `  eligibility  ${n.eligibility}   drain ${n.drain}   identity ${n.identity}`);
        if (n.engine !== null) {
          const e = n.engine;
          line(
            io,
            `  engine       ${e.kind} ${e.version}  pid ${e.pid}  generation ${e.generation}  ${e.reason}`,
          );
          line(io, `  listens      ${e.listeners.map((l) => `${l.addr} ${l.type}`).join('  ') || '-'}`);
        }
        line(io, `  agent        ${n.agentVersion}`);
        if (n.certificate !== null) {
          line(
            io,
            `  certificate  ${n.certificate.serial}, until ${new Date(n.certificate.notAfter).toISOString()}`,
          );
        }
        for (const c of d.commands) {
          const r = Object.entries(c.results).find(([at]) => at === n.name)?.[1];
          line(
            io,
            `  command      ${new Date(c.createdAt).toISOString()}  ${c.type}  ${r?.state ?? c.state}  by ${c.createdBy}`,
          );
        }
        for (const l of d.log.slice(-20)) {
          io.out(
            `  ${new Date(l.at).toISOString()} ${l.level.padEnd(5)} ${safeText(l.text, { max: 500 })}\n`,
          );
        }
      }),
    );
}
