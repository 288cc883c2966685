import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Argument, Command, CommanderError } from 'commander';
import type { LoadFrom } from '../config/load.ts';
import { loadMasterSettings, MASTER_KEYS, type MasterSettings } from '../config/master.ts';
import { settingsText, showSettings } from '../config/shown.ts';
import { Supervisor } from '../proto/supervisor/supervisor.ts';
import { AppError } from '../proto/vocab/errors.ts';
import { safeText } from '../proto/vocab/safe-text.ts';
import { VERSION } from '../proto/vocab/version.ts';
import { startMaster, writeWhole } from './app.ts';
import { CA_STEPS, type CaStep } from './ca/rotation.ts';
import { createRings } from './drivers/rings/rings.ts';
import { createLog, type MasterLog } from './log.ts';
import { caStatus, checkBackup, makeBootstrapCode, restore, rotateCa, verifyAudit } from './offline.ts';
import { ownHealth } from './own-health.ts';
import { createServices } from './service/services.ts';

// Exit codes: 0 stopped as asked, 1 could not start or failed, 2 the command line or the settings are wrong.
const DEFAULT_CONFIG = '/etc/ai-cdn/master.yml';

interface SettingsOptions {
  readonly config?: string;
  readonly set: readonly string[];
}

interface RunOptions extends SettingsOptions {
  readonly readyFile?: string;
}

const program = new Command('aicdn-master')
  .description('the master of an AI CDN Tunnel fleet')
  .version(VERSION)
  .exitOverride()
  .showHelpAfterError('(aicdn-master --help says more)');

program
  .command('run')
  .description('run the master until SIGTERM or SIGINT')
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .option('--ready-file <path>', 'written once everything listens: addresses, socket, CA and pid as JSON')
  .action(run);

program
  .command('bootstrap-code')
  .description(
    'make a one-time code for the first admin, while the master does not run and there is no admin',
  )
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .action(async (options: SettingsOptions) => {
    const code = await makeBootstrapCode(settingsOf(options));
    process.stdout.write(`${code}\n`);
  });

program
  .command('audit')
  .description('the audit log, while the master does not run')
  .command('verify')
  .description(
    'follow the whole chain; exit code 1 and the first thing that is wrong when it was tampered with',
  )
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .action(async (options: SettingsOptions) => {
    const { ok, text } = await verifyAudit(settingsOf(options));
    process.stdout.write(`${text}\n`);
    if (!ok) process.exit(1);
  });

const ca = program.command('ca').description("the fleet's CA, while the master does not run");
ca.command('status')
  .description('where a replacement of the CA stands, and which nodes its next step waits for')
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .action(async (options: SettingsOptions) => {
    process.stdout.write(`${await caStatus(settingsOf(options))}\n`);
  });
ca.command('rotate')
  .description('give the fleet another CA, in three steps with days between them: begin, switch, retire')
  .addArgument(new Argument('<step>').choices(CA_STEPS))
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .action(async (step: CaStep, options: SettingsOptions) => {
    process.stdout.write(`${await rotateCa(settingsOf(options), step)}\n`);
  });

program
  .command('restore')
  .description('a backup into an empty state_dir, while the master does not run')
  .argument('<file>', 'as aicdnctl backup create made it')
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .option('--passphrase-file <path>', 'its first line is the passphrase; it asks otherwise')
  .action(async (file: string, options: SettingsOptions & { passphraseFile?: string }) => {
    const settings = settingsOf(options);
    const passphrase = await passphraseOf(options.passphraseFile);
    const { revision, files, bytes } = await restore(settings, file, passphrase);
    process.stdout.write(
      `restored ${files} files, ${bytes} bytes, as of revision ${revision}, into ${settings.stateDir}\n` +
        '  do: make sure that the master it came from does not run any more, then start this one\n',
    );
  });

program
  .command('check-backup')
  .description('decrypt a backup and read all of it, writing nothing; also while the master runs')
  .argument('<file>', 'as aicdnctl backup create made it')
  .option('--passphrase-file <path>', 'its first line is the passphrase; it asks otherwise')
  .action(async (file: string, options: { passphraseFile?: string }) => {
    const { revision, files, bytes } = await checkBackup(file, await passphraseOf(options.passphraseFile));
    process.stdout.write(`${file} is whole: ${files} files, ${bytes} bytes, revision ${revision}\n`);
  });

