import { Command, CommanderError, Option } from 'commander';
import { chooseContext } from '../config/console-socket.ts';
import { connectConsole } from '../proto/link/console-client.ts';
import { AppError, formatRefusal } from '../proto/vocab/errors.ts';
import { safeText } from '../proto/vocab/safe-text.ts';
import { VERSION } from '../proto/vocab/version.ts';
import { startApp } from './app.tsx';
import { logIn } from './client/login.ts';
import { type Master, placeOf, tokenOfEnv } from './client/place.ts';
import { promptLine } from './client/prompt.ts';
import { toInput } from './input.ts';
import { openTerminal } from './terminal/terminal.ts';
import { backgroundFromEnv, backgroundFromRgb, colourDepth } from './theme/depth.ts';
import { type Lang, localeFromEnv } from './theme/locale.ts';
import { createTheme } from './theme/theme.ts';

interface Flags {
  readonly socket?: string;
  readonly context?: string;
  readonly addr?: string;
  readonly caPin?: string;
  readonly ascii?: boolean;
  readonly lang?: Lang;
}

const PROBE_MS = 100;
/** A socket of this host, with a handful of consoles on it: no crowd to spread out, and a person waits. */
const RETRY_MS = 2_000;

function fail(status: number, lines: readonly string[]): never {
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exit(status);
}

function parseFlags(): Flags {
  const program = new Command('aicdn-tui')
    .description('the console: every node, its streams and its alerts, live')
    .version(VERSION)
    .option('--socket <path>', "the master's local socket (or AICDN_SOCKET)")
    .option('--context <name>', 'a fleet of ~/.config/ai-cdn/console.yml')
    .option('--addr <host:port>', 'a master over TLS, with --ca-pin (or AICDN_ADDR)')
    .option('--ca-pin <hex>', 'sha256 of its CA, as in a join token (or AICDN_CA_PIN)')
    .option('--ascii', 'plain symbols, for terminals that draw ● two cells wide')
    .addOption(
      new Option('--lang <lang>', 'the language of the screen; from LANG otherwise').choices(['en', 'zh']),
    )
    .addHelpText('after', '\nKeys: ? shows those of the screen you are on; q leaves, ctrl-c leaves at once.')
    .exitOverride();
  try {
    program.parse();
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
    throw error;
  }
  return program.opts<Flags>();
}

function context(flags: Flags) {
  try {
    const { socket = null, context: name = null, addr = null, caPin = null } = flags;
    return chooseContext({ socket, context: name, addr, caPin }, process.env);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return fail(2, [
      `aicdn-tui: ${safeText(error.message)}`,
      ...error.refusals.map((r) => `  ${safeText(formatRefusal(r))}`),
    ]);
  }
}

/** Who is not known to the master logs in before there is a screen. A master that is away is the screen's to say. */
async function comeIn(api: ReturnType<typeof connectConsole>, master: Master): Promise<void> {
  try {
    await logIn(
      api,
      master,
      tokenOfEnv(process.env) === null
        ? (prompt, hidden) =>
            promptLine(prompt, { hidden }, { stdin: process.stdin, write: (t) => process.stdout.write(t) })
        : null,
    );
  } catch (error) {
    api.close();
    const text = error instanceof Error ? error.message : String(error);
    fail(1, [`aicdn-tui: ${safeText(text, { newline: 'keep' })}`]);
  }
}

async function run(): Promise<void> {
  const flags = parseFlags();
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    fail(2, [
      'aicdn-tui: this is a screen for a person: stdin and stdout must be a terminal.',
      '  Over ssh: ssh -t HOST aicdn-tui.  In a script: aicdnctl node list -o json.',
    ]);
  }
  const master = context(flags);
  const api = connectConsole({
    ...placeOf(master, process.env),
    watch: { backoff: { baseMs: 250, maxMs: RETRY_MS } },
  });
  await comeIn(api, master);
  const locale = localeFromEnv(process.env);
  const ascii = flags.ascii === true || !locale.utf8;
  const terminal = openTerminal(
    { fd: 1, probeMs: PROBE_MS, askWidth: !ascii },
    {
      proc: process,
      input: process.stdin,
      output: process.stdout,
      tell: (line) => process.stderr.write(`${line}\n`),
      onGone: () => process.exit(0),
    },
  );
  const { background, ambiguousWide } = await terminal.probed;
  const theme = createTheme({
    depth: colourDepth(process.env),
    background:
      background === null ? (backgroundFromEnv(process.env) ?? 'dark') : backgroundFromRgb(background),
    locale: { ...locale, lang: flags.lang ?? locale.lang },
    // Chinese stays Chinese where only the symbols must be plain.
    ambiguousWide: ascii || ambiguousWide === true,
  });
  const app = startApp(
    { theme, context: master.name, client: `aicdn-tui ${VERSION}` },
    {
      api,
      stdout: terminal.stdout,
      stdin: terminal.stdin,
      listen: (onInput) =>
        terminal.listen((event) => {
          const input = toInput(event);
          if (input !== null) onInput(input);
        }),
    },
  );
  await app.done;
  terminal.close();
  api.close();
}

await run();
process.exit(0);
