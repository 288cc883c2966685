import { type Command, Option } from 'commander';
import type { AlertView } from '../../proto/vocab/alert.ts';
import { type CommandResult, type CommandTask, isSettled } from '../../proto/vocab/command.ts';
import type { NodeName, SilenceId } from '../../proto/vocab/ids.ts';
import { formatMatcher, type Matcher } from '../../proto/vocab/matcher.ts';
import type { NodeType } from '../../proto/vocab/node.ts';
import { silenceState } from '../../proto/vocab/silence.ts';
import type { Ctl, CtlRun } from './ctl.ts';
import { CtlExit, EXIT } from './io.ts';
import { json, line, since, table } from './output.ts';
import { duration, many, matcher, nodeName, nodeType, targetOfWords, word } from './target.ts';

export function tokenCommands(program: Command, ctl: Ctl): void {
  program
    .command('token')
    .description('join tokens')
    .command('create')
    .description('a token that lets one node join, once; shown here and nowhere again')
    .requiredOption('--type <type>', 'edge or core', nodeType)
    .requiredOption('--region <region>', 'where the node stands', word)
    .option('--name <name>', 'only for a node of this name', nodeName)
    .addOption(
      new Option('--ttl <duration>', 'how long it works').argParser(duration).default(30 * 60_000, '30m'),
    )
    .action((flags: { type: NodeType; region: string; name?: NodeName; ttl: number }) =>
      ctl.run(async ({ io, api, form }) => {
        const made = await api.createToken(
          { reason: 'token create' },
          {
            nodeType: flags.type,
            region: flags.region,
            name: flags.name ?? null,
            ttlMs: flags.ttl,
            replace: false,
          },
        );
        if (form === 'json') return json(io, made);
        line(io, made.token);
        io.err(`works once, until ${new Date(made.expiresAt).toISOString()}; on the node, as root:\n`);
        line(io, made.joinCommand);
      }),
    );
}

/** `succeeded 1.8 s, generation 4 → 5, unchanged, 12 streams kept` */
function said(r: CommandResult): string {
  if (r.state !== 'succeeded') {
    const tail = r.outputTail.trim().split('\n').at(-1) ?? '';
    return [isSettled(r.state) ? `exit ${r.exitCode}` : '', tail].filter((t) => t !== '').join(': ');
  }
  const took = r.tookMs < 100 ? `${Math.round(r.tookMs)} ms` : `${(r.tookMs / 1000).toFixed(1)} s`;
  const parts = [took];
  if (r.before !== null && r.after !== null) {
    parts.push(`generation ${r.before.generation} → ${r.after.generation}`);
  }
  if (r.unchanged) parts.push('unchanged');
  parts.push(`${r.streamsKept} streams kept`);
  return parts.join(', ');
}

function results(task: CommandTask): string {
  const rows = Object.entries(task.results).sort(([a], [b]) => (a < b ? -1 : 1));
  return table(
    [
      { head: 'NODE', of: ([name]) => name },
      { head: 'STATE', of: ([, r]) => r.state },
      { head: 'RESULT', of: ([, r]) => said(r) },
    ],
    rows,
  );
}

const POLL_MS = 250;

async function settled({ api, io }: CtlRun, first: CommandTask, waitMs: number): Promise<CommandTask> {
  const until = io.now() + waitMs;
  let task = first;
  const over = () => task.endedAt !== null || Object.values(task.results).every((r) => isSettled(r.state));
  while (!over() && io.now() < until) {
    await io.sleep(POLL_MS);
    task = await api.getCommand(task.id);
  }
  return task;
}

export function reloadCommands(program: Command, ctl: Ctl): void {
  program
    .command('reload')
    .description('reads the config again on the nodes meant; streams are kept')
    .argument('<target...>', 'node names, region=hk, type=edge, label=value, or all')
    .option('--wait', 'until every node has answered; any failure ends with 1')
    .option('--timeout <duration>', 'how long a node may take', duration)
    .option('--dry-run', 'say who is hit, change nothing')
    .option('--reason <text>', 'kept in the audit log', '')
    .action(
      (
        given: readonly string[],
        flags: { wait?: boolean; timeout?: number; dryRun?: boolean; reason: string },
      ) => {
        const target = targetOfWords(given);
        return ctl.run(async (run) => {
          const { io, api, form } = run;
          const dryRun = flags.dryRun === true;
          const taken = await api.runCommand(
            { reason: flags.reason },
            {
              type: 'reload',
              target,
              timeoutMs: flags.timeout ?? null,
              expiresMs: null,
              dryRun,
              maxParallel: null,
              options: {},
            },
          );
          if (dryRun) {
            if (form === 'json') return json(io, { nodes: taken.nodes, dryRun });
            return line(io, `would reload ${taken.nodes.length} nodes: ${taken.nodes.join(', ')}`);
          }
          if (flags.wait !== true) {
            if (form === 'json') return json(io, taken);
            return line(
              io,
              `${taken.command.id}: reload of ${taken.nodes.length === 1 ? '1 node' : `${taken.nodes.length} nodes`} is queued; --wait shows the results`,
            );
          }
          const waitMs = (flags.timeout ?? 30_000) + 10_000;
          const task = await settled(run, taken.command, waitMs);
          if (form === 'json') json(io, { command: task, nodes: taken.nodes });
          else io.out(results(task));
          const open = Object.values(task.results).filter((r) => !isSettled(r.state)).length;
          if (open > 0) io.err(`${open} nodes have not answered; ${task.id} goes on on the master\n`);
          const wrong = Object.values(task.results).some((r) => r.state !== 'succeeded');
          if (wrong) throw new CtlExit(EXIT.refused);
        });
      },
    );
}