program
  .command('health')
  .description('what /health of the master on this host says; exit code 1 when it is not ok')
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .action(async (options: SettingsOptions) => {
    const { ok, text } = await ownHealth(settingsOf(options));
    process.stdout.write(`${text}\n`);
    if (!ok) process.exit(1);
  });

program
  .command('settings')
  .description('read the settings and print each with where it came from; exit 2 when one is refused')
  .option('-c, --config <file>', `settings file (${DEFAULT_CONFIG} when it is there)`)
  .option('--set <key=value>', 'one setting, over file and environment; repeatable', collect, [])
  .option('--get <key>', 'the value of one alone, such as socket')
  .action((options: SettingsOptions & { get?: string }) => {
    const text = settingsText(showSettings(MASTER_KEYS, sourcesOf(options)), options.get);
    if (text === null) throw new AppError('invalid', `there is no setting ${safeText(options.get ?? '')}`);
    process.stdout.write(text);
  });

program
  .command('version')
  .description('print the version')
  .action(() => {
    process.stdout.write(`aicdn-master ${VERSION}\n`);
  });

async function passphraseOf(file: string | undefined): Promise<string> {
  if (file !== undefined) {
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new AppError('precondition', `${file} cannot be read: ${String(cause)}`, { cause });
    });
    return text.split(/\r?\n/)[0] ?? '';
  }
  if (!process.stdin.isTTY) {
    throw new AppError('precondition', 'nobody is here to type the passphrase: --passphrase-file FILE');
  }
  process.stderr.write('passphrase of the backup: ');
  // Typed into nothing: no echo.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function flagsOf(set: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const pair of set) {
    const at = pair.indexOf('=');
    if (at < 1) throw new AppError('invalid', `--set ${safeText(pair)}: write it as key=value`);
    flags[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return flags;
}

function settingsOf(options: SettingsOptions): MasterSettings {
  return loadMasterSettings(sourcesOf(options)).settings;
}

function sourcesOf(options: SettingsOptions): LoadFrom {
  return {
    file: options.config ?? DEFAULT_CONFIG,
    fileOptional: options.config === undefined,
    env: process.env,
    flags: flagsOf(options.set),
  };
}

async function run(options: RunOptions): Promise<void> {
  const settings = settingsOf(options);
  const log = createLog(settings.log.level);
  warningsTo(log);
  // Before anything is started: a signal while starting stops what there is.
  const asked = new Promise<string>((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('SIGINT', () => resolve('SIGINT'));
  });
  try {
    const supervisor = await Supervisor.from(process.env);
    const master = await startMaster(settings, { log, createServices, createRings });
    supervisor.keepAlive();
    supervisor.ready(`agents ${master.bound.grpc}, REST ${master.bound.rest}`);
    if (options.readyFile) await writeWhole(options.readyFile, `${JSON.stringify(master.bound)}\n`, 0o600);
    log.info('stopping', { signal: await asked });
    supervisor.stopping('ends its sessions');
    await master.stop();
    log.info('stopped');
  } finally {
    log.flush();
  }
}

/** Node's own warnings are log lines as well, not text between them. */
function warningsTo(log: MasterLog): void {
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    const level = warning.name === 'ExperimentalWarning' ? 'debug' : 'warn';
    log[level](warning.message, { kind: warning.name });
  });
}

/** Settings and command lines are 2; whatever kept it from running is 1. */
function fail(error: unknown): never {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  if (error instanceof AppError && error.code !== 'internal') {
    process.stderr.write(`aicdn-master: ${safeText(error.message, { newline: 'keep' })}\n`);
    process.exit(error.code === 'invalid' ? 2 : 1);
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`aicdn-master: ${text}\n`);
  process.exit(1);
}

try {
  await program.parseAsync();
  // Sockets of a client that does not go away must not hold a stopped master.
  process.exit(0);
} catch (error) {
  fail(error);
}
