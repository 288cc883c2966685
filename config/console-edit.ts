import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMap, isSeq, parseDocument } from 'yaml';
import { AppError } from '../proto/vocab/errors.ts';
import { type ConsoleContext, loadConsoleSettings } from './console.ts';

// The contexts file, changed by a program: comments and order stay as their owner wrote them.

/** Adds a context; the first one becomes the current one. @throws AppError `conflict`, `invalid` */
export function addContext(file: string, context: ConsoleContext): void {
  edit(file, (doc) => {
    const contexts = doc.get('contexts');
    if (!isSeq(contexts)) doc.set('contexts', doc.createNode([written(context)]));
    else {
      const same = contexts.items.some((c) => isMap(c) && c.get('name') === context.name);
      if (same) throw new AppError('conflict', `there is a context ${context.name} already in ${file}`);
      contexts.add(doc.createNode(written(context)));
    }
  });
}

/** Makes it the one that is opened. @throws AppError `invalid` when there is no such context */
export function useContext(file: string, name: string): void {
  edit(file, (doc) => doc.set('current', name));
}

function written(c: ConsoleContext): Readonly<Record<string, string>> {
  const where = 'socket' in c ? { socket: c.socket } : { addr: c.addr, ca_pin: c.caPin };
  return { name: c.name, ...where, ...(c.user === undefined ? {} : { user: c.user }) };
}

function edit(file: string, change: (doc: ReturnType<typeof parseDocument>) => void): void {
  const before = read(file);
  // A file that is refused is not made worse.
  if (before.trim() !== '') loadConsoleSettings({ file, env: {}, flags: {} });
  const doc = parseDocument(before);
  change(doc);
  const tmp = `${file}.${process.pid}.tmp`;
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(tmp, doc.toString(), { mode: 0o600 });
    // What would be refused at the next start is refused now, and never takes the place of the file.
    loadConsoleSettings({ file: tmp, env: {}, flags: {} });
    renameSync(tmp, file);
  } finally {
    rmSync(tmp, { force: true });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new AppError('precondition', `${file} cannot be read: ${String(error)}`, { cause: error });
  }
}
