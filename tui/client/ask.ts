import { randomUUID } from 'node:crypto';
import type { ConsoleApi } from '../../proto/link/console-api.ts';
import type { RolloutsApi } from '../../proto/link/rollouts-api.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Effect } from '../store/effect.ts';
import type { ConsoleEvent, Failure } from '../store/state.ts';
import type { Words } from '../store/words.ts';

/** What every effect is done with. */
export interface ActNeeds {
  readonly api: ConsoleApi & RolloutsApi;
  readonly dispatch: (event: ConsoleEvent) => void;
  readonly now: () => number;
  readonly resubscribe: () => void;
  readonly quit: () => void;
}

/** One executor an effect. */
export type Executor<K extends Effect['kind']> = (
  effect: Extract<Effect, { kind: K }>,
  needs: ActNeeds,
) => void;

export function failureOf(error: unknown): Failure {
  if (error instanceof AppError) {
    return { code: error.code, message: error.message, refusals: error.refusals };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), refusals: [] };
}

/** The answer, or the refusal, as an event; nothing is shown before one of them is there. */
export function ask<T>(
  needs: ActNeeds,
  what: Words,
  sheet: number | null,
  call: Promise<T>,
  then: (answer: T) => ConsoleEvent,
): void {
  call.then(
    (answer) => needs.dispatch(then(answer)),
    (error: unknown) => needs.dispatch({ kind: 'failed', sheet, what, failure: failureOf(error) }),
  );
}

/** A request id a key press: a retry of the link repeats it, and the master answers as it did the first time. */
export function mutation(reason: string) {
  return { reason, requestId: randomUUID() };
}
