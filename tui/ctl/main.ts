import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { consoleSettingsFile } from '../../config/console.ts';
import { addContext, useContext } from '../../config/console-edit.ts';
import { chooseContext, contextsOf } from '../../config/console-socket.ts';
import { connectConsole } from '../../proto/link/console-client.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { placeOf } from '../client/place.ts';
import { promptLine } from '../client/prompt.ts';
import { runCtl } from './ctl.ts';

async function stdin(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of process.stdin) parts.push(chunk as Uint8Array);
  return Buffer.concat(parts);
}

/** Whole or not at all, and never over something: a backup is not written over another. */
async function writeNew(path: string, parts: AsyncIterable<Uint8Array>): Promise<number> {
  const tmp = `${path}.${randomBytes(6).toString('hex')}.part`;
  let bytes = 0;
  try {
    const file = await open(tmp, 'wx', 0o600);
    try {
      for await (const part of parts) {
        bytes += part.length;
        await file.writeFile(part);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await link(tmp, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST')
      throw new AppError('conflict', `${path} is there already: give another name, or remove it`);
    if (error instanceof AppError || code === undefined) throw error;
    throw new AppError('precondition', `${path} cannot be written: ${String(error)}`, { cause: error });
  } finally {
    await rm(tmp, { force: true });
  }
  return bytes;
}

function contextsFile(): string {
  const file = consoleSettingsFile(process.env);
  if (file === null) throw new AppError('precondition', 'HOME is not set: there is no place for contexts');
  return file;
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runCtl(
  process.argv.slice(2),
  {
    master: (flags) => chooseContext(flags, process.env),
    contexts: {
      all: () => contextsOf(process.env, null),
      add: (context) => addContext(contextsFile(), context),
      use: (name) => useContext(contextsFile(), name),
      file: contextsFile,
    },
  },
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    outIsTty: process.stdout.isTTY === true,
    errIsTty: process.stderr.isTTY === true,
    env: process.env,
    read: (path) => (path === '-' ? stdin() : readFile(path)),
    write: writeNew,
    ask:
      process.stdin.isTTY && process.stderr.isTTY
        ? (prompt, how = { hidden: false }) =>
            promptLine(prompt, how, {
              stdin: process.stdin,
              write: (text) => process.stderr.write(text),
            })
        : null,
    connect: (master) => connectConsole(placeOf(master, process.env)),
    now: Date.now,
    sleep: (ms) => sleep(ms),
  },
);
