import type { Command } from 'commander';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { NodeType } from '../../proto/vocab/node.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import type { Ctl } from './ctl.ts';
import { json, line, since, table } from './output.ts';
import {
  formatTarget,
  labels,
  many,
  nodeName,
  nodeType,
  type TargetFlags,
  targetOf,
  word,
} from './target.ts';

function withTarget(command: Command): Command {
  return command
    .option('--type <type>', 'nodes of this type: edge or core', nodeType)
    .option('--region <region>', 'nodes of this region; may be given again', many(word))
    .option('--node <name>', 'this node; may be given again', many(nodeName))
    .option('--label-selector <k=v>', 'nodes with this label; may be given again', labels);
}

interface PublishFlags extends TargetFlags {
  readonly dryRun?: boolean;
  readonly reason?: string;
}

function hits(nodes: readonly NodeName[]): string {
  if (nodes.length === 0) return 'no node yet';
  const some = nodes.slice(0, 10).join(', ');
  return `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}: ${some}${nodes.length > 10 ? ', …' : ''}`;
}

function newest(v: ConfigVersion): string {
  const p = v.publications.at(-1);
  return p === undefined ? 'not published' : formatTarget(p.target);
}

export function configCommands(program: Command, ctl: Ctl): void {
  const config = program.command('config').description('config versions: make, publish, take back');

  config
    .command('create')
    .description('a new version from a tunnel document; refused whole when anything in it is wrong')
    .argument('<file>', 'the document; - is stdin')
    .option('--label <label>', 'its label; the next vN when not given')
    .option('--description <text>', 'what it is for', '')
    .option('--parent <label>', 'the version it comes from')
    .action((file: string, flags: { label?: string; description: string; parent?: string }) =>
      ctl.run(async ({ io, api, form, about }) => {
        const body = await io.read(file).catch((e: unknown) => {
          throw new AppError('not_found', e instanceof Error ? e.message : String(e));
        });
        about({ path: file === '-' ? '<stdin>' : file, text: new TextDecoder().decode(body) });
        const made = await api.createConfig(
          { reason: flags.description },
          { label: flags.label ?? null, description: flags.description, body, parent: flags.parent ?? null },
        );
        if (form === 'json') return json(io, made);
        line(
          io,
          `${made.version.label} is made, ${made.version.bodyHash.slice(0, 12)}; it is on no node until it is published:`,
        );
        line(io, `  aicdnctl config publish ${made.version.label} --type ${'edge' satisfies NodeType}`);
      }),
    );

  withTarget(
    config
      .command('publish')
      .description('hands a version to the nodes meant; without a target, to everybody')
      .argument('<label>')
      .option('--dry-run', 'say who would get it, change nothing')
      .option('--reason <text>', 'kept in the audit log', ''),
  ).action((label: string, flags: PublishFlags) =>
    ctl.run(async ({ io, api, form }) => {
      const dryRun = flags.dryRun === true;
      const done = await api.publish(
        { reason: flags.reason ?? '' },
        { label, target: targetOf(flags), dryRun },
      );
      if (form === 'json') return json(io, { ...done, dryRun });
      line(
        io,
        dryRun ? `${label} would go to ${hits(done.nodes)}` : `${label} is published to ${hits(done.nodes)}`,
      );
    }),
  );

  withTarget(
    config
      .command('rollback')
      .description('a new version with the content before this one, published where it was')
      .argument('<label>', 'the version to take back')
      .requiredOption('--reason <text>', 'why; kept in the audit log')
      .option('--dry-run', 'say who is hit, change nothing'),
  ).action((label: string, flags: PublishFlags) =>
    ctl.run(async ({ io, api, form }) => {
      const target = targetOf(flags);
      const p = await api.previewRollback({ label, target });
      if (flags.dryRun === true) {
        if (form === 'json') return json(io, { ...p, dryRun: true });
        return line(
          io,
          `${p.newLabel} would put back ${p.toLabel} on ${hits(p.nodes)}; ${p.streams} streams on them`,
        );
      }
      const done = await api.rollback(
        { reason: flags.reason ?? '' },
        { label, target, confirmNodes: p.nodes.length },
      );
      if (form === 'json') return json(io, done);
      line(io, `${done.version.label} puts back ${p.toLabel} on ${hits(done.nodes)}`);
    }),
  );

  config
    .command('list')
    .description('every version, newest first')
    .action(() =>
      ctl.run(async ({ io, api, form }) => {
        const versions = [...(await api.listConfigs())].sort(
          (a, b) => b.createdAt - a.createdAt || b.modRevision - a.modRevision,
        );
        if (form === 'json') return json(io, { versions });
        if (versions.length === 0) return io.err('no version yet: aicdnctl config create FILE\n');
        io.out(
          table(
            [
              { head: 'LABEL', of: (v) => v.label },
              { head: 'AGE', of: (v) => since(io.now(), v.createdAt), right: true },
              { head: 'BY', of: (v) => v.createdBy },
              { head: 'PUBLISHED TO', of: newest },
              { head: 'CONTENT', of: (v) => v.bodyHash.slice(0, 12) },
              {
                head: 'DESCRIPTION',
                of: (v) => (v.rollbackOf === null ? v.description : `rolls back to ${v.rollbackOf}`),
              },
            ],
            versions,
          ),
        );
      }),
    );

  config
    .command('show')
    .description('the document of a version as it was written')
    .argument('<label>')
    .action((label: string) =>
      ctl.run(async ({ io, api, form }) => {
        const { version, body } = await api.getConfig(label);
        const text = new TextDecoder().decode(body);
        if (form === 'json') return json(io, { version, body: text });
        // A pipe gets the document byte for byte; a terminal gets nothing that moves its cursor.
        io.out(io.outIsTty ? safeText(text, { max: text.length * 8, newline: 'keep' }) : text);
      }),
    );
}
