import { cursorAlert } from './alerts-view.ts';
import { cursorVersion } from './configs-view.ts';
import { enter, ordered } from './enter.ts';
import { cursorItem, withFilter } from './nodes-view.ts';
import { cursorRegion } from './regions-view.ts';
import { cursorTarget, shownRollout } from './rollouts-view.ts';
import { alertNode } from './select-nodes.ts';
import type { State } from './state.ts';
import { type Step, say, stay } from './step.ts';
import { words } from './words.ts';

// Enter and d: a closer look at what is under the cursor.

/** What differs from the version it comes from. */
function openDiff(state: State, version = cursorVersion(state.configs)?.version): Step {
  if (version === undefined) return stay(state);
  const { label, parent } = version;
  if (parent === null) {
    return stay(
      say(
        state,
        null,
        words(
          `${label} is the first of its line: there is nothing before it`,
          `${label} 是首个版本，没有可比较者`,
        ),
      ),
    );
  }
  const diff = { label, from: parent, lines: null, added: 0, removed: 0, error: null, scroll: 0 };
  return stay({ ...state, configs: { ...state.configs, diff } }, { kind: 'fetch-diff', from: parent, label });
}

/** The nodes of the region under the cursor, by a filter that can be read and changed. */
function openRegion(state: State): Step {
  const item = cursorRegion(state.regions);
  if (item === null) return stay(state);
  const text = `-l region=${item.region} type=${item.nodeType}`;
  const there = enter(state, { kind: 'screen', screen: 'nodes' });
  const nodes = { ...withFilter(there.state.nodes, text), cursor: null, top: 0 };
  return { ...there, state: ordered(there.state, nodes) };
}

/** The page of the target under the cursor; on that page its node. */
function openTarget(state: State): Step {
  const { rollouts: v } = state;
  if (v.open !== null) return enter(state, { kind: 'node', name: v.open, from: 'rollouts' });
  const r = shownRollout(v, state.picture.facts);
  const target = r === null ? null : cursorTarget(v, r);
  return stay(target === null ? state : { ...state, rollouts: { ...v, open: target.node, scroll: 0 } });
}

function onRollouts(state: State, version: boolean): Step {
  if (state.rollouts.pane === 'versions') return openDiff(state);
  if (!version) return openTarget(state);
  const r = shownRollout(state.rollouts, state.picture.facts);
  return r === null ? stay(state) : openDiff(state, state.picture.facts.version.get(r.version));
}

export function describeCursor(state: State, version: boolean): Step {
  if (state.place.kind === 'node') return stay(state);
  const { screen } = state.place;
  if (screen === 'rollouts') return onRollouts(state, version);
  if (screen === 'regions') return openRegion(state);
  const alert = screen === 'alerts' ? cursorAlert(state.alerts) : null;
  const item = screen === 'nodes' ? cursorItem(state.nodes) : null;
  const name = alert === null ? (item?.node.name ?? null) : alertNode(alert.alert);
  return name === null ? stay(state) : enter(state, { kind: 'node', name, from: screen });
}
