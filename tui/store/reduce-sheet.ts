import type { Intent } from './intent.ts';
import { pauseOrResume, rolloutVerb } from './reduce-rollouts.ts';
import { shownRollout } from './rollouts-view.ts';
import {
  askOf,
  choose,
  closesAtOnce,
  edited,
  effectOf,
  isYesNo,
  missing,
  nextField,
  type Sheet,
  wantedWord,
} from './sheet.ts';
import { base } from './sheets/base.ts';
import type { ErrorSheet } from './sheets/error.ts';
import { openExpire } from './sheets/expire.ts';
import { openOrder } from './sheets/order.ts';
import { openPublish, openPublishOf, scrolled } from './sheets/publish.ts';
import { reload } from './sheets/reload.ts';
import { openRevert } from './sheets/revert.ts';
import { openRollback } from './sheets/rollback.ts';
import { openSilence } from './sheets/silence.ts';
import { backVerb, openVerb } from './sheets/verb.ts';
import type { Failure, State } from './state.ts';
import { type Step, say, sayError, stay } from './step.ts';
import { type Words, words } from './words.ts';

/** Intents that put a question, or act where no question is needed. `null`: not one of these. */
export function openSheet(state: State, intent: Intent): Step | null {
  switch (intent.kind) {
    case 'reload':
      return reload(state);
    case 'silence':
      return openSilence(state);
    case 'roll-back':
      return rollBack(state);
    case 'publish':
      return publish(state, intent);
    case 'pause':
      return pauseOrResume(state);
    case 'rollout-verb':
      return rolloutVerb(state, intent.verb, intent.id);
    case 'revert-last':
      return openRevert(state);
    case 'restart':
    case 'drain':
      return openOrder(state, intent.kind);
    case 'expire-silence':
      return openExpire(state);
    default:
      return null;
  }
}

/** On screen 3 the rollout that is looked at; elsewhere a version. */
function rollBack(state: State): Step {
  const here = state.place.kind === 'screen' && state.place.screen === 'rollouts';
  const versions = state.rollouts.pane === 'versions' || state.configs.diff !== null;
  if (!here || versions) return openRollback(state);
  const r = shownRollout(state.rollouts, state.picture.facts);
  return r === null ? stay(state) : openVerb(state, r, backVerb(r));
}

function publish(state: State, intent: Extract<Intent, { kind: 'publish' }>): Step {
  if (intent.label === undefined) return openPublish(state);
  const version = state.picture.facts.version.get(intent.label);
  if (version !== undefined)
    return openPublishOf(state, version, intent.target == null ? [] : [intent.target]);
  const { label } = intent;
  return stay(sayError(state, words(`there is no version ${label}`, `没有版本 ${label}`)));
}

function withSheet(state: State, sheet: Sheet): Step {
  return stay({ ...state, sheet: { ...sheet, error: null } });
}

// asking -> sending, or closed where the message line follows it
function send(state: State, sheet: Sheet): Step {
  const effect = effectOf(sheet);
  if (effect === null || sheet.sending) return stay(state);
  if (closesAtOnce(sheet)) {
    return stay({ ...state, sheet: null, nodes: { ...state.nodes, marks: new Set() } }, effect);
  }
  return stay({ ...state, sheet: { ...sheet, sending: true, error: null } }, effect);
}

/** In typed sheets Enter acts on an exact match and otherwise says what is missing; in y/n sheets it says no. */
function submit(state: State, sheet: Sheet): Step {
  if (isYesNo(sheet)) return stay({ ...state, sheet: null });
  const lacks = missing(sheet);
  if (lacks !== null) return stay({ ...state, sheet: { ...sheet, error: lacks } });
  return send(state, sheet);
}

/** An intent while a sheet is open. Before it is armed nothing reaches it. */
export function inSheet(state: State, sheet: Sheet, intent: Intent): Step {
  if (intent.kind === 'peel' || intent.kind === 'no') {
    if (sheet.sending) {
      const text = words('sent already: the master owns it now', '已发出：由主控执行');
      return stay({ ...say(state, 'changing', text), sheet: null });
    }
    return stay({ ...state, sheet: null });
  }
  if (sheet.sending) return stay(state);
  switch (intent.kind) {
    case 'type':
      return withSheet(
        state,
        edited(sheet, (t) => t + intent.text),
      );
    case 'erase':
      return withSheet(
        state,
        edited(sheet, (t) => [...t].slice(0, -1).join('')),
      );
    case 'erase-line':
      return withSheet(
        state,
        edited(sheet, () => ''),
      );
    case 'field':
      return withSheet(state, nextField(sheet, intent.by));
    case 'choose': {
      const chosen = choose(sheet, intent.by, state);
      return { ...withSheet(state, chosen.sheet), effects: chosen.effects };
    }
    case 'move':
    case 'page': {
      if (sheet.kind !== 'publish') return stay(state);
      const by = intent.kind === 'page' ? intent.by * 10 : intent.by;
      return stay({ ...state, sheet: scrolled(sheet, by) });
    }
    case 'yes':
      return isYesNo(sheet) && sheet.kind !== 'error' ? send(state, sheet) : stay(state);
    case 'submit':
      return submit(state, sheet);
    default:
      return stay(state);
  }
}

/** A preview is asked again while it is looked at: what it shows is what would be hit now. */
const PREVIEW_EVERY_MS = 5_000;

export function previewAgain(state: State, now: number): Step {
  const { sheet } = state;
  if (sheet === null || sheet.sending || !('askedAt' in sheet)) return stay(state);
  if (now - sheet.askedAt < PREVIEW_EVERY_MS) return stay(state);
  const effect = askOf(sheet);
  const asked = { ...state, sheet: { ...sheet, askedAt: now } };
  return effect === null ? stay(asked) : stay(asked, effect);
}

/** The answer to what a sheet sent: it closes, and the message line says it. */
export function answered(state: State, sheet: number | null, text: Words): State {
  const closed = state.sheet !== null && state.sheet.id === sheet ? { ...state, sheet: null } : state;
  return say(closed, 'well', text);
}

/** A refusal with places rises as a sheet of its own; a plain one stays in the sheet it answers, else in the line. */
export function refused(state: State, sheetId: number | null, what: Words, failure: Failure): State {
  const mine = state.sheet !== null && state.sheet.id === sheetId ? state.sheet : null;
  if (failure.refusals.length > 0 && (mine !== null || state.sheet === null)) {
    const sheet: ErrorSheet = {
      ...base(state),
      kind: 'error',
      title: what,
      at: state.now,
      code: failure.code,
      message: failure.message,
      refusals: failure.refusals,
    };
    return { ...state, sheet, nextSheet: state.nextSheet + 1 };
  }
  if (mine !== null) {
    const error = words(failure.message, failure.message);
    return { ...state, sheet: { ...mine, sending: false, error } };
  }
  return sayError(state, words(`${what.en}: ${failure.message}`, `${what.zh}：${failure.message}`));
}

/** If the number of nodes changes while it is typed, the field empties and says so. */
export function previewed(sheet: Sheet, fresh: Sheet): Sheet {
  const before = wantedWord(sheet);
  const after = wantedWord(fresh);
  if (before === null || before === after || !('typed' in fresh) || fresh.typed === '') return fresh;
  const error = words(
    `it was ${before} nodes, now ${after ?? 'none'}`,
    `原为 ${before} 台，现为 ${after ?? '无'}`,
  );
  return { ...fresh, typed: '', error };
}
