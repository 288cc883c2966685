import type { Command } from 'commander';
import { AppError } from '../../proto/vocab/errors.ts';
import { type Ctl, noun } from './ctl.ts';
import { watches, whole } from './flags.ts';
import { CtlExit, EXIT } from './io.ts';
import { count, moment, showData, showDone } from './output.ts';
import { firstLine, newPassword } from './passwords.ts';
import { list, progress } from './watching.ts';

// What is kept: the audit log, and backups.

interface AuditFlags {
  readonly limit: number;
  readonly before?: number;
  readonly actor?: string;
  readonly action?: string;
  readonly watch?: boolean;
}

export function auditCommands(program: Command, ctl: Ctl): void {
  const audit = program
    .command('audit')
    .description('who did what, on what, from where, and what came of it');

  watches(
    audit
      .command('list')
      .description('newest first')
      .option('--limit <n>', 'how many', whole, 50)
      .option('--before <seq>', 'older than this record', whole)
      .option('--actor <name>', 'only of this one')
      .option('--action <action>', 'only this: login, config.publish, …'),
  ).action((flags: AuditFlags) =>
    ctl.run((run) =>
      list(run, flags.watch, async () => {
        const page = await run.api.listAudit({
          limit: flags.limit,
          before: flags.before ?? null,
          ...(flags.actor === undefined ? {} : { actor: flags.actor }),
          ...(flags.action === undefined ? {} : { action: flags.action }),
        });
        return {
          rows: page.records,
          data: page,
          name: (r) => `${r.seq}`,
          empty: 'no record fits',
          columns: [
            { head: 'SEQ', of: (r) => `${r.seq}`, right: true },
            { head: 'AT', of: (r) => moment(r.at) },
            { head: 'WHO', of: (r) => r.actor },
            { head: 'FROM', of: (r) => r.source },
            { head: 'ACTION', of: (r) => r.action },
            { head: 'ON', of: (r) => r.subject || '-' },
            { head: 'OUTCOME', of: (r) => r.outcome },
            { head: 'REASON', of: (r) => r.reason },
            { head: 'REVISION', of: (r) => `${r.revision ?? '-'}`, right: true, wide: true },
            { head: 'REQUEST', of: (r) => r.requestId || '-', wide: true },
          ],
        };
      }),
    ),
  );

  audit
    .command('verify')
    .description('follow the whole chain on the master; ends with 1 when it was tampered with')
    .action(() =>
      ctl.run(async (run) => {
        const v = await run.api.verifyAudit();
        if (!showData(run, v)) {
          if (v.fault === null) run.io.out(`whole: ${count(v.records, 'record')}, head ${v.head}\n`);
          else
            run.io.err(
              `error: the audit log was tampered with: ${v.fault}\n  do: compare with a backup; aicdn-master audit verify says the same of a stopped master\n`,
            );
        }
        if (!v.ok) throw new CtlExit(EXIT.refused);
      }),
    );
}

const RESTORE = `
A backup goes back with the master stopped, into an empty state_dir:

  aicdn-master restore FILE --config /etc/ai-cdn/master.yml`;

export function backupCommands(program: Command, ctl: Ctl): void {
  const backup = noun(program, 'backup', 'backups')
    .description('an encrypted copy of all that the master knows')
    .addHelpText('after', RESTORE);

  backup
    .command('create')
    .description(
      'state, configs, CA, keys, audit log, consistent at one revision; the master goes on meanwhile',
    )
    .argument('<file>', 'a new file, made 0600')
    .option('--passphrase-file <path>', 'its first line is the passphrase; - is stdin')
    .action((file: string, flags: { passphraseFile?: string }) =>
      ctl.run(async (run) => {
        const { io, api } = run;
        if (flags.passphraseFile === undefined && io.ask === null)
          throw new AppError('precondition', 'nobody is here to type a passphrase: --passphrase-file FILE');
        const passphrase =
          flags.passphraseFile === undefined
            ? await newPassword(io, false, 'passphrase of the backup')
            : await firstLine(io, flags.passphraseFile);
        const line = progress(run);
        async function* counted(parts: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
          let bytes = 0;
          for await (const part of parts) {
            bytes += part.length;
            line.say(`backup: ${(bytes / 1024).toFixed(0)} KiB`);
            yield part;
          }
        }
        const bytes = await io
          .write(file, counted(api.createBackup({ passphrase })))
          .finally(() => line.end());
        showDone(
          run,
          { file, bytes },
          file,
          `${file}, ${bytes} bytes; without its passphrase nobody can read it, you neither`,
        );
      }),
    );

  backup
    .command('restore')
    .description('how a backup goes back: on the host of the master, while it is stopped')
    .argument('[file]')
    .action((file: string | undefined) =>
      ctl.local(() => {
        throw new AppError(
          'unsupported',
          `a running master is not overwritten: on its host, with an empty state_dir, aicdn-master restore ${file ?? 'FILE'} --config /etc/ai-cdn/master.yml`,
        );
      }),
    );
}
