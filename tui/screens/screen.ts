import { alertBadges, dataAge, health } from '../store/select-header.ts';
import type { Room, State } from '../store/state.ts';
import type { Row } from '../theme/row.ts';
import { composeFrame, type FrameParts } from '../views/frame.tsx';
import { type MeasuredNodes, visibleNodes } from '../views/node-table.ts';
import { isTooSmall, notHereRows, tooSmallRows } from '../views/pages.ts';
import type { Ui } from '../views/ui.ts';
import { alertsParts } from './alerts.ts';
import { configsParts } from './configs.ts';
import { keybar, messageOrPrompt } from './foot.ts';
import { header, headerProps } from './header.ts';
import { helpParts, helpScroll } from './help.ts';
import { nodeMaxScroll, nodeParts } from './node.ts';
import { nodesParts } from './nodes.ts';
import { regionsParts } from './regions.ts';
import { rolloutParts } from './rollout/rollout.ts';
import { targetParts, targetScroll } from './rollout/target.ts';
import { sheetRows } from './sheets/sheet.ts';
import { clock } from './words.ts';

export interface ScreenArgs {
  /** The context's name until the master has told its own. */
  readonly context: string;
  /** The clock as shown. */
  readonly shownAt: number;
  readonly measured: MeasuredNodes;
}

function tooSmall(state: State, ui: Ui, a: ScreenArgs): readonly Row[] {
  const age = dataAge(state);
  const seconds = Math.max(1, Math.floor((age?.ageMs ?? 0) / 1000));
  const { health: standing } = headerProps(state, ui.theme, a);
  return tooSmallRows(
    {
      health: health(state).length === 0 ? [] : standing,
      alerts: alertBadges(state),
      notice: null,
      age: age === null ? '' : ui.theme.say(`age.${age.kind}`, { n: `${seconds}s` }),
      clock: clock(a.shownAt),
    },
    ui,
  );
}

/** Screen 3 has four faces: a diff, the versions, a target, the rollout. */
function onRollouts(state: State, ui: Ui, top: readonly Row[]): FrameParts {
  if (state.configs.diff !== null || state.rollouts.pane === 'versions') return configsParts(state, ui, top);
  return state.rollouts.open === null ? rolloutParts(state, ui, top) : targetParts(state, ui, top);
}

function parts(state: State, ui: Ui, a: ScreenArgs): FrameParts {
  const top = header(state, ui, a);
  if (state.help !== null) return helpParts(state, ui, top);
  if (state.place.kind === 'node') return nodeParts(state, ui, top);
  const { screen } = state.place;
  if (screen === 'nodes') return nodesParts(state, ui, { header: top, measured: a.measured });
  if (screen === 'alerts') return alertsParts(state, ui, top);
  if (screen === 'regions') return regionsParts(state, ui, top);
  if (screen === 'rollouts') return onRollouts(state, ui, top);
  return {
    header: top,
    body: notHereRows(screen, ui),
    foot: [messageOrPrompt(state, ui), keybar(state, ui)],
  };
}

/** The whole screen, row by row: a function of the state, the size and the clock shown. */
export function screenRows(state: State, ui: Ui, a: ScreenArgs): readonly Row[] {
  if (isTooSmall(ui)) return tooSmall(state, ui, a);
  const p = parts(state, ui, a);
  if (state.sheet === null) return composeFrame(p, ui);
  return composeFrame({ ...p, sheet: sheetRows(state.sheet, state, ui) }, ui);
}

/** What the store must know of the layout to keep the cursor on the screen. */
export function roomOf(state: State, ui: Ui): Room {
  return {
    nodeRows: visibleNodes(ui),
    detailMaxScroll: state.place.kind === 'node' ? nodeMaxScroll(state, ui) : 0,
    targetMaxScroll: state.rollouts.open === null ? 0 : targetScroll(state, ui),
    helpMaxScroll: state.help === null ? 0 : helpScroll(state, ui),
    tooSmall: isTooSmall(ui),
  };
}
