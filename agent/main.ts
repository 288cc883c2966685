import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import pino from 'pino';
import { type AgentSettings, agentKeysOn, loadAgentSettings } from '../config/agent.ts';
import type { LoadFrom } from '../config/load.ts';
import { settingsText, showSettings } from '../config/shown.ts';
import { Supervisor } from '../proto/supervisor/supervisor.ts';
import { parseDuration } from '../proto/vocab/duration.ts';
import { AppError } from '../proto/vocab/errors.ts';
import { safeText } from '../proto/vocab/safe-text.ts';
import { VERSION } from '../proto/vocab/version.ts';
import { engineOf, joinNode, startAgent } from './app.ts';
import { reloadEngine, upgradeEngine } from './by-hand.ts';
import type { Log } from './core/log.ts';
import { OwnLines } from './core/own-lines.ts';
import { engineArguments, engineBeside } from './host/engine-process.ts';
import { IdentitySpool } from './spool/identity.ts';
import { describeNode } from './status.ts';

interface Flags {
  readonly config?: string;
  readonly set: readonly string[];
  readonly master?: string;
  readonly type?: string;
  readonly region?: string;
  readonly name?: string;
  readonly token?: string;
  readonly readyFile?: string;
  readonly force?: boolean;
}

const SETTINGS_FILE = '/etc/ai-cdn/agent.yml';
/** Flags that stand for one setting each. */
const SETTING_OF = {
  master: 'master.addr',
  type: 'node.type',
  region: 'node.region',
  name: 'node.name',
  token: 'master.token',
} as const;

/** Bad settings or a bad command line: nothing was begun. */
const EXIT_USAGE = 2;
/** Not in the fleet, or refused by its master. As with bad settings, starting it again changes nothing. */
const EXIT_NOT_IN = 3;
const REFUSED: readonly string[] = ['precondition', 'unauthenticated', 'forbidden', 'not_found', 'conflict'];

/** For reading what is on this host: that needs no master and no place in the fleet. */
const UNNAMED = { 'master.addr': 'localhost', 'node.type': 'edge', 'node.region': 'none' } as const;

function settingsOf(flags: Flags, fallback: Readonly<Record<string, string>> = {}): AgentSettings {
  return loadAgentSettings(sourcesOf(flags, fallback)).settings;
}

function sourcesOf(flags: Flags, fallback: Readonly<Record<string, string>> = {}): LoadFrom {
  const given: Record<string, string> = { ...fallback };
  for (const pair of flags.set) {
    const at = pair.indexOf('=');
    if (at < 1) {
      throw new AppError('invalid', `--set ${safeText(pair, { max: 80 })}: write it as --set key=value`);
    }
    given[pair.slice(0, at)] = pair.slice(at + 1);
  }
  for (const [flag, path] of Object.entries(SETTING_OF)) {
    const value = flags[flag as keyof typeof SETTING_OF];
    if (value !== undefined) given[path] = value;
  }
  const file = flags.config ?? SETTINGS_FILE;
  return { file, fileOptional: flags.config === undefined, env: process.env, flags: given };
}

/** JSON lines on stderr; the last ones also go to the master. */
function openLog(level: AgentSettings['log']['level']): { log: Log; own: OwnLines } {
  // A terminal that goes away takes stderr with it, not the agent.
  const out = pino.destination({ fd: 2, sync: true });
  out.on('error', () => undefined);
  const logger = pino(
    {
      level,
      base: { program: 'aicdn-agent' },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  );
  const own = new OwnLines();
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      logger[name](fields, message);
      if (name === 'debug') return;
      const more = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
      own.push({ at: Date.now(), level: name, text: safeText(`agent: ${message}${more}`, { max: 1000 }) });
    };
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { log, own };
}

async function run(flags: Flags): Promise<void> {
  const settings = settingsOf(flags);
  const { log, own } = openLog(settings.log.level);
  // Nothing of ours is in the path of a stream: what goes wrong here ends the agent, and its unit starts it again.
  process.on('uncaughtException', (e) => {
    log.error('fault', { error: e.stack ?? e.message });
    process.exit(70);
  });
  process.on('SIGHUP', () => undefined);
  const supervisor = await Supervisor.from(process.env);
  const agent = await startAgent(settings, flags.readyFile ?? null, {
    log,
    own,
    engineProgram: engineBeside(fileURLToPath(import.meta.url)),
    env: process.env,
    now: () => Date.now(),
    random: () => Math.random(),
  }).catch((e: unknown) => {
    exitWith(e);
    process.exit(e instanceof AppError && REFUSED.includes(e.code) ? EXIT_NOT_IN : (process.exitCode ?? 1));
  });
  supervisor.keepAlive();
  supervisor.ready(`keeps ${agent.node}`);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      supervisor.stopping('the engine goes on');
      const late = setTimeout(() => process.exit(0), 3_000);
      void agent.stop(`stopped by ${signal}; the engine goes on`).finally(() => {
        clearTimeout(late);
        process.exit(0);
      });
    });
  }
}

/** This process becomes the engine, as the settings have it: the same one the agent looks for. */
function becomeEngine(flags: Flags): void {
  // Reading its part needs no master and no name.
  const settings = settingsOf(flags, UNNAMED);
  const { drainMs } = settings.engine;
  const argv = engineArguments(engineOf(settings, engineBeside(fileURLToPath(import.meta.url))));
  if (process.execve === undefined)
    throw new AppError('unsupported', 'this Node cannot run another program in its place');
  const env = Object.entries(process.env).filter(([name]) => !name.startsWith('AICDN_'));
  process.execve(
    process.execPath,
    [process.execPath, ...process.execArgv, ...argv, '--drain', `${drainMs}ms`],
    Object.fromEntries(env),
  );
}

