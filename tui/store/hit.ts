import type { NodeName } from '../../proto/vocab/ids.ts';
import { actedOn } from './nodes-view.ts';
import { cursorRegion } from './regions-view.ts';
import type { State } from './state.ts';

/** The nodes an act would hit, by where you are. */
export function hit(state: State): readonly NodeName[] {
  if (state.place.kind === 'node') {
    const node = state.picture.facts.node.get(state.place.name);
    return node === undefined ? [] : [node.name];
  }
  if (state.place.screen === 'regions') {
    return cursorRegion(state.regions)?.nodes.map((i) => i.node.name) ?? [];
  }
  if (state.place.screen !== 'nodes') return [];
  return actedOn(state.nodes).map((i) => i.node.name);
}
