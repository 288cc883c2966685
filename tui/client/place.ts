import type { ConsolePlace } from '../../proto/link/console-channel.ts';
import { tokensInMemory } from '../../proto/link/people-api.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { loginsDir, tokenFile } from './token-file.ts';

/** A master as the settings name it. */
export type Master =
  | { readonly name: string; readonly socket: string; readonly user?: string }
  | { readonly name: string; readonly addr: string; readonly caPin: string; readonly user?: string };

type Env = Readonly<Record<string, string | undefined>>;

/** `--context prod` in a command a person is told to type; nothing for the one that is meant without. */
export function whereOf(master: Master): string {
  return 'socket' in master ? master.socket : master.addr;
}

/** The key or token of the environment, for machines. @throws AppError `invalid` when both are there */
export function tokenOfEnv(env: Env): string | null {
  const key = env['AICDN_API_KEY'] || null;
  const token = env['AICDN_TOKEN'] || null;
  if (key !== null && token !== null) {
    throw new AppError('invalid', 'AICDN_API_KEY and AICDN_TOKEN are both set: leave one of them');
  }
  return key ?? token;
}

/**
 * How a person or a machine comes to this master: with the token of the environment, else with what a login left.
 * @throws AppError `invalid`
 */
export function placeOf(master: Master, env: Env): ConsolePlace {
  const token = tokenOfEnv(env);
  const tokens =
    token === null ? loginOf(master, env) : tokensInMemory({ accessToken: token, refreshToken: null });
  if ('addr' in master) {
    return { addr: master.addr, caPin: master.caPin, tokens: tokens ?? tokensInMemory(null) };
  }
  return { socket: master.socket, tokens };
}

function loginOf(master: Master, env: Env) {
  const place = 'socket' in master ? `unix ${master.socket}` : `${master.addr} ${master.caPin}`;
  try {
    return tokenFile(loginsDir(env), master.name, place);
  } catch (error) {
    // Without a home nobody has logged in; the socket knows its peer all the same.
    if (error instanceof AppError && error.code === 'precondition') return null;
    throw error;
  }
}
