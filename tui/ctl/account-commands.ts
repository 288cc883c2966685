import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { ACTIONS, type Action, ROLES, type Role } from '../../proto/vocab/can.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { whereOf } from '../client/place.ts';
import { confirm } from './confirm.ts';
import { type Ctl, type CtlRun, noun } from './ctl.ts';
import { type MutationFlags, mutates, mutation, watches } from './flags.ts';
import type { CtlIo } from './io.ts';
import { count, line, moment, showData, showDone, since } from './output.ts';
import { newPassword, passwordOf } from './passwords.ts';
import { duration, many } from './target.ts';
import { list } from './watching.ts';

// Who you are to a master: login, logout, whoami, the first admin; other people, and keys of machines.

async function nameOf(io: CtlIo, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  if (io.ask === null)
    throw new AppError('precondition', 'no user is named, and nobody is here to ask: --user NAME');
  return (await io.ask('user: ')).trim();
}

export function accountCommands(program: Command, ctl: Ctl): void {
  program
    .command('login')
    .description('log in to the master of the context; the login is kept 0600, and renewed by itself')
    .option('--user <name>', 'who; otherwise the user of the context, or it asks')
    .option('--password-stdin', 'the password is the first line of stdin')
    .action((flags: { user?: string; passwordStdin?: boolean }) =>
      ctl.run(async (run) => {
        const { io, api, master } = run;
        const name = await nameOf(io, flags.user ?? master.user);
        const password = await passwordOf(
          io,
          flags.passwordStdin,
          `password of ${name} at ${whereOf(master)}: `,
        );
        const session = await api.login({ name, password });
        if (showData(run, { caller: session.caller, refreshExpiresAt: session.refreshExpiresAt })) return;
        line(
          io,
          `${session.caller.actor}, ${session.caller.role}, until ${moment(session.refreshExpiresAt)} without use`,
        );
      }),
    );

  program
    .command('logout')
    .description('end the login: here, and on the master')
    .action(() =>
      ctl.run(async (run) => {
        await run.api.logout();
        showDone(run, { loggedOut: true }, '', 'logged out');
      }),
    );

  program
    .command('whoami')
    .description('who you are to the master, and what you may')
    .action(() =>
      ctl.run(async (run) => {
        const caller = await run.api.whoAmI();
        if (caller === null)
          throw new AppError('unauthenticated', `nobody is logged in at ${whereOf(run.master)}`);
        if (showData(run, caller)) return;
        if (run.form === 'name') return line(run.io, caller.actor);
        const scopes = caller.scopes === undefined ? '' : `, only ${caller.scopes.join(', ') || 'nothing'}`;
        line(run.io, `${caller.actor}, ${caller.role}${scopes}`);
      }),
    );

  program
    .command('bootstrap')
    .description('make the first admin with the one-time code in the log of the first start')
    .option('--user <name>', 'the name of the first admin; otherwise it asks')
    .option('--code <code>', 'the one-time code; otherwise it asks')
    .option('--password-stdin', 'the password is the first line of stdin')
    .action((flags: { user?: string; code?: string; passwordStdin?: boolean }) =>
      ctl.run(async (run) => {
        const { io, api, master } = run;
        if (flags.code === undefined && io.ask === null)
          throw new AppError('precondition', 'no code is given, and nobody is here to ask: --code CODE');
        const code = flags.code ?? (await io.ask?.('one-time code: ')) ?? '';
        const name = await nameOf(io, flags.user ?? master.user);
        const password = await newPassword(io, flags.passwordStdin, `password for ${name}`);
        const session = await api.bootstrap({ code: code.trim(), name, password });
        showDone(run, { caller: session.caller }, name, `${name} is the first admin, and logged in`);
      }),
    );

  mutates(
    program
      .command('passwd')
      .description('another password for yourself; ends all of your logins')
      .option('--password-stdin', 'the old and the new password are two lines of stdin'),
  ).action((flags: MutationFlags & { passwordStdin?: boolean }) =>
    ctl.run(async (run) => {
      const { io, api } = run;
      const [oldPassword, fresh] = await bothPasswords(io, flags.passwordStdin);
      const done = await api.changePassword(mutation(flags, 'passwd'), { oldPassword, newPassword: fresh });
      showDone(run, done, '', 'the password is changed; log in anew');
    }),
  );
}