async function joinCommand(flags: Flags): Promise<void> {
  const settings = settingsOf(flags);
  const spool = new IdentitySpool(
    { stateDir: settings.stateDir },
    { report: (text) => process.stderr.write(`${safeText(text)}\n`) },
  );
  const already = await spool.load();
  if (already && !flags.force) {
    process.stdout.write(
      `this node has joined already, as ${safeText(already.node)} (certificate until ${new Date(already.notAfter).toISOString()}); --force joins anew\n`,
    );
    return;
  }
  const { token } = settings.master;
  if (token === null) {
    throw new AppError(
      'invalid',
      'a join token is needed: make one with `aicdnctl token create` on the master and give it by --token, AICDN_MASTER_TOKEN or master.token',
    );
  }
  const identity = await joinNode(settings, spool, token);
  process.stdout.write(
    `joined as ${safeText(identity.node)}; certificate until ${new Date(identity.notAfter).toISOString()}\n`,
  );
}

async function status(flags: Flags): Promise<void> {
  const settings = settingsOf(flags, UNNAMED);
  const { text, ok } = await describeNode(settings);
  process.stdout.write(text);
  if (!ok) process.exitCode = 1;
}

function printSettings(flags: Flags & { readonly get?: string }): void {
  const text = settingsText(showSettings(agentKeysOn(hostname()), sourcesOf(flags)), flags.get);
  if (text === null)
    throw new AppError(
      'invalid',
      `--get ${safeText(flags.get ?? '', { max: 80 })}: there is no such setting`,
    );
  process.stdout.write(text);
}

async function upgradeCommand(flags: Flags & { readonly deadline: string }): Promise<void> {
  const deadlineMs = parseDuration(flags.deadline);
  if (deadlineMs === null || deadlineMs <= 0) {
    throw new AppError('invalid', `--deadline ${safeText(flags.deadline, { max: 80 })}: write it like 10m`);
  }
  const exec = engineBeside(fileURLToPath(import.meta.url));
  process.stdout.write(`${await upgradeEngine(settingsOf(flags, UNNAMED), exec, deadlineMs)}\n`);
}

function exitWith(e: unknown): void {
  const text = e instanceof AppError ? e.message : e instanceof Error ? (e.stack ?? e.message) : String(e);
  process.stderr.write(`aicdn-agent: ${safeText(text, { newline: 'keep', max: 8000 })}\n`);
  process.exitCode = e instanceof AppError && e.code === 'invalid' && isSettings(e) ? EXIT_USAGE : 1;
}

function isSettings(e: AppError): boolean {
  return /^(these settings are refused|--set |--get |--deadline )/.test(e.message);
}

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

function withSettings(command: Command): Command {
  return command
    .option('--config <file>', `settings file (default: ${SETTINGS_FILE}, where there is one)`)
    .option('--set <key=value>', 'one setting, such as engine.spawn=true; may be given again', collect, [])
    .option('--master <host:port>', 'the master (master.addr)')
    .addOption(new Option('--type <type>', 'edge or core (node.type)'))
    .option('--region <region>', 'where the node is (node.region)')
    .option('--name <name>', "the node's name; this host's by default (node.name)");
}

const program = new Command('aicdn-agent')
  .description(
    'Keeps one node of the fleet: tells the master how it is, puts into force what the master decides.',
  )
  .version(VERSION)
  .showHelpAfterError()
  .exitOverride((e) => {
    process.exit(e.exitCode === 0 ? 0 : EXIT_USAGE);
  })
  .addHelpText(
    'after',
    `
Examples:
  aicdn-agent join --master master.example.org:50051 --token ct1.… --type edge --region hk
  aicdn-agent run --config ${SETTINGS_FILE}
  aicdn-agent run --config agent.yml --set engine.spawn=true --set log.level=debug
  aicdn-agent status`,
  );

withSettings(program.command('run'))
  .description('run the agent; joins first when it has not and master.token is set')
  .option('--token <token>', 'join token, used once (better: AICDN_MASTER_TOKEN, which ps does not show)')
  .option('--ready-file <path>', 'written once connected: {pid, node, enginePid, engineSocket} as JSON')
  .action((flags: Flags) => run(flags));
withSettings(program.command('join'))
  .description('enrol this node with a join token; the key is made here and stays here')
  .option('--token <token>', 'ct1.…, from `aicdnctl token create` on the master')
  .option('--force', 'join anew although this node has joined')
  .action((flags: Flags) => joinCommand(flags));
withSettings(program.command('status'))
  .description(
    'what this node is and runs, read from its disk and its engine; exit 1 when there is no engine',
  )
  .action((flags: Flags) => status(flags));
withSettings(program.command('settings'))
  .description('read the settings and print each with where it came from; exit 2 when one is refused')
  .option('--get <key>', 'the value of one alone, such as engine.socket')
  .action((flags: Flags & { get?: string }) => printSettings(flags));
const engine = program.command('engine').description('the engine of this host');
withSettings(engine.command('run'))
  .description('become the engine of this node, as its settings have it; for its unit')
  .action((flags: Flags) => becomeEngine(flags));
withSettings(engine.command('upgrade'))
  .description('carry on with processes of this release; those before end with their streams')
  .option('--deadline <duration>', 'how long streams of the processes before may last', '10m')
  .action((flags: Flags & { deadline: string }) => upgradeCommand(flags));
withSettings(engine.command('reload'))
  .description('read its certificates again; no stream is cut')
  .action(async (flags: Flags) => {
    process.stdout.write(`${await reloadEngine(settingsOf(flags, UNNAMED))}\n`);
  });
program
  .command('version')
  .description('print the version')
  .action(() => {
    process.stdout.write(`${VERSION}\n`);
  });

program.parseAsync().catch(exitWith);
