import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import { VERSION } from '../../proto/vocab/version.ts';
import { alertCommands, reloadCommands, silenceCommands, tokenCommands } from './act-commands.ts';
import { configCommands } from './config-commands.ts';
import { report, type Source } from './errors.ts';
import { CtlExit, type CtlIo, EXIT, type OutputForm } from './io.ts';
import { nodeCommands } from './node-commands.ts';

/** What a command's body works with. */
export interface CtlRun {
  readonly io: CtlIo;
  readonly api: ConsoleApi;
  readonly form: OutputForm;
  /** The file a refusal would be about. */
  readonly about: (source: Source) => void;
}

export interface Ctl {
  /** Connects, runs, closes; a failure is reported and becomes the exit status. */
  run(body: (run: CtlRun) => Promise<void> | void): Promise<void>;
}

export interface CtlSettings {
  /** The socket when no flag names one: environment, the contexts file, the default. @throws AppError */
  readonly socket: (context: string | null) => string;
}

interface GlobalFlags {
  readonly socket?: string;
  readonly context?: string;
  readonly output: OutputForm;
}

const EXITS = `
Exit status:
  0  done
  1  refused by the master, or a node failed; why is on stderr
  2  not a command this program knows
  3  no master answers at the socket

Every command prints one JSON document with -o json.`;

function build(settings: CtlSettings, io: CtlIo, done: (status: number) => void): Command {
  const program = new Command('aicdnctl')
    .description('what the console does, without a screen')
    .version(VERSION)
    .option('--socket <path>', "the master's local socket (or AICDN_SOCKET)")
    .option('--context <name>', 'a fleet of ~/.config/ai-cdn/console.yml')
    .addOption(
      new Option('-o, --output <form>', 'how to print').choices(['table', 'wide', 'json']).default('table'),
    )
    .addHelpText('after', EXITS)
    .showHelpAfterError('(--help says what there is)')
    .configureOutput({ writeOut: io.out, writeErr: io.err });

  const ctl: Ctl = {
    async run(body) {
      const flags = program.opts<GlobalFlags>();
      let api: ConsoleApi | null = null;
      let source: Source | null = null;
      try {
        api = io.connect(flags.socket ?? settings.socket(flags.context ?? null));
        await body({ io, api, form: flags.output, about: (s) => (source = s) });
      } catch (error) {
        if (error instanceof CommanderError) throw error;
        done(error instanceof CtlExit ? error.status : report(io, error, source));
      } finally {
        api?.close();
      }
    },
  };

  tokenCommands(program, ctl);
  nodeCommands(program, ctl);
  configCommands(program, ctl);
  reloadCommands(program, ctl);
  silenceCommands(program, ctl);
  alertCommands(program, ctl);
  const everywhere = (c: Command): void => {
    c.exitOverride();
    for (const sub of c.commands) everywhere(sub);
  };
  everywhere(program);
  return program;
}

/** Runs one command line (without node and script). @returns the exit status; never throws */
export async function runCtl(argv: readonly string[], settings: CtlSettings, io: CtlIo): Promise<number> {
  let status: number = EXIT.ok;
  const program = build(settings, io, (s) => {
    status = s;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(io, error, null);
    if (error instanceof InvalidArgumentError) io.err(`error: ${error.message}\n`);
    // Help and version that were asked for are not mistakes.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return status;
}
