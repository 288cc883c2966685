import type { Effect } from '../store/effect.ts';
import { reduce } from '../store/reducer.ts';
import { type ConsoleEvent, initialState, type State } from '../store/state.ts';

/** The one place the state lives: events in, effects out, subscribers told once an event. */
export interface Hub {
  state(): State;
  dispatch(event: ConsoleEvent): void;
  subscribe(onChange: () => void): () => void;
}

export function createHub(needs: {
  readonly now: () => number;
  readonly perform: (effect: Effect) => void;
}): Hub {
  let state = initialState(needs.now());
  const listeners = new Set<() => void>();
  return {
    state: () => state,
    dispatch(event) {
      const step = reduce(state, event, needs.now());
      const changed = step.state !== state;
      state = step.state;
      if (changed) for (const tell of [...listeners]) tell();
      for (const effect of step.effects) needs.perform(effect);
    },
    subscribe(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
  };
}
