import { printedKey, rowsAt, whereAmI } from '../keys/match.ts';
import { SECTIONS } from '../keys/row.ts';
import { cursorItem } from '../store/nodes-view.ts';
import type { State } from '../store/state.ts';
import { words } from '../store/words.ts';
import type { Row } from '../theme/row.ts';
import type { FrameParts } from '../views/frame.tsx';
import { type HelpProps, helpMaxScroll, helpRows } from '../views/pages.ts';
import type { Ui } from '../views/ui.ts';
import { message } from './foot.ts';
import { speak } from './words.ts';

const LATER = words('not here yet', '尚未提供');

/** The keys of the screen beneath the help, from the key table and nowhere else. */
export function helpProps(state: State, ui: Ui): HelpProps {
  const beneath: State = { ...state, help: null };
  const where = whereAmI(beneath);
  const screen = state.place.kind === 'node' ? state.place.name : ui.theme.say(`tab.${state.place.screen}`);
  const on =
    where === 'node' ? null : where === 'nodes' ? (cursorItem(state.nodes)?.node.name ?? null) : null;
  return {
    screen,
    on,
    marked: state.nodes.marks.size,
    sections: SECTIONS.map((s) => ({
      title: speak(s.title, ui.theme),
      rows: rowsAt(where)
        .filter((r) => r.section === s.id)
        .map((r) => {
          const row = { keys: r.keys.map(printedKey).join(' '), text: speak(r.description, ui.theme) };
          const off = r.disabledReason(beneath);
          if (off === null) return row;
          // The whole reason comes when the key is pressed.
          return { ...row, off: speak(r.intent.kind === 'not-here' ? LATER : off, ui.theme) };
        }),
    })).filter((s) => s.rows.length > 0),
    scroll: state.help?.scroll ?? 0,
  };
}

export function helpScroll(state: State, ui: Ui): number {
  return helpMaxScroll(helpProps(state, ui), ui);
}

/** `helpRows` gives its own last row; the message has none to stand in. */
export function helpParts(state: State, ui: Ui, header: readonly Row[]): FrameParts {
  const rows = helpRows(helpProps(state, ui), ui);
  return { header, body: rows.slice(0, -1), foot: rows.length === 0 ? [message(state, ui)] : rows.slice(-1) };
}
