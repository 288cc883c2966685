import type { Effect } from './effect.ts';
import type { SheetRules } from './sheets/base.ts';
import { type ErrorSheet, errorRules } from './sheets/error.ts';
import { type ExpireSheet, expireRules } from './sheets/expire.ts';
import { type OrderSheet, orderRules } from './sheets/order.ts';
import { type PublishSheet, publishRules } from './sheets/publish.ts';
import { type ReloadSheet, reloadRules } from './sheets/reload.ts';
import { type RevertSheet, revertRules } from './sheets/revert.ts';
import { type RollbackSheet, rollbackRules } from './sheets/rollback.ts';
import { type SilenceSheet, silenceRules } from './sheets/silence.ts';
import { type VerbSheet, verbRules } from './sheets/verb.ts';
import type { State } from './state.ts';
import { type Words, words } from './words.ts';

/** A question that rises from the bottom: one file a kind, in sheets/. */
export type Sheet =
  | SilenceSheet
  | RollbackSheet
  | PublishSheet
  | VerbSheet
  | RevertSheet
  | OrderSheet
  | ReloadSheet
  | ExpireSheet
  | ErrorSheet;

const RULES: { readonly [K in Sheet['kind']]: SheetRules<Extract<Sheet, { kind: K }>> } = {
  silence: silenceRules,
  rollback: rollbackRules,
  publish: publishRules,
  verb: verbRules,
  revert: revertRules,
  order: orderRules,
  reload: reloadRules,
  expire: expireRules,
  error: errorRules,
};

function rulesOf(sheet: Sheet): SheetRules<Sheet> {
  // A kind's rules take that kind: the table's type says so.
  return RULES[sheet.kind] as unknown as SheetRules<Sheet>;
}

/** A field holds one line; longer text is a mistake of the paste buffer. */
const FIELD_MAX = 200;

/** What must be typed before Enter acts; `null`: nothing. */
export function wantedWord(sheet: Sheet): string | null {
  return rulesOf(sheet).wanted(sheet);
}

/** Answered by one letter. */
export function isYesNo(sheet: Sheet): boolean {
  return rulesOf(sheet).yesNo(sheet);
}

/** Whether typed text has a field to go to. */
export function takesText(sheet: Sheet): boolean {
  return !sheet.sending && !isYesNo(sheet) && rulesOf(sheet).takesText(sheet);
}

/** The text of the focused field becomes `edit(text)`. */
export function edited(sheet: Sheet, edit: (text: string) => string): Sheet {
  return rulesOf(sheet).edited(sheet, (text) => [...edit(text)].slice(0, FIELD_MAX).join(''));
}

export function nextField(sheet: Sheet, by: 1 | -1): Sheet {
  return rulesOf(sheet).nextField(sheet, by);
}

export function choose(sheet: Sheet, by: 1 | -1, state: State) {
  return rulesOf(sheet).choose(sheet, by, state);
}

/** What is still missing before it can be sent; `null`: nothing. */
export function missing(sheet: Sheet): Words | null {
  const lacks = rulesOf(sheet).missing(sheet);
  if (lacks !== null) return lacks;
  const want = wantedWord(sheet);
  const typed = 'typed' in sheet ? sheet.typed.trim() : '';
  if (want === null || typed === want) return null;
  return typed === ''
    ? words(`type ${want}`, `请输入 ${want}`)
    : words(`${typed} is not ${want}`, `${typed} 不是 ${want}`);
}

export function effectOf(sheet: Sheet): Effect | null {
  return rulesOf(sheet).effect(sheet);
}

/** Closed as it is sent: the message line follows what becomes of it. */
export function closesAtOnce(sheet: Sheet): boolean {
  return rulesOf(sheet).closes;
}

/** What the master is asked while it is looked at; `null`: nothing. */
export function askOf(sheet: Sheet): Effect | null {
  return rulesOf(sheet).ask(sheet);
}
