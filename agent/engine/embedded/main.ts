import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parseAddress } from '../../../proto/document/address.ts';
import { Supervisor } from '../../../proto/supervisor/supervisor.ts';
import { parseDuration } from '../../../proto/vocab/duration.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import { safeText } from '../../../proto/vocab/safe-text.ts';
import { VERSION } from '../../../proto/vocab/version.ts';
import { type EngineSettings, startEngine } from './app.ts';
import type { ToWorker } from './process/messages.ts';
import { Primary } from './process/primary.ts';
import { EngineWorker } from './process/worker.ts';

interface Flags {
  readonly socket: string;
  readonly document?: string;
  readonly identityCert?: string;
  readonly identityKey?: string;
  readonly identityCa?: string;
  readonly sealedDir?: string;
  readonly workers: number | 'auto';
  readonly dns: readonly string[];
  readonly drain: number;
}

const MOST_WORKERS = 8;
const LONGEST_DRAIN_MS = 86_400_000;
/** What stopping takes beside the drain. */
const STOP_MS = 5_000;

const PORTS = {
  now: () => Date.now(),
  clock: () => performance.now(),
  random: () => Math.random(),
  write: (line: string) => void process.stderr.write(line),
};

const program = new Command('aicdn-engine')
  .description('Carries the streams of one node. Runs on its own, whatever becomes of agent and master.')
  .version(VERSION)
  .requiredOption('--socket <path>', 'unix socket the agent speaks to (made 0600)')
  .option('--document <file>', 'tunnel document to carry at once, before an agent is there')
  .option('--identity-cert <file>', "the node's own certificate, PEM")
  .option('--identity-key <file>', 'its private key, PEM')
  .option('--identity-ca <file>', "the fleet's CA, PEM")
  .option('--sealed-dir <dir>', 'certificates and secrets the document names, kept by the agent')
  .option(
    '--workers <n>',
    `processes that carry; auto: one a core, at most ${MOST_WORKERS}; 0: everything in one process`,
    readWorkers,
    'auto',
  )
  .option(
    '--dns <host:port>',
    "DNS server for names of cores and origins, instead of the system's; may be given again",
    readDnsServer,
    [],
  )
  .option(
    '--drain <duration>',
    'on SIGTERM, streams may end in their own time for so long; a second SIGTERM cuts them',
    readDrain,
    0,
  )
  .action(async (flags: Flags) => run(flags));

function readDrain(text: string): number {
  const ms = parseDuration(text);
  if (ms !== null && ms <= LONGEST_DRAIN_MS) return ms;
  throw new InvalidArgumentError('It is a duration up to 24h, such as 30s.');
}

function readWorkers(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const n = Number(text);
  if (Number.isInteger(n) && n >= 0 && n <= 64) return n;
  throw new InvalidArgumentError('It is a whole number up to 64, or auto.');
}

function readDnsServer(text: string, before: readonly string[]): readonly string[] {
  const server = parseAddress(text, 'dial');
  if (typeof server === 'string' || net.isIP(server.host) === 0)
    throw new InvalidArgumentError(
      'It is an address and a port, such as 192.0.2.53:53 or [2001:db8::53]:53.',
    );
  return [...before, text];
}

async function run(flags: Flags): Promise<void> {
  // A terminal that goes away takes stderr with it, not the streams.
  process.stderr.on('error', () => undefined);
  process.on('SIGHUP', () => undefined);
  const path = (file: string | undefined): string => (file === undefined ? '' : resolve(file));
  const settings = {
    socket: resolve(flags.socket),
    document: flags.document === undefined ? null : resolve(flags.document),
    identity: {
      certFile: path(flags.identityCert),
      keyFile: path(flags.identityKey),
      caFile: path(flags.identityCa),
      sealedDir: path(flags.sealedDir),
    },
    dns: flags.dns,
  };
  const instance = randomBytes(8).toString('hex');
  const supervisor = await Supervisor.from(process.env);
  const workers = flags.workers === 'auto' ? Math.min(MOST_WORKERS, availableParallelism()) : flags.workers;
  if (workers === 0) await runAlone(settings, { instance, supervisor });
  else await runPrimary(settings, { instance, workers, supervisor, drainMs: flags.drain });
}

async function runAlone(
  settings: EngineSettings,
  { instance, supervisor }: { instance: string; supervisor: Supervisor },
): Promise<void> {
  const engine = await startEngine(settings, {
    ...PORTS,
    version: VERSION,
    instance,
    pid: process.pid,
    exit: () => process.exit(0),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      supervisor.stopping('cuts its streams');
      void engine.stop();
    });
  }
  await engine.started;
  supervisor.keepAlive();
  supervisor.ready(`listens on ${settings.socket}`);
  const cut = (): void => void engine.stop();
  process.on('uncaughtException', (e) => fault(e, { log: (text) => engine.log('error', text), cut }));
  process.on('exit', cut);
}

async function runPrimary(
  settings: EngineSettings,
  {
    supervisor,
    drainMs,
    ...more
  }: { instance: string; workers: number; supervisor: Supervisor; drainMs: number },
): Promise<void> {
  const primary = new Primary(
    // Where it really lies: a link may lead to another release tomorrow.
    { ...settings, ...more, dns: settings.dns ?? [], startedAt: Date.now(), exec: import.meta.filename },
    { ...PORTS, exit: (code) => process.exit(code) },
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      supervisor.stopping('its streams end', drainMs + STOP_MS);
      primary.drain(drainMs);
    });
  }
  try {
    await primary.start();
    supervisor.keepAlive(() => primary.carries());
    supervisor.ready(`${more.workers} workers, listens on ${settings.socket}`);
  } catch (e) {
    complain(e);
    await primary.stop(1);
  }
}

/** SIGQUIT is what the unit's watchdog ends a hung primary with. */
const WORKERS_IGNORE = ['SIGHUP', 'SIGTERM', 'SIGINT', 'SIGQUIT'] as const;

/** Streams are ended by the primary alone: a signal to the whole group is not ours to obey. */
function runWorker(): void {
  process.stderr.on('error', () => undefined);
  for (const signal of WORKERS_IGNORE) process.on(signal, () => undefined);
  const worker = new EngineWorker({
    ...PORTS,
    version: VERSION,
    send: (message) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
    },
    exit: (code) => process.exit(code),
  });
  process.on('message', (m: ToWorker) => worker.heard(m));
  const cut = (): void => worker.cut();
  process.on('exit', cut);
  // Without its primary it would be ended at once, streams looking whole: it cuts them first.
  process.prependListener('disconnect', () => {
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
    worker.heard({ t: 'end' });
  });
  process.on('uncaughtException', (e) => fault(e, { log: (text) => worker.say('error', text), cut }));
  worker.hello();
}

/**
 * A socket's error that nobody listened for concerns one stream; anything else leaves unknown state behind, and the
 * process ends. Nothing half-carried may look whole: what is TLS can be reset a turn of the event loop later only.
 */
function fault(e: NodeJS.ErrnoException, how: { log: (text: string) => void; cut: () => void }): void {
  how.log(`fault: ${e.stack ?? e.message}`);
  if (e.syscall !== undefined) return;
  setImmediate(() => setImmediate(() => process.exit(70)));
  how.cut();
}

function complain(e: unknown): void {
  const text = e instanceof AppError ? e.message : e instanceof Error ? (e.stack ?? e.message) : String(e);
  process.stderr.write(`aicdn-engine: ${safeText(text, { newline: 'keep' })}\n`);
}

if (cluster.isWorker) runWorker();
else {
  program.parseAsync().catch((e: unknown) => {
    complain(e);
    process.exitCode = 1;
  });
}
