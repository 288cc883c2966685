import type { Target } from '../../../proto/vocab/config-version.ts';
import type { NodeName } from '../../../proto/vocab/ids.ts';
import { hit } from '../hit.ts';
import { cursorRegion } from '../regions-view.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules, TYPE_OVER } from './base.ts';

const ORDER_WORDS = ['restart', 'drain', 'undrain'] as const;
export type OrderWord = (typeof ORDER_WORDS)[number];

/** What cuts streams or turns them away: one node asks as well, a region wants its number typed. */
export interface OrderSheet extends SheetBase {
  readonly kind: 'order';
  readonly type: OrderWord;
  readonly target: Target;
  /** `null`: the node under the cursor or the marked ones. */
  readonly region: string | null;
  readonly nodes: readonly NodeName[];
  readonly typed: string;
}

const wanted = (s: OrderSheet): string | null =>
  s.region !== null || s.nodes.length > TYPE_OVER ? String(s.nodes.length) : null;

export const orderRules: SheetRules<OrderSheet> = {
  ...PLAIN,
  yesNo: (s) => wanted(s) === null,
  takesText: (s) => wanted(s) !== null,
  edited: (s, edit) => ({ ...s, typed: edit(s.typed) }),
  wanted,
  effect: (s) => ({ kind: 'order', type: s.type, target: s.target }),
  closes: true,
};

/** `x` takes back a drain where all of them are in one. */
function orderWord(state: State, key: 'restart' | 'drain', nodes: readonly NodeName[]): OrderWord {
  if (key === 'restart') return 'restart';
  const idle = (name: NodeName) => (state.picture.facts.node.get(name)?.drain ?? 'none') === 'none';
  return nodes.some(idle) ? 'drain' : 'undrain';
}

export function openOrder(state: State, key: 'restart' | 'drain'): Step {
  const nodes = hit(state);
  if (nodes.length === 0) return stay(state);
  const there = state.place.kind === 'screen' && state.place.screen === 'regions';
  const item = there ? cursorRegion(state.regions) : null;
  return open(state, {
    ...base(state),
    kind: 'order',
    type: orderWord(state, key, nodes),
    target: item === null ? { nodes } : { regions: [item.region], nodeType: item.nodeType },
    region: item?.region ?? null,
    nodes,
    typed: '',
  });
}