async function bothPasswords(io: CtlIo, stdin: boolean | undefined): Promise<readonly [string, string]> {
  if (stdin === true) {
    const [before = '', after = ''] = new TextDecoder().decode(await io.read('-')).split(/\r?\n/);
    return [before, after];
  }
  const before = await passwordOf(io, false, 'old password: ');
  return [before, await newPassword(io, false, 'new password')];
}

const role = (): Option => new Option('--role <role>', 'what they may').choices([...ROLES]);

export function userCommands(program: Command, ctl: Ctl): void {
  const users = noun(program, 'user', 'users').description('people who log in');

  watches(users.command('list').description('everybody who may log in')).action(
    (flags: { watch?: boolean }) =>
      ctl.run((run) =>
        list(run, flags.watch, async () => {
          const all = await run.api.listUsers();
          return {
            rows: all,
            data: { users: all },
            name: (u) => u.name,
            empty: 'nobody yet: aicdnctl users create NAME --role operator',
            columns: [
              { head: 'NAME', of: (u) => u.name },
              { head: 'ROLE', of: (u) => u.role },
              { head: 'STATE', of: (u) => (u.disabled ? 'disabled' : 'active') },
              { head: 'LAST LOGIN', of: (u) => moment(u.lastLoginAt) },
              { head: 'MADE BY', of: (u) => u.createdBy },
              { head: 'AGE', of: (u) => since(run.io.now(), u.createdAt), right: true },
              { head: 'REVISION', of: (u) => `${u.modRevision}`, right: true, wide: true },
            ],
          };
        }),
      ),
  );

  mutates(
    users
      .command('create')
      .description('somebody who may log in')
      .argument('<name>', 'a-z, 0-9, -, _ and ., a letter first')
      .addOption(role().makeOptionMandatory())
      .option('--password-stdin', 'the password is the first line of stdin'),
  ).action((name: string, flags: MutationFlags & { role: Role; passwordStdin?: boolean }) =>
    ctl.run(async (run) => {
      const password = await newPassword(run.io, flags.passwordStdin, `password for ${name}`);
      const done = await run.api.createUser(mutation(flags, 'users create'), {
        name,
        role: flags.role,
        password,
      });
      showDone(run, done, name, `${name} may log in, as ${done.user.role}`);
    }),
  );

  mutates(
    users
      .command('update')
      .description('another role or password; --disable ends every login of theirs')
      .argument('<name>')
      .addOption(role())
      .option('--disable', 'may not log in any more')
      .option('--enable', 'may log in again')
      .option('--password', 'asks for another password')
      .option('--password-stdin', 'another password, the first line of stdin'),
    { ifRevision: true },
  ).action(
    (
      name: string,
      flags: MutationFlags & {
        role?: Role;
        disable?: boolean;
        enable?: boolean;
        password?: boolean;
        passwordStdin?: boolean;
      },
    ) => {
      const wantsPassword = flags.password === true || flags.passwordStdin === true;
      if (flags.disable === true && flags.enable === true)
        throw new InvalidArgumentError('--disable or --enable, not both.');
      const disabled = flags.disable === true ? true : flags.enable === true ? false : undefined;
      if (!wantsPassword && flags.role === undefined && disabled === undefined)
        throw new InvalidArgumentError('nothing to change: --role, --disable, --enable or --password.');
      return ctl.run(async (run) => {
        const password = wantsPassword
          ? { password: await newPassword(run.io, flags.passwordStdin, `password for ${name}`) }
          : {};
        const done = await run.api.updateUser(mutation(flags, 'users update'), {
          name,
          ...password,
          ...(flags.role === undefined ? {} : { role: flags.role }),
          ...(disabled === undefined ? {} : { disabled }),
        });
        showDone(run, done, name, `${name} is ${done.user.role}${done.user.disabled ? ', disabled' : ''}`);
      });
    },
  );

  mutates(users.command('remove').description('nobody of this name any more').argument('<name>'), {
    ifRevision: true,
  }).action((name: string, flags: MutationFlags) =>
    ctl.run(async (run) => {
      await confirm(run, `remove the user ${name}, and end every login of theirs`);
      const done = await run.api.removeUser(mutation(flags, 'users remove'), name);
      showDone(run, done, name, `${name} is removed`);
    }),
  );
}

