import type { Command } from 'commander';
import type { ConfigVersion, Target } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { type Ctl, type CtlRun, noun } from './ctl.ts';
import { refusalLines } from './errors.ts';
import { aims, type MutationFlags, mutates, mutation, watches } from './flags.ts';
import { CtlExit, EXIT } from './io.ts';
import { count, line, moment, showData, showDone, since } from './output.ts';
import { formatTarget, nodeName, type TargetFlags, targetOf } from './target.ts';
import { list } from './watching.ts';

// Versions, looked at and made; what hands them to nodes is publish-commands.ts.

function newest(v: ConfigVersion): string {
  const p = v.publications.at(-1);
  return p === undefined ? 'not published' : formatTarget(p.target);
}

function describes(v: ConfigVersion): string {
  return v.rollbackOf === null ? v.description : `rolls back to ${v.rollbackOf}`;
}

async function newestFirst({ api }: CtlRun): Promise<readonly ConfigVersion[]> {
  return [...(await api.listConfigs())].sort(
    (a, b) => b.createdAt - a.createdAt || b.modRevision - a.modRevision,
  );
}

/** The document, and from here on the file that a refusal is about. */
async function documentOf({ io, about }: CtlRun, file: string): Promise<Uint8Array> {
  const body = await io.read(file).catch((e: unknown) => {
    throw new AppError('precondition', e instanceof Error ? e.message : String(e));
  });
  about(sourceOf(file, body));
  return body;
}

function sourceOf(file: string, body: Uint8Array) {
  return { path: file === '-' ? '<stdin>' : file, text: new TextDecoder().decode(body) };
}

/** `null`: nobody is meant. */
function aimedAt(flags: TargetFlags & { readonly all?: boolean }): Target | null {
  const target = targetOf(flags);
  return Object.keys(target).length === 0 && flags.all !== true ? null : target;
}

