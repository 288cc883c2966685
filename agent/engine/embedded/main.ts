import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { AppError } from '../../../proto/vocab/errors.ts';
import { safeText } from '../../../proto/vocab/safe-text.ts';
import { VERSION } from '../../../proto/vocab/version.ts';
import { startEngine } from './app.ts';

interface Flags {
  readonly socket: string;
  readonly document?: string;
  readonly identityCert?: string;
  readonly identityKey?: string;
  readonly identityCa?: string;
}

const program = new Command('aicdn-engine')
  .description('Carries the streams of one node. Runs on its own, whatever becomes of agent and master.')
  .version(VERSION)
  .requiredOption('--socket <path>', 'unix socket the agent speaks to (made 0600)')
  .option('--document <file>', 'tunnel document to carry at once, before an agent is there')
  .option('--identity-cert <file>', "the node's own certificate, PEM")
  .option('--identity-key <file>', 'its private key, PEM')
  .option('--identity-ca <file>', "the fleet's CA, PEM")
  .action(async (flags: Flags) => run(flags));

async function run(flags: Flags): Promise<void> {
  // A terminal that goes away takes stderr with it, not the streams.
  process.stderr.on('error', () => undefined);
  process.on('SIGHUP', () => undefined);
  const path = (file: string | undefined): string => (file === undefined ? '' : resolve(file));
  const engine = await startEngine(
    {
      socket: resolve(flags.socket),
      document: flags.document === undefined ? null : resolve(flags.document),
      identity: {
        certFile: path(flags.identityCert),
        keyFile: path(flags.identityKey),
        caFile: path(flags.identityCa),
      },
    },
    {
      version: VERSION,
      instance: randomBytes(8).toString('hex'),
      pid: process.pid,
      now: () => Date.now(),
      clock: () => performance.now(),
      random: () => Math.random(),
      write: (line) => process.stderr.write(line),
      exit: () => process.exit(0),
    },
  );
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void engine.stop());
  process.on('uncaughtException', (e: NodeJS.ErrnoException) => {
    engine.log('error', `fault: ${e.stack ?? e.message}`);
    // A socket's error that nobody listened for concerns one stream; anything else leaves unknown state behind.
    if (e.syscall === undefined) process.exit(70);
  });
}

program.parseAsync().catch((e: unknown) => {
  const text = e instanceof AppError ? e.message : e instanceof Error ? (e.stack ?? e.message) : String(e);
  process.stderr.write(`aicdn-engine: ${safeText(text, { newline: 'keep' })}\n`);
  process.exitCode = 1;
});
