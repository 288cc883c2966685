import type { NodeName } from '../../../proto/vocab/ids.ts';
import { hit } from '../hit.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import { base, open, PLAIN, type SheetBase, type SheetRules, TYPE_OVER } from './base.ts';

export const ORDER_WORDS = ['restart', 'drain', 'undrain'] as const;
export type OrderWord = (typeof ORDER_WORDS)[number];

/** What cuts streams or turns them away: one node asks as well. */
export interface OrderSheet extends SheetBase {
  readonly kind: 'order';
  readonly type: OrderWord;
  readonly nodes: readonly NodeName[];
  readonly typed: string;
}

const wanted = (s: OrderSheet): string | null => (s.nodes.length > TYPE_OVER ? String(s.nodes.length) : null);

export const orderRules: SheetRules<OrderSheet> = {
  ...PLAIN,
  yesNo: (s) => wanted(s) === null,
  takesText: (s) => wanted(s) !== null,
  edited: (s, edit) => ({ ...s, typed: edit(s.typed) }),
  wanted,
  effect: (s) => ({ kind: 'order', type: s.type, nodes: s.nodes }),
  closes: true,
};

/** `x` takes back a drain where all of them are in one. */
export function orderWord(state: State, key: 'restart' | 'drain', nodes: readonly NodeName[]): OrderWord {
  if (key === 'restart') return 'restart';
  const idle = (name: NodeName) => (state.picture.facts.node.get(name)?.drain ?? 'none') === 'none';
  return nodes.some(idle) ? 'drain' : 'undrain';
}

export function openOrder(state: State, key: 'restart' | 'drain'): Step {
  const nodes = hit(state);
  if (nodes.length === 0) return stay(state);
  return open(state, {
    ...base(state),
    kind: 'order',
    type: orderWord(state, key, nodes),
    nodes,
    typed: '',
  });
}
