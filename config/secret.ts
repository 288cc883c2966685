import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { AppError } from '../proto/vocab/errors.ts';
import { reading, text } from './key.ts';

/** What examples print, the original's among them: everybody knows them. */
const SAMPLES =
  /^(?:your|my|the|a|an)?[-_ ]?(?:jwt|node|api|auth|join)?[-_ ]?(?:secret|token|key|password|changeme|change[-_ ]me|example|default|admin|admin123)(?:[-_ ]?(?:key|token|here|change[-_ ]me))?$/i;
const MIN_LENGTH = 32;

/** `your-jwt-secret`, `changeme` and their like. */
export function isSample(secret: string): boolean {
  return SAMPLES.test(secret.trim());
}

export const secretText = reading<string>(text, (v: string) => {
  if (isSample(v)) {
    return {
      message: 'is the example from the documentation, which everybody knows',
      hint: 'remove the line: one is made and kept under state_dir',
    };
  }
  if (v.length < MIN_LENGTH || new Set(v).size < 8) {
    return {
      message: `is too easy to guess: ${v.length} characters`,
      hint: `at least ${MIN_LENGTH}, such as of \`openssl rand -hex 32\`; or remove the line, one is made`,
    };
  }
  return { ok: v };
});

/**
 * The secret kept in a file, 0600, made on the first call. Two processes that make it at once agree on one.
 * @param random n random bytes as hex
 * @throws AppError `precondition` when the file can neither be read nor made, or holds too little
 */
export function keptSecret(file: string, random: (n: number) => string): string {
  try {
    return read(file) ?? make(file, random(32));
  } catch (e) {
    if (e instanceof AppError) throw e;
    throw new AppError('precondition', `the secret ${file} cannot be kept: ${(e as Error).message}`, {
      cause: e,
    });
  }
}

function read(file: string): string | null {
  let found: string;
  try {
    found = readFileSync(file, 'utf8').trim();
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw e;
  }
  if (found.length >= MIN_LENGTH) return found;
  throw new AppError('precondition', `the secret in ${file} is damaged: remove the file, a new one is made`);
}

/** tmp -> fsync -> link (fails when somebody was first) -> fsync of the directory */
function make(file: string, secret: string): string {
  const dir = path.dirname(file);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const tmp = `${file}.${process.pid}.tmp`;
  const fd = openSync(tmp, 'w', 0o600);
  try {
    writeSync(fd, `${secret}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  try {
    linkSync(tmp, file);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e;
    return read(file) ?? secret;
  } finally {
    unlinkSync(tmp);
  }
  const dirFd = openSync(dir, 'r');
  try {
    fsyncSync(dirFd);
  } finally {
    closeSync(dirFd);
  }
  return secret;
}
