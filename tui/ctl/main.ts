import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseContext } from '../../config/console-socket.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import { runCtl } from './ctl.ts';

async function stdin(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of process.stdin) parts.push(chunk as Uint8Array);
  return Buffer.concat(parts);
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runCtl(
  process.argv.slice(2),
  { socket: (context) => chooseContext({ socket: null, context }, process.env).socket },
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    outIsTty: process.stdout.isTTY === true,
    env: process.env,
    read: (path) => (path === '-' ? stdin() : readFile(path)),
    connect: (socket) => connectConsole({ socket }),
    now: Date.now,
    sleep: (ms) => sleep(ms),
  },
);
