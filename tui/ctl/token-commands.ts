import { type Command, Option } from 'commander';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { NodeType } from '../../proto/vocab/node.ts';
import type { TokenView } from '../../proto/vocab/token.ts';
import { type Ctl, noun } from './ctl.ts';
import { type MutationFlags, mutates, mutation, watches } from './flags.ts';
import { line, moment, showData, showDone } from './output.ts';
import { duration, nodeName, nodeType, word } from './target.ts';
import { list } from './watching.ts';

interface TokenFlags extends MutationFlags {
  readonly type: NodeType;
  readonly region: string;
  readonly name?: NodeName;
  readonly replace?: NodeName;
  readonly ttl: number;
}

function stateOf(t: TokenView, now: number): string {
  if (t.usedAt !== null) return `used by ${t.usedBy ?? '?'}`;
  if (t.revokedAt !== null) return 'revoked';
  return t.expiresAt <= now ? 'expired' : 'open';
}

export function tokenCommands(program: Command, ctl: Ctl): void {
  const tokens = noun(program, 'token', 'tokens').description('join tokens');

  mutates(
    tokens
      .command('create')
      .description('a token that lets one node join, once; shown here and nowhere again')
      .requiredOption('--type <type>', 'edge or core', nodeType)
      .requiredOption('--region <region>', 'where the node stands', word)
      .option('--name <name>', 'only for a node of this name', nodeName)
      .option('--replace <name>', 'another host in the place of the node of this name', nodeName)
      .addOption(
        new Option('--ttl <duration>', 'how long it works').argParser(duration).default(30 * 60_000, '30m'),
      ),
  ).action((flags: TokenFlags) =>
    ctl.run(async (run) => {
      const { io, api } = run;
      const made = await api.createToken(mutation(flags, 'token create'), {
        nodeType: flags.type,
        region: flags.region,
        name: flags.replace ?? flags.name ?? null,
        ttlMs: flags.ttl,
        replace: flags.replace !== undefined,
      });
      if (showData(run, made)) return;
      line(io, made.token);
      if (run.form === 'name') return;
      io.err(`works once, until ${new Date(made.expiresAt).toISOString()}; on the node, as root:\n`);
      line(io, made.joinCommand);
    }),
  );

  watches(
    tokens.command('list').description('join tokens that are open; --all shows used and ended ones too'),
  )
    .option('--all', 'used, revoked and expired ones too')
    .action((flags: { watch?: boolean; all?: boolean }) =>
      ctl.run((run) =>
        list(run, flags.watch, async () => {
          const now = run.io.now();
          const rows = (await run.api.listTokens()).filter(
            (t) => flags.all === true || stateOf(t, now) === 'open',
          );
          return {
            rows,
            data: { tokens: rows },
            name: (t) => t.id,
            empty: 'no token is open: aicdnctl tokens create --type edge --region hk',
            columns: [
              { head: 'ID', of: (t) => t.id },
              { head: 'TYPE', of: (t) => t.nodeType },
              { head: 'REGION', of: (t) => t.region },
              {
                head: 'FOR',
                of: (t) => (t.name === null ? 'any name' : `${t.name}${t.replace ? ', replaced' : ''}`),
              },
              { head: 'STATE', of: (t) => stateOf(t, now) },
              { head: 'EXPIRES', of: (t) => moment(t.expiresAt) },
              { head: 'BY', of: (t) => t.createdBy },
            ],
          };
        }),
      ),
    );

  mutates(
    tokens.command('revoke').description('nobody joins with it any more').argument('<id>', 'as in the list'),
    { ifRevision: true },
  ).action((id: string, flags: MutationFlags) =>
    ctl.run(async (run) => {
      const done = await run.api.revokeToken(mutation(flags, 'tokens revoke'), id);
      showDone(run, done, id, `token ${id} is revoked`);
    }),
  );
}
