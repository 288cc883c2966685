import type { Effect } from '../effect.ts';
import type { Sheet } from '../sheet.ts';
import type { State } from '../state.ts';
import { type Step, stay } from '../step.ts';
import type { Words } from '../words.ts';

/** What every question has. */
export interface SheetBase {
  readonly id: number;
  /** Its frame has been written and 150 ms have passed: only now do keys reach it. */
  readonly armed: boolean;
  /** Sent; the answer is awaited. */
  readonly sending: boolean;
  readonly error: Words | null;
}

/** How one kind of sheet is answered. */
export interface SheetRules<S> {
  /** Answered by one letter: Enter says no. */
  yesNo(sheet: S): boolean;
  /** Whether typed text has a field to go to. */
  takesText(sheet: S): boolean;
  /** The text of the focused field becomes `edit(text)`. */
  edited(sheet: S, edit: (text: string) => string): S;
  nextField(sheet: S, by: 1 | -1): S;
  choose(sheet: S, by: 1 | -1, state: State): { readonly sheet: S; readonly effects: readonly Effect[] };
  /** What is missing besides the typed word; `null`: nothing. */
  missing(sheet: S): Words | null;
  /** What must be typed before Enter acts; `null`: nothing. */
  wanted(sheet: S): string | null;
  /** What is done once it is answered; `null`: nothing can be. */
  effect(sheet: S): Effect | null;
  /** Closed as it is sent: the message line follows what becomes of it. */
  readonly closes: boolean;
  /** What the master is asked again and again while it is looked at; `null`: nothing. */
  ask(sheet: S): Effect | null;
}

/** More nodes than this: the count is typed. */
export const TYPE_OVER = 10;

/** What a kind without fields, choices and previews needs not say. */
export const PLAIN = {
  takesText: () => false,
  edited: <S>(sheet: S): S => sheet,
  nextField: <S>(sheet: S): S => sheet,
  choose: <S>(sheet: S) => ({ sheet, effects: [] }),
  missing: () => null,
  wanted: () => null,
  closes: false,
  ask: () => null,
} as const;

export function base(state: State): SheetBase {
  return { id: state.nextSheet, armed: false, sending: false, error: null };
}

export function open(state: State, sheet: Sheet, ...effects: readonly Effect[]): Step {
  return stay({ ...state, sheet, nextSheet: state.nextSheet + 1, prompt: null, help: null }, ...effects);
}

/** The field after `at`, round and round. */
export function next<T>(fields: readonly T[], at: T, by: 1 | -1): T {
  return fields[(fields.indexOf(at) + by + fields.length) % fields.length] ?? at;
}
