import type { ScreenId } from './intent.ts';
import { type NodesView, regroup } from './nodes-view.ts';
import { askTargets } from './reduce-rollouts.ts';
import { regroupRegions } from './regions-view.ts';
import type { Place, State } from './state.ts';
import { type Step, stay } from './step.ts';

/** A place is entered: lists are put in order, a node's page is asked for. */
export function enter(state: State, place: Place): Step {
  const same = JSON.stringify(state.place) === JSON.stringify(place);
  const next: State = {
    ...state,
    place,
    lastPlace: same ? state.lastPlace : state.place,
    prompt: null,
    help: null,
    detail: null,
  };
  if (place.kind === 'node') {
    const node = state.picture.facts.node.get(place.name);
    if (node === undefined) return stay(state);
    const detail = {
      name: place.name,
      detail: null,
      error: null,
      asking: true,
      askedAt: state.now,
      scroll: 0,
    };
    return stay({ ...next, detail }, { kind: 'fetch-node', name: node.name });
  }
  // `4 Tab e` means the same wherever you were last.
  if (place.screen === 'alerts')
    return stay(ordered({ ...next, alerts: { ...next.alerts, focus: 'alerts' } }));
  return askTargets(ordered(next), state.now);
}

/** Applies the order now. */
export function ordered(state: State, nodes: NodesView = state.nodes): State {
  const next = regroup(nodes, state.picture, { apply: true, rows: state.room.nodeRows });
  return { ...state, nodes: next, regions: regroupRegions(state.regions, next.items, state.picture, true) };
}

export function onScreen(state: State, screen: ScreenId): boolean {
  return state.place.kind === 'screen' && state.place.screen === screen;
}
