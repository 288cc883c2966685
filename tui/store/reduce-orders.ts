import type { NodeName } from '../../proto/vocab/ids.ts';
import { cursorVersion, publishChoices } from './configs-view.ts';
import type { Effect } from './effect.ts';
import type { OrderWord, PublishSheet, Sheet } from './sheet.ts';
import type { State } from './state.ts';
import { type Step, stay } from './step.ts';

// Questions about versions and about what cuts streams; how a sheet is answered is reduce-sheet.ts.

type Open = (state: State, sheet: Sheet, ...effects: readonly Effect[]) => Step;
type Base = Pick<Sheet, 'id' | 'armed' | 'sending' | 'error'>;

/** Who would be hit, by the target that is chosen. */
export function askPublish(sheet: PublishSheet): Effect {
  const { id, chosen, label, choices } = sheet;
  return { kind: 'preview-publish', sheet: id, chosen, label, target: choices[chosen] ?? {} };
}

export function publishSheet(state: State, base: Base, open: Open): Step {
  const item = cursorVersion(state.configs);
  if (item === null) return stay(state);
  const sheet: PublishSheet = {
    ...base,
    kind: 'publish',
    label: item.version.label,
    choices: publishChoices(item.version, state.picture.facts),
    chosen: 0,
    reason: '',
    typed: '',
    focus: 'reason',
    preview: null,
    askedAt: state.now,
  };
  return open(state, sheet, askPublish(sheet));
}

/** Another target: what was typed was about the one before. */
export function chooseTarget(state: State, sheet: PublishSheet, by: 1 | -1): Step {
  const n = sheet.choices.length;
  const chosen = (sheet.chosen + by + n) % n;
  const next: PublishSheet = { ...sheet, chosen, preview: null, typed: '', error: null, askedAt: state.now };
  return stay({ ...state, sheet: next }, askPublish(next));
}

/** `x` takes back a drain where all of them are in one. */
export function orderWord(state: State, key: 'restart' | 'drain', nodes: readonly NodeName[]): OrderWord {
  if (key === 'restart') return 'restart';
  const idle = (name: NodeName) => (state.picture.facts.node.get(name)?.drain ?? 'none') === 'none';
  return nodes.some(idle) ? 'drain' : 'undrain';
}

export function orderSheet(
  state: State,
  key: 'restart' | 'drain',
  nodes: readonly NodeName[],
  { base, open }: { readonly base: Base; readonly open: Open },
): Step {
  if (nodes.length === 0) return stay(state);
  return open(state, { ...base, kind: 'order', type: orderWord(state, key, nodes), nodes, typed: '' });
}
