import { formatDuration } from '../../proto/vocab/duration.ts';
import type { Millis, RolloutId } from '../../proto/vocab/ids.ts';
import { moveAlerts } from './alerts-view.ts';
import { moveConfigs } from './configs-view.ts';
import { enter, onScreen, ordered } from './enter.ts';
import type { Intent } from './intent.ts';
import { peelError } from './message.ts';
import { moveCursor, shiftSort, toggleMark, turnSort, withFilter, withSort } from './nodes-view.ts';
import { describeCursor } from './reduce-describe.ts';
import { askTargets, moveRollouts, openRollout, turnRollout } from './reduce-rollouts.ts';
import { moveRegions, seriesDue, turnWindow, windowOf } from './regions-view.ts';
import { chosen, ROLLOUTS_VIEW } from './rollouts-view.ts';
import type { Place, Prompt, State } from './state.ts';
import { type Step, say, stay } from './step.ts';
import { words } from './words.ts';

function move(state: State, by: number): Step {
  if (state.help !== null) return scrollHelp(state, by);
  if (state.place.kind === 'node') return scrollDetail(state, by);
  if (state.place.screen === 'nodes') {
    return stay({ ...state, nodes: moveCursor(state.nodes, by, state.room.nodeRows) });
  }
  if (state.place.screen === 'alerts') return stay({ ...state, alerts: moveAlerts(state.alerts, by) });
  if (state.place.screen === 'regions') return stay({ ...state, regions: moveRegions(state.regions, by) });
  if (state.place.screen === 'rollouts') return moveOnRollouts(state, by);
  return stay(state);
}

function moveOnRollouts(state: State, by: number): Step {
  const versions = state.rollouts.pane === 'versions' || state.configs.diff !== null;
  return versions ? moveVersions(state, by) : moveRollouts(state, by);
}

/** The list has one row less than the nodes' for its heads and peek; a diff has two more. */
function moveVersions(state: State, by: number): Step {
  const { diff } = state.configs;
  if (diff === null) return stay({ ...state, configs: moveConfigs(state.configs, by) });
  const most = (diff.lines?.length ?? 0) - state.room.nodeRows;
  const scroll = clamp(diff.scroll + by, most);
  return stay({ ...state, configs: { ...state.configs, diff: { ...diff, scroll } } });
}

function clamp(n: number, max: number): number {
  return Math.min(Math.max(0, max), Math.max(0, n));
}

function scrollDetail(state: State, by: number): Step {
  if (state.detail === null) return stay(state);
  const scroll = clamp(state.detail.scroll + by, state.room.detailMaxScroll);
  return stay({ ...state, detail: { ...state.detail, scroll } });
}

function scrollHelp(state: State, by: number): Step {
  if (state.help === null) return stay(state);
  return stay({ ...state, help: { scroll: clamp(state.help.scroll + by, state.room.helpMaxScroll) } });
}

/** Esc takes one layer away: help, an error that waits, the filter, the marks, the page. */
function peel(state: State): Step {
  if (state.help !== null) return stay({ ...state, help: null });
  const calmer = peelError(state.messages);
  if (calmer !== null) return stay({ ...state, messages: calmer });
  if (state.place.kind === 'node') return enter(state, { kind: 'screen', screen: state.place.from });
  if (onScreen(state, 'rollouts') && state.configs.diff !== null) {
    return stay({ ...state, configs: { ...state.configs, diff: null } });
  }
  if (onScreen(state, 'rollouts') && state.rollouts.open !== null) {
    return stay({ ...state, rollouts: { ...state.rollouts, open: null } });
  }
  if (onScreen(state, 'nodes')) {
    if (state.nodes.filterText !== '') return stay(ordered(state, withFilter(state.nodes, '')));
    if (state.nodes.marks.size > 0) return stay({ ...state, nodes: { ...state.nodes, marks: new Set() } });
  }
  return stay(state);
}

const QUIT_AGAIN_MS = 3_000;

function back(state: State): Step {
  if (state.help !== null) return stay({ ...state, help: null });
  if (state.place.kind === 'node') return enter(state, { kind: 'screen', screen: state.place.from });
  if (onScreen(state, 'rollouts') && (state.configs.diff ?? state.rollouts.open) !== null) return peel(state);
  if (state.quitAsked !== null && state.now - state.quitAsked <= QUIT_AGAIN_MS) {
    return stay(state, { kind: 'quit' });
  }
  const text = words(
    'q once more quits; what runs on the master runs on',
    '再按一次 q 退出；主控上的任务继续运行',
  );
  return stay({ ...say(state, null, text, state.now + QUIT_AGAIN_MS), quitAsked: state.now });
}

function freeze(state: State): Step {
  if (state.frozenAt !== null) return stay({ ...state, frozenAt: null });
  return stay({ ...state, frozenAt: state.now, picture: state.fleet });
}

