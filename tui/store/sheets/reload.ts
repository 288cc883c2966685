import type { Target } from '../../../proto/vocab/config-version.ts';
import type { Millis, NodeName } from '../../../proto/vocab/ids.ts';
import type { Effect } from '../effect.ts';
import { hit } from '../hit.ts';
import { cursorRegion } from '../regions-view.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { words } from '../words.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules, TYPE_OVER } from './base.ts';

/** Who would read again, by the master; `offline`: those of them that are not here. */
export interface ReloadPreview {
  readonly nodes: readonly NodeName[];
  readonly offline: readonly NodeName[];
}

/** A marked set or a region; for a region, and from `TYPE_OVER` nodes on, the count is typed instead of `y`. */
export interface ReloadSheet extends SheetBase {
  readonly kind: 'reload';
  readonly target: Target;
  /** `null`: marked nodes. */
  readonly region: string | null;
  readonly nodes: readonly NodeName[];
  readonly typed: string;
  /** Of a region, asked again and again. */
  readonly preview: ReloadPreview | null;
  readonly askedAt: Millis;
}

/** So many of a region at a time, and how long each may take. */
export const RELOAD_PARALLEL = 8;
export const RELOAD_TIMEOUT_MS: Millis = 30_000;

function wanted(s: ReloadSheet): string | null {
  if (s.region !== null) return s.preview === null ? null : String(s.preview.nodes.length);
  return s.nodes.length > TYPE_OVER ? String(s.nodes.length) : null;
}

const ask = (s: ReloadSheet): Effect | null =>
  s.region === null ? null : { kind: 'preview-reload', sheet: s.id, target: s.target };

export const reloadRules: SheetRules<ReloadSheet> = {
  ...PLAIN,
  yesNo: (s) => s.region === null && wanted(s) === null,
  takesText: () => true,
  edited: (s, edit) => ({ ...s, typed: edit(s.typed) }),
  missing: (s) =>
    s.region !== null && s.preview === null
      ? words('the master has not said yet who is hit', '主控尚未给出影响范围')
      : null,
  wanted,
  effect: (s) => ({ kind: 'reload', target: s.target, paced: s.region !== null }),
  closes: true,
  ask,
};

/** One node acts at once: a reload cuts nothing, and the message line follows it. A set and a region ask. */
export function reload(state: State): Step {
  const nodes = hit(state);
  if (nodes.length === 0) return stay(state);
  const at = { ...base(state), kind: 'reload' as const, nodes, typed: '', preview: null, askedAt: state.now };
  if (state.place.kind === 'screen' && state.place.screen === 'regions') {
    const item = cursorRegion(state.regions);
    if (item === null) return stay(state);
    const target = { regions: [item.region], nodeType: item.nodeType };
    const sheet: ReloadSheet = { ...at, target, region: item.region };
    const effect = ask(sheet);
    return effect === null ? open(state, sheet) : open(state, sheet, effect);
  }
  const marked = state.place.kind === 'screen' && state.nodes.marks.size > 0;
  if (!marked) return stay(state, { kind: 'reload', target: { nodes }, paced: false });
  return open(state, { ...at, target: { nodes }, region: null });
}
