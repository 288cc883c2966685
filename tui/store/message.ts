import type { CommandTask } from '../../proto/vocab/command.ts';
import type { CommandId, Millis } from '../../proto/vocab/ids.ts';
import { taskWords } from './task-words.ts';
import type { Verdict } from './verdict.ts';
import type { Words } from './words.ts';

/** What became of a key of yours. */
export interface Message {
  readonly id: number;
  readonly at: Millis;
  readonly body:
    | { readonly kind: 'words'; readonly verdict: Verdict | null; readonly text: Words }
    /** A key that is off: `r reload is off: no master`. */
    | { readonly kind: 'off'; readonly key: string; readonly what: Words; readonly why: Words }
    /** Follows a command by what the stream says of it. */
    | { readonly kind: 'task'; readonly command: CommandId };
  /** `esc`: an error stays until it is read. `running`: until the command has settled. */
  readonly until: Millis | 'esc' | 'running';
}

export const SUCCESS_MS = 10_000;
export const WARNING_MS = 30_000;
const KEPT = 500;

export interface Messages {
  readonly list: readonly Message[];
  readonly nextId: number;
}

export const NO_MESSAGES: Messages = { list: [], nextId: 1 };

export function addMessage(m: Messages, add: Omit<Message, 'id'>): Messages {
  const list = [...m.list, { ...add, id: m.nextId }];
  return { list: list.slice(-KEPT), nextId: m.nextId + 1 };
}

function isOver(m: Message, now: Millis): boolean {
  return typeof m.until === 'number' && now >= m.until;
}

/** Errors wait for Esc; the newest of them shows, then whatever is newest and young enough. */
export function currentMessage(
  m: Messages,
  now: Millis,
): { readonly message: Message; readonly more: number } | null {
  const errors = m.list.filter((x) => x.until === 'esc');
  const newestError = errors.at(-1);
  const newest = m.list.findLast((x) => x.until !== 'esc' && !isOver(x, now));
  // A key pressed since is answered; the error comes back after it.
  if (newest !== undefined && (newestError === undefined || newest.id > newestError.id)) {
    return { message: newest, more: errors.length };
  }
  if (newestError !== undefined) return { message: newestError, more: errors.length - 1 };
  return null;
}

/** Esc takes the newest error away; `null`: there was none. */
export function peelError(m: Messages): Messages | null {
  const error = m.list.findLast((x) => x.until === 'esc');
  if (error === undefined) return null;
  return { ...m, list: m.list.filter((x) => x !== error) };
}

/** running -> settled: a success is read in 10 s, anything else waits for Esc. */
export function settleTasks(m: Messages, commands: ReadonlyMap<string, CommandTask>, now: Millis): Messages {
  let changed = false;
  const list = m.list.map((x): Message => {
    if (x.body.kind !== 'task' || x.until !== 'running') return x;
    const task = commands.get(x.body.command);
    if (task === undefined) return x;
    const said = taskWords(task);
    if (!said.settled) return x;
    changed = true;
    return { ...x, until: said.failed ? 'esc' : now + SUCCESS_MS };
  });
  return changed ? { ...m, list } : m;
}
