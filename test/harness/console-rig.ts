import { perform } from '../../tui/client/act.ts';
import type { ActNeeds } from '../../tui/client/ask.ts';
import { createHub, type Hub } from '../../tui/client/hub.ts';
import { follow } from '../../tui/client/watch.ts';
import type { Effect } from '../../tui/store/effect.ts';
import type { Intent } from '../../tui/store/intent.ts';
import type { State } from '../../tui/store/state.ts';
import { ConsoleMaster, fakeNode } from '../fakes/console-master.ts';
import { ManualTime } from '../fakes/manual-time.ts';

/** The console without its screen: the store, what it does, and a master in memory, on a clock that a test steps. */
export interface Rig {
  readonly time: ManualTime;
  readonly master: ConsoleMaster;
  readonly hub: Hub;
  readonly effects: Effect[];
  meant(intent: Intent): void;
  /** Lets promises and the stream's batch through. */
  settle(ms?: number): Promise<void>;
  second(): Promise<void>;
  state(): State;
}

export function rig(names: readonly string[] = ['hk-1', 'hk-2', 'us-1']): Rig {
  const time = new ManualTime();
  const master = new ConsoleMaster(
    { nodes: names.map((n) => fakeNode(n, { region: n.slice(0, 2) })) },
    { time },
  );
  const effects: Effect[] = [];
  const needs: { current: ActNeeds | null } = { current: null };
  const hub = createHub({
    now: time.now,
    perform: (effect) => {
      effects.push(effect);
      if (needs.current !== null) perform(effect, needs.current);
    },
  });
  const follower = follow({ client: 'test' }, { api: master, hub, timers: time });
  needs.current = {
    api: master,
    dispatch: hub.dispatch,
    now: time.now,
    resubscribe: follower.resubscribe,
    quit: () => {},
  };
  const settle = async (ms = 50) => {
    time.advance(ms);
    for (let i = 0; i < 8; i++) await Promise.resolve();
    time.advance(50);
  };
  return {
    time,
    master,
    hub,
    effects,
    settle,
    meant: (intent) => hub.dispatch({ kind: 'intent', intent }),
    second: async () => {
      await settle(900);
      master.tick();
      await settle(50);
      hub.dispatch({ kind: 'tick' });
      await settle(0);
    },
    state: hub.state,
  };
}
