import { type Command, Option } from 'commander';
import { type AlertView, isSuppressed } from '../../proto/vocab/alert.ts';
import type { Fingerprint, SilenceId } from '../../proto/vocab/ids.ts';
import { formatMatcher, type Matcher } from '../../proto/vocab/matcher.ts';
import { silenceState } from '../../proto/vocab/silence.ts';
import { confirm } from './confirm.ts';
import { type Ctl, noun } from './ctl.ts';
import { type MutationFlags, mutates, mutation, watches } from './flags.ts';
import { line, showData, showDone, since } from './output.ts';
import { duration, many, matcher } from './target.ts';
import { list } from './watching.ts';

interface SilenceFlags extends MutationFlags {
  readonly comment: string;
  readonly for: number;
  readonly dryRun?: boolean;
}

export function silenceCommands(program: Command, ctl: Ctl): void {
  const silence = noun(program, 'silence', 'silences').description('silences: make, list, end');

  mutates(
    silence
      .command('create')
      .description('silences every alert whose labels match; all matchers must hold')
      .argument('<matcher...>', 'node=hk-1, region=~"hk|sg", alertname!=NodeDown', many(matcher))
      .requiredOption('--comment <text>', 'why; shown to everybody')
      .addOption(new Option('--for <duration>', 'how long').argParser(duration).default(3_600_000, '1h'))
      .option('--dry-run', 'say what it would match, change nothing'),
  ).action((matchers: readonly Matcher[], flags: SilenceFlags) =>
    ctl.run(async (run) => {
      const { io, api } = run;
      const p = await api.previewSilence(matchers);
      if (flags.dryRun === true) {
        if (showData(run, { ...p, dryRun: true })) return;
        return line(
          io,
          `would silence ${p.wouldSilence.length} alerts now, on ${p.nodes.length} of ${p.totalNodes} nodes`,
        );
      }
      if (p.asksTwice) {
        await confirm(
          run,
          `this silences ${p.nodes.length} of ${p.totalNodes} nodes, over half of the fleet`,
        );
      }
      const made = await api.createSilence(mutation(flags, flags.comment), {
        matchers,
        alert: null,
        startsAt: null,
        endsAt: io.now() + flags.for,
        comment: flags.comment,
      });
      const { id, endsAt } = made.silence;
      showDone(run, made, id, `${id} is active until ${new Date(endsAt).toISOString()}`);
    }),
  );

  watches(
    silence
      .command('list')
      .description('active and coming silences; --all shows ended ones too')
      .option('--all', 'ended ones too'),
  ).action((flags: { all?: boolean; watch?: boolean }) =>
    ctl.run((run) =>
      list(run, flags.watch, async () => {
        const now = run.io.now();
        const { silences } = await run.api.listAlerts();
        const rows = silences.filter((s) => flags.all === true || silenceState(s, now) !== 'expired');
        return {
          rows,
          data: { silences: rows.map((s) => ({ ...s, state: silenceState(s, now) })) },
          name: (s) => s.id,
          empty: 'no silence is active',
          columns: [
            { head: 'ID', of: (s) => s.id },
            { head: 'STATE', of: (s) => silenceState(s, now) },
            { head: 'LEFT', of: (s) => (s.endsAt > now ? since(s.endsAt, now) : '-'), right: true },
            { head: 'MATCHERS', of: (s) => s.matchers.map(formatMatcher).join(' ') },
            { head: 'BY', of: (s) => s.createdBy },
            { head: 'COMMENT', of: (s) => s.comment },
          ],
        };
      }),
    ),
  );

  mutates(silence.command('expire').description('ends a silence now').argument('<id>'), {
    ifRevision: true,
  }).action((id: string, flags: MutationFlags) =>
    ctl.run(async (run) => {
      // The master knows whether there is one of this id.
      const done = await run.api.expireSilence(mutation(flags, 'silence expire'), id as SilenceId);
      showDone(run, done, id, `${done.silence.id} has ended`);
    }),
  );
}

function stateOf(a: AlertView, all: readonly AlertView[]): string {
  if (a.state === 'resolved' || !isSuppressed(a)) return a.state;
  const rule = (id: Fingerprint): string => all.find((x) => x.fingerprint === id)?.rule ?? id;
  return `suppressed ${[...a.silencedBy, ...a.inhibitedBy.map(rule)].join(' ')}`;
}

export function alertCommands(program: Command, ctl: Ctl): void {
  watches(
    noun(program, 'alert', 'alerts')
      .description('alerts')
      .command('list')
      .description('firing, pending and suppressed alerts; --all shows resolved ones too')
      .option('--all', 'resolved ones too'),
  ).action((flags: { all?: boolean; watch?: boolean }) =>
    ctl.run((run) =>
      list(run, flags.watch, async () => {
        const { alerts } = await run.api.listAlerts();
        const rows = alerts.filter((a) => flags.all === true || a.state !== 'resolved');
        return {
          rows,
          data: { alerts: rows },
          name: (a) => a.fingerprint,
          empty: 'nothing is firing, pending or suppressed',
          columns: [
            { head: 'ALERT', of: (a) => a.rule },
            { head: 'ON', of: (a) => a.labels['node'] ?? a.labels['region'] ?? '-' },
            { head: 'STATE', of: (a) => stateOf(a, alerts) },
            { head: 'SEVERITY', of: (a) => a.severity },
            {
              head: 'SINCE',
              of: (a) => since(run.io.now(), a.state === 'pending' ? a.pendingAt : a.firingAt),
              right: true,
            },
            { head: 'VALUE', of: (a) => a.value },
            { head: 'FINGERPRINT', of: (a) => a.fingerprint, wide: true },
          ],
        };
      }),
    ),
  );
}
