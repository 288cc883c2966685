import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { ConsoleFlags } from '../../config/console-socket.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { VERSION } from '../../proto/vocab/version.ts';
import type { Master } from '../client/place.ts';
import { accountCommands, apiKeyCommands, userCommands } from './account-commands.ts';
import { alertCommands, silenceCommands } from './alert-commands.ts';
import { completionCommands } from './completion-command.ts';
import { configCommands } from './config-commands.ts';
import { type Contexts, contextCommands } from './context-commands.ts';
import { report, SettingsRefused, type Source } from './errors.ts';
import { type Api, CtlExit, type CtlIo, EXIT, EXIT_WORDS, FORMS, type OutputForm } from './io.ts';
import { auditCommands, backupCommands } from './keep-commands.ts';
import { nodeCommands } from './node-commands.ts';
import { orderCommands, taskCommands } from './order-commands.ts';
import { publishCommands } from './publish-commands.ts';
import { rolloutCommands } from './rollout-commands.ts';
import { certificateCommands, secretCommands, variableCommands } from './secret-commands.ts';
import { tokenCommands } from './token-commands.ts';

/** What a command's body works with. */
export interface CtlRun {
  readonly io: CtlIo;
  readonly api: Api;
  readonly master: Master;
  readonly form: OutputForm;
  /** Whether a table has a line of heads. */
  readonly headers: boolean;
  /** Whoever typed it says yes to what asks y or n. */
  readonly yes: boolean;
  /** The file a refusal would be about. */
  readonly about: (source: Source) => void;
}

export interface Ctl {
  /** Connects, runs, closes; a failure is reported and becomes the exit status. */
  run(body: (run: CtlRun) => Promise<void> | void): Promise<void>;
  /** The same for what needs no master. */
  local(body: (run: Omit<CtlRun, 'api' | 'master'>) => Promise<void> | void): Promise<void>;
}

export interface CtlSettings {
  /** Which master is meant: flags, environment, the contexts file, the default. @throws AppError */
  readonly master: (flags: ConsoleFlags) => Master;
  readonly contexts: Contexts;
}

export interface GlobalFlags {
  readonly socket?: string;
  readonly context?: string;
  readonly addr?: string;
  readonly caPin?: string;
  readonly output: OutputForm;
  readonly headers: boolean;
  readonly yes?: boolean;
}

const EXITS = `
Exit status:
${Object.entries(EXIT)
  .map(([name, status]) => `  ${status}  ${EXIT_WORDS[name as keyof typeof EXIT]}`)
  .join('\n')}

A noun may be written as one or as many: node list, nodes list. -o json and -o yaml print one document, whatever the
command; -o name prints what other commands take, one a line. For machines: AICDN_API_KEY (or AICDN_TOKEN), and
AICDN_SOCKET, or AICDN_ADDR with AICDN_CA_PIN.`;

export function flagsOf(program: Command): ConsoleFlags {
  const { socket, context, addr, caPin } = program.opts<GlobalFlags>();
  return { socket: socket ?? null, context: context ?? null, addr: addr ?? null, caPin: caPin ?? null };
}

export function buildCtl(settings: CtlSettings, io: CtlIo, done: (status: number) => void): Command {
  const program = new Command('aicdnctl')
    .description('what the console does, without a screen')
    .version(VERSION)
    .option('--context <name>', 'a fleet of ~/.config/ai-cdn/console.yml')
    .option('--socket <path>', "the master's local socket (or AICDN_SOCKET)")
    .option('--addr <host:port>', 'a master over TLS, with --ca-pin (or AICDN_ADDR)')
    .option('--ca-pin <hex>', 'sha256 of its CA, as in a join token (or AICDN_CA_PIN)')
    .addOption(new Option('-o, --output <form>', 'how to print').choices([...FORMS]).default('table'))
    .option('--no-headers', 'tables without their first line')
    .option('-y, --yes', 'yes to what asks y or n; a count that wants typing is --confirm')
    .addHelpText('after', EXITS)
    .showHelpAfterError('(--help says what there is)')
    .configureOutput({ writeOut: io.out, writeErr: io.err });

  const guarded = async (
    body: (run: Omit<CtlRun, 'api' | 'master'>) => Promise<void> | void,
  ): Promise<void> => {
    const flags = program.opts<GlobalFlags>();
    let source: Source | null = null;
    try {
      await body({
        io,
        form: flags.output,
        headers: flags.headers,
        yes: flags.yes === true,
        about: (s) => {
          source = s;
        },
      });
    } catch (error) {
      if (error instanceof CommanderError) throw error;
      done(error instanceof CtlExit ? error.status : report(io, error, source));
    }
  };
  const ctl: Ctl = {
    local: guarded,
    run: (body) =>
      guarded(async (run) => {
        const master = usable(() => settings.master(flagsOf(program)));
        const api = usable(() => io.connect(master));
        try {
          await body({ ...run, api, master });
        } finally {
          api.close();
        }
      }),
  };

  accountCommands(program, ctl);
  contextCommands(program, ctl, settings.contexts);
  nodeCommands(program, ctl);
  configCommands(program, ctl);
  publishCommands(program, ctl);
  rolloutCommands(program, ctl);
  orderCommands(program, ctl);
  taskCommands(program, ctl);
  alertCommands(program, ctl);
  silenceCommands(program, ctl);
  tokenCommands(program, ctl);
  secretCommands(program, ctl);
  certificateCommands(program, ctl);
  variableCommands(program, ctl);
  userCommands(program, ctl);
  apiKeyCommands(program, ctl);
  auditCommands(program, ctl);
  backupCommands(program, ctl);
  completionCommands(program, ctl, {
    io,
    master: () => settings.master(flagsOf(program)),
    contexts: settings.contexts,
  });
  const everywhere = (c: Command): void => {
    c.exitOverride();
    for (const sub of c.commands) everywhere(sub);
  };
  everywhere(program);
  return program;
}

/** Settings that are wrong are like a command line that is. */
function usable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid') throw new SettingsRefused(error);
    throw error;
  }
}

/** A noun, written as one or as many. */
export function noun(program: Command, one: string, many: string): Command {
  return program.command(many).alias(one);
}

/** Runs one command line (without node and script). @returns the exit status; never throws */
export async function runCtl(argv: readonly string[], settings: CtlSettings, io: CtlIo): Promise<number> {
  let status: number = EXIT.ok;
  const program = buildCtl(settings, io, (s) => {
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