export function configCommands(program: Command, ctl: Ctl): void {
  const config = noun(program, 'config', 'configs').description(
    'config versions: make, compare, publish, take back',
  );

  mutates(
    config
      .command('create')
      .description('a new version from a tunnel document; refused whole when anything in it is wrong')
      .argument('<file>', 'the document; - is stdin')
      .option('--label <label>', 'its label; the next vN when not given')
      .option('--description <text>', 'what it is for', '')
      .option('--parent <label>', 'the version it comes from'),
  ).action((file: string, flags: MutationFlags & { label?: string; description: string; parent?: string }) =>
    ctl.run(async (run) => {
      const body = await documentOf(run, file);
      const made = await run.api.createConfig(mutation(flags, flags.description), {
        label: flags.label ?? null,
        description: flags.description,
        body,
        parent: flags.parent ?? null,
      });
      const { label, bodyHash } = made.version;
      if (run.form !== 'table' && run.form !== 'wide') return showDone(run, made, label, '');
      line(run.io, `${label} is made, ${bodyHash.slice(0, 12)}; it is on no node until it is published:`);
      line(run.io, `  aicdnctl config publish ${label} --type edge`);
    }),
  );

  aims(
    config
      .command('validate')
      .description('what is wrong with a document, and for which nodes; nothing is stored')
      .argument('<file>', 'the document; - is stdin')
      .option('--all', 'for every node of the fleet'),
  ).action((file: string, flags: TargetFlags & { all?: boolean }) =>
    ctl.run(async (run) => {
      const { io } = run;
      const body = await documentOf(run, file);
      const found = await run.api.validateConfig({ body, target: aimedAt(flags) });
      const bad = found.nodes.filter((n) => n.problems.length > 0);
      const ok = found.problems.length === 0 && bad.length === 0;
      if (!showData(run, { ok, ...found })) {
        const source = sourceOf(file, body);
        const lines = found.problems.flatMap((p) => refusalLines(p, source));
        for (const n of bad)
          lines.push(`on ${n.node}:`, ...n.problems.flatMap((p) => refusalLines(p, source)));
        if (ok)
          line(
            io,
            `nothing is wrong with it${found.nodes.length > 0 ? `, on ${count(found.nodes.length, 'node')}` : ''}`,
          );
        else io.err(`${lines.join('\n')}\n`);
      }
      if (!ok) throw new CtlExit(EXIT.refused);
    }),
  );

  watches(config.command('list').description('every version, newest first')).action(
    (flags: { watch?: boolean }) =>
      ctl.run((run) =>
        list(run, flags.watch, async () => {
          const versions = await newestFirst(run);
          return {
            rows: versions,
            data: { versions },
            name: (v) => v.label,
            empty: 'no version yet: aicdnctl config create FILE',
            columns: [
              { head: 'LABEL', of: (v) => v.label },
              { head: 'AGE', of: (v) => since(run.io.now(), v.createdAt), right: true },
              { head: 'BY', of: (v) => v.createdBy },
              { head: 'PUBLISHED TO', of: newest },
              { head: 'CONTENT', of: (v) => v.bodyHash.slice(0, 12) },
              { head: 'PARENT', of: (v) => v.parent ?? '-', wide: true },
              { head: 'REVISION', of: (v) => `${v.modRevision}`, right: true, wide: true },
              { head: 'DESCRIPTION', of: describes },
            ],
          };
        }),
      ),
  );

  config
    .command('show')
    .description('the document of a version as it was written')
    .argument('<label>')
    .action((label: string) =>
      ctl.run(async (run) => {
        const { io } = run;
        const { version, body } = await run.api.getConfig(label);
        const text = new TextDecoder().decode(body);
        if (showData(run, { version, body: text })) return;
        if (run.form === 'name') return line(io, version.label);
        // A pipe gets the document byte for byte; a terminal gets nothing that moves its cursor.
        io.out(io.outIsTty ? safeText(text, { max: text.length * 8, newline: 'keep' }) : text);
      }),
    );

  config
    .command('diff')
    .description('what differs between two versions; passwords and secrets are not shown')
    .argument('<from>')
    .argument('<to>')
    .option('--node <name>', 'both as rendered for this node', nodeName)
    .action((from: string, to: string, flags: { node?: NodeName }) =>
      ctl.run(async (run) => {
        const d = await run.api.diffConfigs({ from, to, node: flags.node ?? null });
        if (showData(run, d)) return;
        const { io } = run;
        const text = safeText(d.unified, { max: d.unified.length * 8, newline: 'keep' });
        io.out(io.outIsTty && !io.env['NO_COLOR'] ? coloured(text) : text);
        if (d.added + d.removed === 0) io.err('they are the same\n');
      }),
    );

  config
    .command('history')
    .description('what was published where, newest first')
    .argument('[label]', 'only of this version')
    .action((label: string | undefined) =>
      ctl.run(async (run) => {
        const versions = await newestFirst(run);
        if (label !== undefined && !versions.some((v) => v.label === label))
          throw new AppError('not_found', `there is no version ${label}`);
        const rows = versions
          .filter((v) => label === undefined || v.label === label)
          .flatMap((version) => version.publications.map((p) => ({ version, ...p })))
          .sort((a, b) => b.revision - a.revision);
        await list(run, false, async () => ({
          rows,
          data: { publications: rows.map(({ version, ...p }) => ({ label: version.label, ...p })) },
          name: (p) => p.version.label,
          empty: 'nothing was published yet',
          columns: [
            { head: 'AT', of: (p) => moment(p.publishedAt) },
            { head: 'LABEL', of: (p) => p.version.label },
            { head: 'TO', of: (p) => formatTarget(p.target) },
            { head: 'BY', of: (p) => p.publishedBy },
            { head: 'REASON', of: (p) => p.reason || describes(p.version) },
            { head: 'REVISION', of: (p) => `${p.revision}`, right: true, wide: true },
          ],
        }));
      }),
    );
}

/** `+` and `-` as well as colour: whoever sees none reads the signs. */
function coloured(diff: string): string {
  return diff
    .split('\n')
    .map((l) => {
      const code = l.startsWith('@@') ? '2' : l.startsWith('+') ? '36' : l.startsWith('-') ? '91' : null;
      return code === null ? l : `\u001b[${code}m${l}\u001b[0m`;
    })
    .join('\n');
}
