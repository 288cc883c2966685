import type { Effect } from './effect.ts';
import { addMessage, type Message, SUCCESS_MS, WARNING_MS } from './message.ts';
import type { State } from './state.ts';
import type { Verdict } from './verdict.ts';
import type { Words } from './words.ts';

/** What one event made of the state, and what is to be done outside. */
export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export function stay(state: State, ...effects: readonly Effect[]): Step {
  return { state, effects };
}

export function say(state: State, verdict: Verdict | null, text: Words, until?: Message['until']): State {
  const keep = until ?? state.now + (verdict === 'warning' || verdict === 'unseen' ? WARNING_MS : SUCCESS_MS);
  const messages = addMessage(state.messages, {
    at: state.now,
    body: { kind: 'words', verdict, text },
    until: keep,
  });
  return { ...state, messages };
}

/** An error stays until Esc. */
export function sayError(state: State, text: Words): State {
  return say(state, 'wrong', text, 'esc');
}