export function silenceCommands(program: Command, ctl: Ctl): void {
  const silence = program.command('silence').description('silences: make, list, end');

  silence
    .command('create')
    .description('silences every alert whose labels match; all matchers must hold')
    .argument('<matcher...>', 'node=hk-1, region=~"hk|sg", alertname!=NodeDown', many(matcher))
    .requiredOption('--comment <text>', 'why; shown to everybody')
    .addOption(new Option('--for <duration>', 'how long').argParser(duration).default(3_600_000, '1h'))
    .option('--dry-run', 'say what it would match, change nothing')
    .action((matchers: readonly Matcher[], flags: { comment: string; for: number; dryRun?: boolean }) =>
      ctl.run(async ({ io, api, form }) => {
        if (flags.dryRun === true) {
          const p = await api.previewSilence(matchers);
          if (form === 'json') return json(io, { ...p, dryRun: true });
          return line(
            io,
            `would silence ${p.wouldSilence.length} alerts now, on ${p.nodes.length} of ${p.totalNodes} nodes`,
          );
        }
        const made = await api.createSilence(
          { reason: flags.comment },
          {
            matchers,
            alert: null,
            startsAt: null,
            endsAt: io.now() + flags.for,
            comment: flags.comment,
          },
        );
        if (form === 'json') return json(io, made);
        line(io, `${made.silence.id} is active until ${new Date(made.silence.endsAt).toISOString()}`);
      }),
    );

  silence
    .command('list')
    .description('active and coming silences; --all shows ended ones too')
    .option('--all', 'ended ones too')
    .action((flags: { all?: boolean }) =>
      ctl.run(async ({ io, api, form }) => {
        const now = io.now();
        const { silences } = await api.listAlerts();
        const shown = silences.filter((s) => flags.all === true || silenceState(s, now) !== 'expired');
        if (form === 'json')
          return json(io, { silences: shown.map((s) => ({ ...s, state: silenceState(s, now) })) });
        if (shown.length === 0) return io.err('no silence is active\n');
        io.out(
          table(
            [
              { head: 'ID', of: (s) => s.id },
              { head: 'STATE', of: (s) => silenceState(s, now) },
              { head: 'LEFT', of: (s) => (s.endsAt > now ? since(s.endsAt, now) : '-'), right: true },
              { head: 'MATCHERS', of: (s) => s.matchers.map(formatMatcher).join(' ') },
              { head: 'BY', of: (s) => s.createdBy },
              { head: 'COMMENT', of: (s) => s.comment },
            ],
            shown,
          ),
        );
      }),
    );

  silence
    .command('expire')
    .description('ends a silence now')
    .argument('<id>')
    .action((id: string) =>
      ctl.run(async ({ io, api, form }) => {
        // The master knows whether there is one of this id.
        const done = await api.expireSilence({ reason: 'silence expire' }, id as SilenceId);
        if (form === 'json') return json(io, done);
        line(io, `${done.silence.id} has ended`);
      }),
    );
}

function stateOf(a: AlertView): string {
  if (a.state !== 'resolved' && a.silencedBy.length > 0) return `suppressed ${a.silencedBy.join(' ')}`;
  return a.state;
}

export function alertCommands(program: Command, ctl: Ctl): void {
  program
    .command('alert')
    .description('alerts')
    .command('list')
    .description('firing, pending and suppressed alerts; --all shows resolved ones too')
    .option('--all', 'resolved ones too')
    .action((flags: { all?: boolean }) =>
      ctl.run(async ({ io, api, form }) => {
        const { alerts } = await api.listAlerts();
        const shown = alerts.filter((a) => flags.all === true || a.state !== 'resolved');
        if (form === 'json') return json(io, { alerts: shown });
        if (shown.length === 0) return io.err('nothing is firing, pending or suppressed\n');
        io.out(
          table(
            [
              { head: 'ALERT', of: (a) => a.rule },
              { head: 'ON', of: (a) => a.labels['node'] ?? '-' },
              { head: 'STATE', of: stateOf },
              { head: 'SEVERITY', of: (a) => a.severity },
              {
                head: 'SINCE',
                of: (a) => since(io.now(), a.state === 'pending' ? a.pendingAt : a.firingAt),
                right: true,
              },
              { head: 'VALUE', of: (a) => a.value },
            ],
            shown,
          ),
        );
      }),
    );
}
