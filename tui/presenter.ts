import { measure } from './screens/nodes.ts';
import { roomOf, screenRows } from './screens/screen.ts';
import type { Room, State } from './store/state.ts';
import { paint } from './theme/row.ts';
import type { Theme } from './theme/theme.ts';
import type { MeasuredNodes } from './views/node-table.ts';
import type { Ui } from './views/ui.ts';

/** What a frame showed: keys act on this, never on what arrived since. */
export interface Frame {
  /** + 1 whenever what is to be written differs. */
  readonly version: number;
  readonly lines: readonly string[];
  /** Place, cursor, marks and sheet as drawn. */
  readonly focus: string;
  readonly sheet: number | null;
  readonly ui: Ui;
}

export interface Presenter {
  /** The frame for this state and size; the same lines, object for object, when nothing but the clock would differ. */
  present(state: State, size: { readonly width: number; readonly height: number }): Frame;
  /** Version of the last frame presented. */
  version(): number;
  room(state: State, size: { readonly width: number; readonly height: number }): Room;
}

/** When nothing changed nothing is written but the clock, this often: a hung console must not look like a still fleet. */
const CLOCK_EVERY_MS = 10_000;

/** What a key would act on: it must have been drawn before it is acted on. */
export function focusOf(state: State): string {
  const { place, nodes, regions, alerts, configs, sheet } = state;
  const where = place.kind === 'node' ? `node:${place.name}` : `screen:${place.screen}`;
  const marks = nodes.marks.size === 0 ? '' : [...nodes.marks].join(',');
  const alert = `${alerts.focus}:${alerts.alert ?? ''}:${alerts.silence ?? ''}`;
  const version = `${configs.cursor ?? ''}${configs.diff === null ? '' : ' diff'}`;
  return [where, nodes.cursor ?? '', marks, regions.cursor ?? '', alert, version, sheet?.id ?? ''].join('|');
}

export function createPresenter(settings: { readonly theme: Theme; readonly context: string }): Presenter {
  const { theme, context } = settings;
  let last: Frame | null = null;
  let shownAt = 0;
  let measured: { readonly key: string; readonly cells: MeasuredNodes } | null = null;

  // Set on entering the screen and on resize; a longer value is cut until then.
  function cells(state: State, width: number): MeasuredNodes {
    const place = state.place.kind === 'screen' ? state.place.screen : 'node';
    const key = `${place}:${width}:${state.nodes.items.length === 0}`;
    if (measured?.key !== key) measured = { key, cells: measure(state) };
    return measured.cells;
  }

  function draw(state: State, ui: Ui, at: number): readonly string[] {
    const args = { context, shownAt: at, measured: cells(state, ui.width) };
    return screenRows(state, ui, args).map((r) => paint(r, ui.width, theme));
  }

  function same(a: readonly string[], b: readonly string[]): boolean {
    return a.length === b.length && a.every((line, i) => line === b[i]);
  }

  return {
    present(state, size) {
      const ui: Ui = { ...size, theme };
      const before = last;
      const focus = focusOf(state);
      const sheet = state.sheet?.id ?? null;
      const still = state.now - shownAt < CLOCK_EVERY_MS && state.now >= shownAt;
      let lines = draw(state, ui, still ? shownAt : state.now);
      if (before !== null && same(lines, before.lines)) {
        last = { ...before, focus, sheet, ui };
        return last;
      }
      if (still) lines = draw(state, ui, state.now);
      shownAt = state.now;
      last = { version: (before?.version ?? 0) + 1, lines, focus, sheet, ui };
      return last;
    },
    version: () => last?.version ?? 0,
    room: (state, size) => roomOf(state, { ...size, theme }),
  };
}