function action(text: string): Action {
  const found = ACTIONS.find((a) => a === text);
  if (found === undefined) throw new InvalidArgumentError(`one of ${ACTIONS.join(', ')}.`);
  return found;
}

export function apiKeyCommands(program: Command, ctl: Ctl): void {
  const keys = noun(program, 'api-key', 'api-keys').description('keys for machines: AICDN_API_KEY');

  watches(keys.command('list').description('every key; never its secret')).action(
    (flags: { watch?: boolean }) => ctl.run((run) => list(run, flags.watch, () => keyListing(run))),
  );

  mutates(
    keys
      .command('create')
      .description('a key for a machine; its secret is shown here and nowhere again')
      .argument('<name>', 'what it is for')
      .addOption(role().makeOptionMandatory())
      .option('--scope <action>', 'only this, of what the role may; may be given again', many(action))
      .option('--ttl <duration>', 'how long it works; 90 days when not given', duration),
  ).action((name: string, flags: MutationFlags & { role: Role; scope?: readonly Action[]; ttl?: number }) =>
    ctl.run(async (run) => {
      const made = await run.api.createApiKey(mutation(flags, 'api-keys create'), {
        name,
        role: flags.role,
        scopes: flags.scope ?? null,
        ttlMs: flags.ttl ?? null,
      });
      if (showData(run, made)) return;
      line(run.io, made.secret);
      run.io.err(
        `key ${made.key.id} of ${name}, ${made.key.role}, until ${moment(made.key.expiresAt)}; use it as AICDN_API_KEY\n`,
      );
    }),
  );

  mutates(keys.command('revoke').description('it works no more').argument('<id>', 'its id, as in the list'), {
    ifRevision: true,
  }).action((id: string, flags: MutationFlags) =>
    ctl.run(async (run) => {
      await confirm(run, `revoke the key ${id}: what uses it is refused at once`);
      const done = await run.api.revokeApiKey(mutation(flags, 'api-keys revoke'), id);
      showDone(run, done, id, `key ${id} is revoked`);
    }),
  );
}

async function keyListing({ api, io }: CtlRun) {
  const all = await api.listApiKeys();
  const now = io.now();
  return {
    rows: all,
    data: { apiKeys: all },
    name: (k: (typeof all)[number]) => k.id,
    empty: 'no key yet: aicdnctl api-keys create NAME --role viewer --scope metrics.read',
    columns: [
      { head: 'ID', of: (k: (typeof all)[number]) => k.id },
      { head: 'NAME', of: (k: (typeof all)[number]) => k.name },
      { head: 'ROLE', of: (k: (typeof all)[number]) => k.role },
      {
        head: 'SCOPES',
        of: (k: (typeof all)[number]) =>
          k.scopes === null
            ? 'all of the role'
            : k.scopes.length > 3
              ? count(k.scopes.length, 'action')
              : k.scopes.join(','),
      },
      {
        head: 'STATE',
        of: (k: (typeof all)[number]) =>
          k.revokedAt !== null ? 'revoked' : k.expiresAt <= now ? 'expired' : 'active',
      },
      { head: 'EXPIRES', of: (k: (typeof all)[number]) => moment(k.expiresAt) },
      { head: 'LAST USED', of: (k: (typeof all)[number]) => moment(k.lastUsedAt) },
      { head: 'MADE BY', of: (k: (typeof all)[number]) => k.createdBy, wide: true },
    ],
  };
}
