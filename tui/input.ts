import type { Input } from './keys/key.ts';
import type { InputEvent } from './terminal/router.ts';

const NAMES: Readonly<Record<string, string>> = { escape: 'esc', pageup: 'pgup', pagedown: 'pgdn' };

/** What the router read -> a key as the table names it; `null`: nothing for the key table. */
export function toInput(event: InputEvent): Input | null {
  if (event.kind === 'paste') return { kind: 'paste', text: event.text };
  // A letter with Alt must not act as the letter.
  if (event.kind === 'reply' || event.alt) return null;
  if (event.name !== null) {
    const name = NAMES[event.name] ?? event.name;
    return { kind: 'key', key: { name: event.shift && name === 'tab' ? 'shift-tab' : name, text: '' } };
  }
  if (event.ctrl) return { kind: 'key', key: { name: `ctrl-${event.char}`, text: '' } };
  return { kind: 'key', key: { name: event.char === ' ' ? 'space' : event.char, text: event.char } };
}
