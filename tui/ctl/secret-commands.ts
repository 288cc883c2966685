import type { Command } from 'commander';
import { AppError } from '../../proto/vocab/errors.ts';
import type { SecretKind, SecretView } from '../../proto/vocab/secret.ts';
import { confirm } from './confirm.ts';
import { type Ctl, type CtlRun, noun } from './ctl.ts';
import { type MutationFlags, mutates, mutation, watches } from './flags.ts';
import { type Column, count, type Listing, moment, showDone, since } from './output.ts';
import { passwordOf } from './passwords.ts';
import { changes, word } from './target.ts';
import { list } from './watching.ts';

// Sealed values: ${secret.NAME} and ${cert.NAME} of configs, and ${region.NAME} beside them.

async function listing({ api, io }: CtlRun, kind: SecretKind): Promise<Listing<SecretView>> {
  const rows = (await api.listSecrets()).filter((s) => s.kind === kind);
  const now = io.now();
  const certificate: readonly Column<SecretView>[] = [
    {
      head: 'EXPIRES',
      of: (s) => (s.notAfter === null ? '-' : s.notAfter <= now ? 'expired' : since(s.notAfter, now)),
      right: true,
    },
    { head: 'NAMES', of: (s) => s.names.join(',') || '-' },
  ];
  return {
    rows,
    data: { secrets: rows },
    name: (s) => s.name,
    empty:
      kind === 'secret'
        ? 'no secret yet: aicdnctl secrets set NAME'
        : 'no certificate yet: aicdnctl certificates set NAME --cert FILE --key FILE',
    columns: [
      { head: 'NAME', of: (s) => s.name },
      { head: 'VERSION', of: (s) => `${s.version}`, right: true },
      ...(kind === 'certificate' ? certificate : []),
      { head: 'USED BY', of: (s) => s.usedBy.join(',') || '-' },
      { head: 'CHANGED', of: (s) => moment(s.updatedAt) },
      { head: 'BY', of: (s) => s.updatedBy },
      { head: 'REVISION', of: (s) => `${s.modRevision}`, right: true, wide: true },
    ],
  };
}

/** list and remove are the same for both kinds. */
function both(group: Command, ctl: Ctl, kind: SecretKind): void {
  watches(group.command('list').description(`every ${kind} by name; never a value`)).action(
    (flags: { watch?: boolean }) => ctl.run((run) => list(run, flags.watch, () => listing(run, kind))),
  );
  mutates(
    group.command('remove').description('refused while a published version uses it').argument('<name>'),
    { ifRevision: true },
  ).action((name: string, flags: MutationFlags) =>
    ctl.run(async (run) => {
      await confirm(run, `remove the ${kind} ${name}: its value is gone`);
      const done = await run.api.removeSecret(mutation(flags, `${kind} remove`), name);
      showDone(run, done, name, `${name} is removed`);
    }),
  );
}

async function textOf({ io }: CtlRun, path: string): Promise<string> {
  const bytes = await io.read(path).catch((e: unknown) => {
    throw new AppError('precondition', e instanceof Error ? e.message : String(e));
  });
  return new TextDecoder().decode(bytes);
}

export function secretCommands(program: Command, ctl: Ctl): void {
  const secrets = noun(program, 'secret', 'secrets').description(`sealed values: \${secret.NAME} of configs`);
  both(secrets, ctl, 'secret');
  mutates(
    secrets
      .command('set')
      .description('a value, sealed on the master and pushed to the nodes that use it; it asks, without echo')
      .argument('<name>')
      .option('--from-file <path>', 'the value is this file, whole; - is stdin'),
    { ifRevision: true },
  ).action((name: string, flags: MutationFlags & { fromFile?: string }) =>
    ctl.run(async (run) => {
      const { io } = run;
      if (flags.fromFile === undefined && io.ask === null)
        throw new AppError(
          'precondition',
          'nobody is here to type the value: --from-file FILE, or - for stdin',
        );
      const value =
        flags.fromFile === undefined
          ? await passwordOf(io, false, `value of ${name}: `)
          : await textOf(run, flags.fromFile);
      const done = await run.api.putSecret(mutation(flags, 'secrets set'), { name, value });
      showDone(
        run,
        done,
        name,
        `${name} is version ${done.secret.version}; used by ${done.secret.usedBy.join(', ') || 'nothing yet'}`,
      );
    }),
  );
}

export function certificateCommands(program: Command, ctl: Ctl): void {
  const certificates = noun(program, 'certificate', 'certificates').description(
    `sealed certificates: \${cert.NAME} of configs`,
  );
  both(certificates, ctl, 'certificate');
  mutates(
    certificates
      .command('set')
      .description('a certificate with its key; nodes that use it swap it without closing a listener')
      .argument('<name>')
      .requiredOption('--cert <file>', 'PEM of the certificate, chain behind it if you like')
      .requiredOption('--key <file>', 'PEM of its key')
      .option('--chain <file>', 'PEM of what stands between it and the root'),
    { ifRevision: true },
  ).action((name: string, flags: MutationFlags & { cert: string; key: string; chain?: string }) =>
    ctl.run(async (run) => {
      const done = await run.api.putCertificate(mutation(flags, 'certificates set'), {
        name,
        certPem: await textOf(run, flags.cert),
        keyPem: await textOf(run, flags.key),
        chainPem: flags.chain === undefined ? null : await textOf(run, flags.chain),
      });
      const { secret } = done;
      showDone(
        run,
        done,
        name,
        `${name} is version ${secret.version}, for ${secret.names.join(', ') || 'no name'}, until ${moment(secret.notAfter)}`,
      );
    }),
  );
}

export function variableCommands(program: Command, ctl: Ctl): void {
  const variables = noun(program, 'variable', 'variables').description(
    `\${region.NAME} of configs, region by region`,
  );

  watches(variables.command('list').description('what is set, region by region')).action(
    (flags: { watch?: boolean }) =>
      ctl.run((run) =>
        list(run, flags.watch, async () => {
          const regions = await run.api.listRegionVariables();
          const rows = regions.flatMap((r) =>
            Object.entries(r.variables).map(([name, value]) => ({
              region: r.region,
              name,
              value,
              by: r.updatedBy,
            })),
          );
          return {
            rows,
            data: { regions },
            name: (v) => `${v.region}.${v.name}`,
            empty: 'none is set: aicdnctl variables set REGION NAME=VALUE',
            columns: [
              { head: 'REGION', of: (v) => v.region },
              { head: 'NAME', of: (v) => v.name },
              { head: 'VALUE', of: (v) => v.value },
              { head: 'BY', of: (v) => v.by },
            ],
          };
        }),
      ),
  );

  mutates(
    variables
      .command('set')
      .description('NAME=VALUE sets, NAME- takes away; nodes whose document changes get the new one')
      .argument('<region>', '', word)
      .argument('<change...>', 'NAME=VALUE or NAME-'),
    { ifRevision: true },
  ).action((region: string, given: readonly string[], flags: MutationFlags) => {
    const set = changes(given);
    return ctl.run(async (run) => {
      const done = await run.api.setRegionVariables(mutation(flags, 'variables set'), {
        region,
        variables: set,
      });
      showDone(
        run,
        done,
        region,
        `${region}: ${count(Object.keys(set).length, 'variable')} changed, ${count(done.nodes.length, 'node')} get another document`,
      );
    });
  });
}