/** Whether text goes to the prompt, and what becomes of it. */
export function inPrompt(
  state: State,
  prompt: Exclude<Prompt, { kind: 'command' }>,
  intent: Intent,
): Step | null {
  if (prompt.kind === 'order') {
    if (intent.kind === 'order-by') {
      return stay(ordered({ ...state, prompt: null }, withSort(state.nodes, intent.column)));
    }
    return intent.kind === 'peel' || intent.kind === 'no' ? stay({ ...state, prompt: null }) : null;
  }
  const typed = (text: string): Step =>
    stay(ordered({ ...state, prompt: { ...prompt, text } }, withFilter(state.nodes, text)));
  switch (intent.kind) {
    case 'type':
      return typed(`${prompt.text}${intent.text}`.slice(0, 200));
    case 'erase':
      return prompt.text === ''
        ? stay({ ...state, prompt: null })
        : typed([...prompt.text].slice(0, -1).join(''));
    case 'erase-line':
      return typed('');
    case 'submit':
      return stay({ ...state, prompt: null });
    case 'peel':
      return stay(ordered({ ...state, prompt: null }, withFilter(state.nodes, prompt.before)));
    default:
      return null;
  }
}

const ROLLOUTS: Place = { kind: 'screen', screen: 'rollouts' };

/** The rollout that was just begun, though the stream may not have told of it yet. */
export function showRollout(state: State, id: RolloutId): Step {
  const rollouts = chosen(state.rollouts, id);
  return enter({ ...state, rollouts, configs: { ...state.configs, diff: null } }, ROLLOUTS);
}

/** `3` is the rollout that goes on, wherever you were on it last. */
function openScreen(state: State, intent: Extract<Intent, { kind: 'open-screen' }>): Step {
  const { screen, pane = 'rollout', filter } = intent;
  const place: Place = { kind: 'screen', screen };
  if (screen === 'rollouts') {
    const { asking, got } = state.rollouts;
    const rollouts = { ...ROLLOUTS_VIEW, asking, got, pane };
    return enter({ ...state, rollouts, configs: { ...state.configs, diff: null } }, place);
  }
  const there = enter(state, place);
  if (filter === undefined) return there;
  return { ...there, state: ordered(there.state, withFilter(there.state.nodes, filter)) };
}

function nextPane(state: State): Step {
  const pane = state.rollouts.pane === 'rollout' ? 'versions' : 'rollout';
  const next = { ...state, rollouts: { ...state.rollouts, pane, open: null } } as const;
  return askTargets({ ...next, configs: { ...state.configs, diff: null } }, state.now);
}

/** What was in the regions, while somebody looks at them. */
export function askRegions(state: State, now: Millis): Step {
  const on = state.place.kind === 'screen' && state.place.screen === 'regions';
  const due = on && state.frozenAt === null ? seriesDue(state.regions, now) : null;
  if (due === null) return stay(state);
  return stay({ ...state, regions: { ...state.regions, askedAt: now } }, due);
}

/** Said as well: where the screen is narrow there are no bars. */
function turned(state: State): Step {
  const regions = turnWindow(state.regions);
  const { cells, stepMs } = windowOf(regions);
  const over = formatDuration(cells * stepMs);
  const text = words(`TTFT95 bars go over ${over}`, `TTFT95 图的时间窗：${over}`);
  return askRegions(say({ ...state, regions }, 'well', text), state.now);
}

/** Intents that only change what is looked at. */
export function look(state: State, intent: Intent): Step {
  switch (intent.kind) {
    case 'open-screen':
      return openScreen(state, intent);
    case 'open-rollout': {
      const there = openRollout(state, intent.id);
      if (there === null) return stay(state);
      return enter({ ...there.state, configs: { ...state.configs, diff: null } }, ROLLOUTS);
    }
    case 'window':
      return turned(state);
    case 'other':
      return turnRollout(state, intent);
    case 'last-screen':
      return state.lastPlace === null ? stay(state) : enter(state, state.lastPlace);
    case 'describe':
      return describeCursor(state, intent.version === true);
    case 'help':
      return stay({ ...state, help: state.help === null ? { scroll: 0 } : null });
    case 'freeze':
      return freeze(state);
    case 'refresh':
      return stay(ordered(state), { kind: 'resubscribe' });
    case 'move':
      return move(state, intent.by);
    case 'page':
      return move(state, intent.by * Math.max(1, state.room.nodeRows - 1));
    case 'jump':
      return move(state, intent.to === 'first' ? -1e9 : 1e9);
    case 'next-pane': {
      if (onScreen(state, 'rollouts')) return nextPane(state);
      const focus = state.alerts.focus === 'alerts' ? 'silences' : 'alerts';
      return stay({ ...state, alerts: { ...state.alerts, focus } });
    }
    case 'filter-open': {
      const text = state.nodes.filterText;
      return stay({ ...state, prompt: { kind: 'filter', text, before: text } });
    }
    case 'command-open':
      return stay({ ...state, prompt: { kind: 'command', text: '', error: null } });
    case 'order-open':
      return stay({ ...state, prompt: { kind: 'order' } });
    case 'order-by':
      return stay(ordered(state, withSort(state.nodes, intent.column)));
    case 'order-shift':
      return stay(ordered(state, shiftSort(state.nodes, intent.by)));
    case 'order-turn':
      return stay(ordered(state, turnSort(state.nodes)));
    case 'mark':
      return stay({ ...state, nodes: moveCursor(toggleMark(state.nodes), 1, state.room.nodeRows) });
    case 'peel':
      return peel(state);
    case 'back':
      return back(state);
    case 'quit':
      return stay(state, { kind: 'quit' });
    default:
      return stay(state);
  }
}
