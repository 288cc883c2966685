import type { FleetEvent } from '../../proto/vocab/event.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import { currentMessage } from './message.ts';
import type { State } from './state.ts';
import { taskWords } from './task-words.ts';
import type { Verdict } from './verdict.ts';
import { asIs, type Words, words } from './words.ts';

export type ShownMessage =
  | { readonly kind: 'event'; readonly at: Millis; readonly verdict: Verdict | null; readonly text: Words }
  | {
      readonly kind: 'own';
      readonly at: Millis;
      readonly verdict: Verdict | null;
      readonly text: Words;
      readonly more: number;
    }
  | {
      readonly kind: 'off';
      readonly at: Millis;
      readonly key: string;
      readonly what: Words;
      readonly why: Words;
    };

export function newestEvent(state: State): FleetEvent | null {
  let newest: FleetEvent | null = null;
  for (const e of state.picture.facts.event.values()) {
    if (newest === null || e.at > newest.at || (e.at === newest.at && e.revision >= newest.revision))
      newest = e;
  }
  return newest;
}

const LEVEL: Readonly<Record<FleetEvent['level'], Verdict | null>> = {
  info: null,
  warn: 'warning',
  error: 'wrong',
};

/** Yours while it is young, else the fleet's newest event. */
export function shownMessage(state: State): ShownMessage | null {
  const own = currentMessage(state.messages, state.now);
  if (own !== null) {
    const { message, more } = own;
    const { body, at } = message;
    if (body.kind === 'off') return { kind: 'off', at, key: body.key, what: body.what, why: body.why };
    if (body.kind === 'words') return { kind: 'own', at, verdict: body.verdict, text: body.text, more };
    const task = state.fleet.facts.command.get(body.command);
    if (task === undefined) {
      return { kind: 'own', at, verdict: 'waiting', text: words('sent', '已发送'), more };
    }
    const said = taskWords(task, (n) => state.fleet.facts.node.get(n)?.nodeType === 'core');
    return { kind: 'own', at, verdict: said.verdict, text: said.text, more };
  }
  const event = newestEvent(state);
  if (event === null) return null;
  // The subject of a command is its id, which says nothing to a person.
  const named = event.kind === 'command' || event.text.includes(event.subject);
  const who = named ? event.text : `${event.subject} ${event.text}`;
  return { kind: 'event', at: event.at, verdict: LEVEL[event.level], text: asIs(who) };
}
