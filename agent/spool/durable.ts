import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';

// After a power cut there is the old file or the new one, whole. A file that reads otherwise was damaged by something
// else: it is set aside, said, and done without.

/** With its parents, 0700, its name durable. */
export async function makeDir(dir: string): Promise<void> {
  const made = await mkdir(dir, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncDir(path.dirname(made));
}

/** tmp (0600) -> fsync -> rename -> fsync of the directory. */
export async function writeDurably(file: string, content: string): Promise<void> {
  const tmp = `${file}.tmp`;
  await writeSynced(tmp, content);
  await rename(tmp, file);
  await syncDir(path.dirname(file));
}

/** 0600, on disk when the promise settles; the name is not yet. */
export async function writeSynced(file: string, content: string): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `null` when there is no such file. */
export async function readOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (e) {
    if (errno(e) === 'ENOENT') return null;
    throw e;
  }
}

export function errno(e: unknown): string {
  return e instanceof Error ? String((e as NodeJS.ErrnoException).code ?? e.message) : String(e);
}

/** `<sha256 of the rest, 64 hex>\n<JSON>\n` */
export async function writeRecord(file: string, value: unknown): Promise<void> {
  const json = `${JSON.stringify(value)}\n`;
  await writeDurably(file, `${digest(json)}\n${json}`);
}

/**
 * `null`: there is none, or it was damaged and has been renamed to `<file>.damaged`, which `report` is told.
 * @param read throws for what is no such record
 */
export async function readRecord<T>(
  file: string,
  read: (value: unknown) => T,
  report: (text: string) => void,
): Promise<T | null> {
  const text = await readOrNull(file);
  if (text === null) return null;
  try {
    const json = text.slice(65);
    if (text[64] !== '\n' || text.slice(0, 64) !== digest(json)) throw new Error('its checksum is wrong');
    return read(JSON.parse(json));
  } catch (e) {
    await setAside(file, e instanceof Error ? e.message : String(e), report);
    return null;
  }
}

/** Never fatal: what can't be renamed stays, and is said again at the next start. */
export async function setAside(file: string, why: string, report: (text: string) => void): Promise<void> {
  const aside = `${file}.damaged`;
  try {
    await rename(file, aside);
    report(`${file} is damaged (${why}): set aside as ${aside}`);
  } catch (e) {
    report(`${file} is damaged (${why}) and cannot be renamed (${errno(e)})`);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('is no record');
  return value as Readonly<Record<string, unknown>>;
}
