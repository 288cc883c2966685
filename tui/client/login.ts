import type { PeopleApi } from '../../proto/link/people-api.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import { type Master, whereOf } from './place.ts';

/** So often is a password that is wrong asked for again. */
const TRIES = 3;

type Asks = (prompt: string, hidden: boolean) => Promise<string>;

/**
 * Makes sure that the master knows who is here, asking for a password where it does not. A master that does not answer
 * is left for later: whoever connects again and again shows that.
 * @param ask `null`: a token of the environment stands in its place
 * @throws AppError `unauthenticated`, `precondition` when it was broken off
 */
export async function logIn(
  api: Pick<PeopleApi, 'whoAmI' | 'login'>,
  master: Master,
  ask: Asks | null,
): Promise<void> {
  if (await known(api)) return;
  if (ask === null) {
    throw new AppError(
      'unauthenticated',
      `the token of the environment is not good at ${whereOf(master)}: make another one, or unset it and log in`,
    );
  }
  const name = master.user ?? (await ask(`user at ${whereOf(master)}: `, false)).trim();
  for (let left = TRIES; ; left--) {
    const password = await ask(`password of ${name} at ${whereOf(master)}: `, true);
    try {
      await api.login({ name, password });
      return;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unauthenticated' || left <= 1) throw error;
    }
  }
}

async function known(api: Pick<PeopleApi, 'whoAmI'>, again = true): Promise<boolean> {
  try {
    return (await api.whoAmI()) !== null;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    // A login that is over was forgotten by now: the local socket may know its peer without.
    if (error.code === 'unauthenticated') return again && known(api, false);
    if (error.code === 'unavailable' || error.code === 'timeout') return true;
    throw error;
  }
}
