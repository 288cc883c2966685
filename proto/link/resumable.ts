import { AppError } from '../vocab/errors.ts';
import { BACKOFF, type BackoffSettings, backoffMs } from './backoff.ts';
import { systemTimers, type Timers } from './timers.ts';

/** Where a kept-alive stream stands. `reason` is for people: why the last attempt ended. */
export type LinkState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'open'; readonly since: number }
  | {
      readonly kind: 'waiting';
      readonly until: number;
      readonly attempt: number;
      readonly reason: string;
      readonly code: AppError['code'];
    }
  | { readonly kind: 'stopped' };

export interface AttemptHooks {
  /** The peer has answered: the stream works. */
  opened(): void;
  /** The stream is over. `minWaitMs`: the peer asked to stay away that long. Only the first call counts. */
  closed(error: AppError, minWaitMs?: number): void;
}

export interface Attempt {
  /** Ends it without a further word to the hooks. */
  close(): void;
}

export interface ResumableNeeds {
  /** Starts one attempt. A throw counts as `closed`. */
  open(hooks: AttemptHooks): Attempt;
  onState(state: LinkState): void;
  timers?: Timers;
  random?: () => number;
}

export interface ResumableSettings {
  readonly backoff?: BackoffSettings;
  /** An attempt that has not opened by then is given up. */
  readonly openDeadlineMs?: number;
  /** Open for this long, a stream counts as good: the next wait starts small again. */
  readonly stableMs?: number;
}

export interface Resumable {
  state(): LinkState;
  /** Ends the wait, if there is one. */
  retryNow(): void;
  stop(): void;
}

/** Keeps a stream: opens it, and opens it again after each end, with backoff, until `stop`. */
export function resumable(settings: ResumableSettings, needs: ResumableNeeds): Resumable {
  const timers = needs.timers ?? systemTimers;
  const random = needs.random ?? Math.random;
  const openDeadlineMs = settings.openDeadlineMs ?? 30_000;
  const stableMs = settings.stableMs ?? 5_000;
  let state: LinkState = { kind: 'connecting', attempt: 0 };
  let failures = 0;
  let current: { attempt: Attempt | null; over: boolean } | null = null;
  let cancelTimer = (): void => {};

  function enter(next: LinkState): void {
    state = next;
    needs.onState(next);
  }

  // waiting -> connecting
  function connect(): void {
    const mine: { attempt: Attempt | null; over: boolean } = { attempt: null, over: false };
    current = mine;
    enter({ kind: 'connecting', attempt: failures });
    if (mine.over) return;
    cancelTimer = timers.after(openDeadlineMs, () =>
      fail(mine, new AppError('timeout', `no answer within ${openDeadlineMs / 1000} s`)),
    );
    try {
      const attempt = needs.open({
        opened: () => open(mine),
        closed: (error, minWaitMs) => fail(mine, error, minWaitMs),
      });
      mine.attempt = attempt;
      if (mine.over) attempt.close();
    } catch (error) {
      fail(
        mine,
        error instanceof AppError ? error : new AppError('internal', String(error), { cause: error }),
      );
    }
  }

  // connecting -> open
  function open(mine: { over: boolean }): void {
    if (mine.over || state.kind !== 'connecting') return;
    cancelTimer();
    enter({ kind: 'open', since: timers.now() });
  }

  // connecting | open -> waiting
  function fail(mine: { attempt: Attempt | null; over: boolean }, error: AppError, minWaitMs = 0): void {
    if (mine.over) return;
    mine.over = true;
    cancelTimer();
    if (state.kind === 'open' && timers.now() - state.since >= stableMs) failures = 0;
    const wait = Math.max(minWaitMs, backoffMs(failures, random, settings.backoff ?? BACKOFF));
    failures += 1;
    mine.attempt?.close();
    cancelTimer = timers.after(wait, connect);
    enter({
      kind: 'waiting',
      until: timers.now() + wait,
      attempt: failures,
      reason: error.message,
      code: error.code,
    });
  }

  connect();
  return {
    state: () => state,
    retryNow() {
      if (state.kind !== 'waiting') return;
      cancelTimer();
      connect();
    },
    // any -> stopped
    stop() {
      if (state.kind === 'stopped') return;
      cancelTimer();
      const mine = current;
      if (mine && !mine.over) {
        mine.over = true;
        mine.attempt?.close();
      }
      enter({ kind: 'stopped' });
    },
  };
}
