import { masterNow } from '../store/select-nodes.ts';
import type { State } from '../store/state.ts';
import type { Row } from '../theme/row.ts';
import { firstRunRows } from '../views/pages.ts';
import type { Ui } from '../views/ui.ts';
import { speak } from './words.ts';

/** The empty fleet: how its first node joins. */
export function firstRun(state: State, ui: Ui): readonly Row[] {
  const f = state.firstRun;
  const newest = [...state.picture.facts.version.values()].findLast((v) => v.publications.length > 0);
  return firstRunRows(
    {
      command: f.kind === 'made' ? f.command : null,
      leftMs: f.kind === 'made' ? Math.max(0, f.expiresAt - masterNow(state.picture)) : 0,
      type: 'edge',
      region: f.kind === 'made' ? f.region : '',
      published: newest?.label ?? null,
      advertise: state.picture.begin?.advertise ?? '',
      error: f.kind === 'refused' ? speak(f.why, ui.theme) : null,
    },
    ui,
  );
}
