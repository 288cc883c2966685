import type { ConsoleApi, LinkState, Watch } from '../../proto/link/console-api.ts';
import { systemTimers, type Timers } from '../../proto/link/timers.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import type { WatchEvent } from '../../proto/vocab/watch.ts';
import { resumePoint } from '../store/fleet.ts';
import type { Hub } from './hub.ts';

/** A burst becomes one event for the store: lists are judged once, not once a change. */
const BATCH_MS = 40;

export interface Follower {
  /** Starts the stream again from what is known; while waiting, tries at once. */
  resubscribe(): void;
  /** Which nodes are on screen. */
  look(names: readonly NodeName[]): void;
  close(): void;
}

function sameNames(a: readonly NodeName[], b: readonly NodeName[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

/** Follows the master into the store, for as long as the console runs. */
export function follow(
  settings: { readonly client: string },
  needs: {
    readonly api: Pick<ConsoleApi, 'watch'>;
    readonly hub: Pick<Hub, 'dispatch' | 'state'>;
    readonly timers?: Timers;
  },
): Follower {
  const { api, hub } = needs;
  const timers = needs.timers ?? systemTimers;
  let pending: WatchEvent[] = [];
  let cancelFlush: (() => void) | null = null;
  let watch: Watch | null = null;
  let generation = 0;
  let looking: readonly NodeName[] = [];
  let last: LinkState['kind'] = 'connecting';

  function flush(): void {
    cancelFlush?.();
    cancelFlush = null;
    if (pending.length === 0) return;
    const events = pending;
    pending = [];
    hub.dispatch({ kind: 'stream', events });
  }

  function onState(state: LinkState): void {
    last = state.kind;
    flush();
    if (state.kind === 'connecting') {
      hub.dispatch({ kind: 'link', event: { kind: 'connecting', attempt: state.attempt + 1 } });
    } else if (state.kind === 'waiting') {
      const { attempt, reason, until } = state;
      hub.dispatch({
        kind: 'link',
        event: { kind: 'waiting', attempt: attempt + 1, reason, retryAt: until },
      });
    }
  }

  function start(): void {
    generation += 1;
    const mine = generation;
    watch = api.watch(
      {
        client: settings.client,
        since: () => {
          const from = resumePoint(hub.state().fleet);
          return from === null ? null : { revision: from.since, storeId: from.storeId };
        },
      },
      (event) => {
        if (mine !== generation) return;
        pending.push(event);
        cancelFlush ??= timers.after(BATCH_MS, flush);
      },
      (state) => {
        if (mine === generation) onState(state);
      },
    );
    if (looking.length > 0) watch.look(looking);
  }

  function stop(): void {
    // What a closed stream still had to say is not taken in: its state callbacks included.
    generation += 1;
    pending = [];
    cancelFlush?.();
    cancelFlush = null;
    watch?.close();
    watch = null;
  }

  start();
  return {
    resubscribe() {
      if (last === 'waiting') {
        watch?.retryNow();
        return;
      }
      stop();
      start();
    },
    look(names) {
      if (sameNames(names, looking)) return;
      looking = names;
      watch?.look(names);
    },
    close: stop,
  };
}
