import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenKeeper, Tokens } from '../../proto/link/people-api.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Session } from '../../proto/vocab/people.ts';

/** What is known of a login without asking the master. */
export interface KeptLogin extends Tokens {
  readonly user: string;
  readonly role: string;
  readonly refreshExpiresAt: number;
}

export interface TokenFile extends TokenKeeper {
  readonly path: string;
  get(): KeptLogin | null;
}

/** A refresh is one call with a deadline of 10 s: who holds the lock longer was killed in it. */
const LOCK_MS = 30_000;
const LOOK_MS = 20;

/**
 * `$XDG_STATE_HOME/ai-cdn/logins` or `~/.local/state/ai-cdn/logins`. @throws AppError `precondition` without a home
 */
export function loginsDir(env: Readonly<Record<string, string | undefined>>): string {
  const base = env['XDG_STATE_HOME'] || (env['HOME'] ? path.join(env['HOME'], '.local', 'state') : null);
  if (!base) throw new AppError('precondition', 'HOME is not set: there is no place to keep a login');
  return path.join(base, 'ai-cdn', 'logins');
}

/**
 * Tokens of one person at one master, for all of that person's programs: a file of mode 0600, replaced whole. Its name
 * holds the place, so that a context that is pointed elsewhere never shows its tokens there.
 * @param place what a token is for: the socket, or address and pin
 */
export function tokenFile(dir: string, context: string, place: string): TokenFile {
  const digest = createHash('sha256').update(place).digest('hex').slice(0, 16);
  const word = context.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '_');
  const file = path.join(dir, `${word}-${digest}.json`);

  return {
    path: file,
    get: () => readTokens(file),
    set(tokens, session) {
      if (tokens === null) rmSync(file, { force: true });
      else writeTokens(file, tokens, session);
    },
    async exclusively(work) {
      const release = await takeLock(`${file}.lock`);
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}

/** A file that is damaged, or not its owner's alone, is as good as none. */
function readTokens(file: string): KeptLogin | null {
  try {
    if ((statSync(file).mode & 0o077) !== 0) return null;
    const v = JSON.parse(readFileSync(file, 'utf8')) as Partial<KeptLogin>;
    if (typeof v.accessToken !== 'string') return null;
    return {
      accessToken: v.accessToken,
      refreshToken: typeof v.refreshToken === 'string' ? v.refreshToken : null,
      user: String(v.user ?? ''),
      role: String(v.role ?? ''),
      refreshExpiresAt: Number(v.refreshExpiresAt ?? 0),
    };
  } catch {
    return null;
  }
}

function writeTokens(file: string, tokens: Tokens, session: Session | undefined): void {
  const kept = {
    user: session?.caller.actor ?? '',
    role: session?.caller.role ?? '',
    refreshExpiresAt: session?.refreshExpiresAt ?? 0,
    accessToken: tokens.accessToken,
    refreshToken: tokens.refreshToken,
  };
  const tmp = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(tmp, `${JSON.stringify(kept)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(tmp, file);
  } catch (error) {
    rmSync(tmp, { force: true });
    throw new AppError('precondition', `the login cannot be kept in ${file}: ${String(error)}`, {
      cause: error,
    });
  }
}

/** Across processes: a file that only one can make. @returns its release */
async function takeLock(lock: string): Promise<() => void> {
  const mine = `${process.pid} ${randomBytes(8).toString('hex')}`;
  mkdirSync(path.dirname(lock), { recursive: true, mode: 0o700 });
  const until = Date.now() + LOCK_MS;
  for (;;) {
    try {
      writeFileSync(lock, mine, { flag: 'wx', mode: 0o600 });
      return () => {
        if (textOf(lock) === mine) rmSync(lock, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new AppError('precondition', `${lock} cannot be made: ${String(error)}`, { cause: error });
      }
    }
    if (isStale(lock)) breakLock(lock);
    else if (Date.now() > until) {
      throw new AppError('precondition', `another program holds ${lock}; if none runs, remove it`);
    } else await sleep(LOOK_MS);
  }
}

/** Its holder is gone, or has held it longer than a refresh can take. */
function isStale(lock: string): boolean {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCK_MS) return true;
    const pid = Number.parseInt(textOf(lock), 10);
    // Made, and not written yet: its maker is in the middle of it.
    if (!(pid > 0)) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Moved away before it is judged again: of two that find it stale one gets it, and a fresh one is put back. */
function breakLock(lock: string): void {
  const aside = `${lock}.${randomBytes(6).toString('hex')}`;
  try {
    renameSync(lock, aside);
    if (isStale(aside)) rmSync(aside, { force: true });
    else renameSync(aside, lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
