import type { NodeName, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Matcher } from '../../proto/vocab/matcher.ts';
import { cursorAlert, cursorSilence } from './alerts-view.ts';
import { cursorVersion } from './configs-view.ts';
import type { Effect } from './effect.ts';
import type { Intent } from './intent.ts';
import { actedOn } from './nodes-view.ts';
import { askPublish, chooseTarget, orderSheet, publishSheet } from './reduce-orders.ts';
import {
  type ErrorSheet,
  type PublishSheet,
  type RollbackSheet,
  type Sheet,
  SILENCE_DURATIONS,
  type SilenceField,
  type SilenceSheet,
  wantedWord,
} from './sheet.ts';
import type { Failure, State } from './state.ts';
import { type Step, say, sayError, stay } from './step.ts';
import { type Words, words } from './words.ts';

/** A field holds one line; longer text is a mistake of the paste buffer. */
const FIELD_MAX = 200;

function base(state: State) {
  return { id: state.nextSheet, armed: false, sending: false, error: null } as const;
}

function open(state: State, sheet: Sheet, ...effects: readonly Effect[]): Step {
  return stay({ ...state, sheet, nextSheet: state.nextSheet + 1, prompt: null, help: null }, ...effects);
}

function equals(name: string, value: string): Matcher {
  return { name, value, isRegex: false, isEqual: true };
}

/** On the alerts screen the alert under the cursor, by its exact labels; elsewhere the node or the marked ones. */
function openSilence(state: State): Step {
  const at = {
    ...base(state),
    chosen: 1,
    comment: '',
    typed: '',
    focus: 'comment' as const,
    preview: null,
    askedAt: state.now,
  };
  const ask = (matchers: readonly Matcher[]): Effect => ({ kind: 'preview-silence', sheet: at.id, matchers });
  if (state.place.kind === 'screen' && state.place.screen === 'alerts') {
    const alert = cursorAlert(state.alerts);
    if (alert === null) return stay(state);
    const labels = Object.entries(alert.alert.labels);
    const matchers = labels.map(([k, v]) => equals(k, v));
    if (!Object.hasOwn(alert.alert.labels, 'alertname'))
      matchers.unshift(equals('alertname', alert.alert.rule));
    return open(
      state,
      {
        ...at,
        kind: 'silence',
        rule: alert.alert.rule,
        on: alert.on,
        alert: alert.alert.fingerprint,
        matchers,
      },
      ask(matchers),
    );
  }
  const names = hit(state);
  if (names.length === 0) return stay(state);
  const one = names.length === 1;
  const matchers = [
    one
      ? equals('node', names[0] ?? '')
      : { name: 'node', value: names.map(literal).join('|'), isRegex: true, isEqual: true },
  ];
  const on = one ? (names[0] ?? '') : `${names.length} nodes`;
  return open(state, { ...at, kind: 'silence', rule: null, on, alert: null, matchers }, ask(matchers));
}

/** Node names hold letters, digits and `-`: nothing of a regular expression but what is escaped here. */
function literal(name: string): string {
  return name.replace(/[^\p{L}\p{M}\p{N}-]/gu, (c) => `\\${c}`);
}

/** The nodes an act would hit, by where you are. */
export function hit(state: State): readonly NodeName[] {
  if (state.place.kind === 'node') {
    const node = state.picture.facts.node.get(state.place.name);
    return node === undefined ? [] : [node.name];
  }
  if (state.place.screen !== 'nodes') return [];
  return actedOn(state.nodes).map((i) => i.node.name);
}

function openRollback(state: State): Step {
  const label = versionMeant(state);
  if (label === null) return stay(state);
  const target = {};
  const sheet: RollbackSheet = {
    ...base(state),
    kind: 'rollback',
    label,
    target,
    reason: '',
    typed: '',
    focus: 'reason',
    preview: null,
    askedAt: state.now,
  };
  return open(state, sheet, { kind: 'preview-rollback', sheet: sheet.id, label, target });
}

/** The version under the cursor, or the one that the node under it should run. */
function versionMeant(state: State): VersionLabel | null {
  if (state.place.kind === 'screen' && state.place.screen === 'rollouts') {
    return cursorVersion(state.configs)?.version.label ?? null;
  }
  const name = hit(state)[0];
  return (name === undefined ? undefined : state.picture.facts.node.get(name))?.target?.version ?? null;
}

/** One node acts at once: a reload cuts nothing, and the message line follows it. A set asks. */
function reload(state: State): Step {
  const nodes = hit(state);
  if (nodes.length === 0) return stay(state);
  const marked = state.place.kind === 'screen' && state.nodes.marks.size > 0;
  if (!marked) return stay(state, { kind: 'reload', nodes });
  return open(state, { ...base(state), kind: 'reload', nodes, typed: '' });
}

function openExpire(state: State): Step {
  const item = cursorSilence(state.alerts);
  if (item === null) return stay(state);
  return open(state, { ...base(state), kind: 'expire', silence: item.silence.id });
}

/** Intents that put a question, or act where no question is needed. `null`: not one of these. */
export function openSheet(state: State, intent: Intent): Step | null {
  switch (intent.kind) {
    case 'reload':
      return reload(state);
    case 'silence':
      return openSilence(state);
    case 'roll-back':
      return openRollback(state);
    case 'publish':
      return publishSheet(state, base(state), open);
    case 'restart':
    case 'drain':
      return orderSheet(state, intent.kind, hit(state), { base: base(state), open });
    case 'expire-silence':
      return openExpire(state);
    default:
      return null;
  }
}

function withSheet(state: State, sheet: Sheet): Step {
  return stay({ ...state, sheet: { ...sheet, error: null } });
}

function silenceFields(s: SilenceSheet): readonly SilenceField[] {
  return s.preview?.asksTwice === true ? ['for', 'comment', 'count'] : ['for', 'comment'];
}

/** The text of the focused field becomes `edit(text)`. */
function edited(sheet: Sheet, edit: (text: string) => string): Sheet {
  const cut = (text: string) => [...edit(text)].slice(0, FIELD_MAX).join('');
  switch (sheet.kind) {
    case 'silence':
      if (sheet.focus === 'comment') return { ...sheet, comment: cut(sheet.comment) };
      return sheet.focus === 'count' ? { ...sheet, typed: cut(sheet.typed) } : sheet;
    case 'publish':
      if (sheet.focus === 'to') return sheet;
      return sheet.focus === 'reason'
        ? { ...sheet, reason: cut(sheet.reason) }
        : { ...sheet, typed: cut(sheet.typed) };
    case 'rollback':
      return sheet.focus === 'reason'
        ? { ...sheet, reason: cut(sheet.reason) }
        : { ...sheet, typed: cut(sheet.typed) };
    case 'order':
    case 'reload':
      return { ...sheet, typed: cut(sheet.typed) };
    case 'expire':
    case 'error':
      return sheet;
  }
}

function nextField(sheet: Sheet, by: 1 | -1): Sheet {
  if (sheet.kind === 'silence') {
    const fields = silenceFields(sheet);
    const at = fields.indexOf(sheet.focus);
    return { ...sheet, focus: fields[(at + by + fields.length) % fields.length] ?? 'comment' };
  }
  if (sheet.kind === 'publish') {
    const fields = ['to', 'reason', 'type'] as const;
    return { ...sheet, focus: fields[(fields.indexOf(sheet.focus) + by + 3) % 3] ?? 'reason' };
  }
  if (sheet.kind === 'rollback') return { ...sheet, focus: sheet.focus === 'reason' ? 'type' : 'reason' };
  return sheet;
}

function choose(sheet: Sheet, by: 1 | -1): Sheet {
  if (sheet.kind !== 'silence') return sheet;
  const n = SILENCE_DURATIONS.length;
  return { ...sheet, chosen: Math.min(n - 1, Math.max(0, sheet.chosen + by)) };
}

/** What is still missing before it can be sent; `null`: nothing. */
export function missing(sheet: Sheet): Words | null {
  if (sheet.kind === 'error') return null;
  if ((sheet.kind === 'rollback' || sheet.kind === 'publish') && sheet.preview === null) {
    return words('the master has not said yet who is hit', '主控尚未给出影响范围');
  }
  if ((sheet.kind === 'rollback' || sheet.kind === 'publish') && sheet.reason.trim() === '') {
    return words('a reason is wanted', '必须填写原因');
  }
  if (sheet.kind === 'silence' && sheet.preview === null) {
    return words('the master has not said yet what it would match', '主控尚未给出匹配结果');
  }
  if (sheet.kind === 'silence' && sheet.comment.trim() === '') {
    return words('a comment is wanted', '必须填写说明');
  }
  const want = wantedWord(sheet);
  const typed = 'typed' in sheet ? sheet.typed.trim() : '';
  if (want !== null && typed !== want) {
    return typed === ''
      ? words(`type ${want}`, `请输入 ${want}`)
      : words(`${typed} is not ${want}`, `${typed} 不是 ${want}`);
  }
  return null;
}

function effectOf(sheet: Sheet): Effect | null {
  switch (sheet.kind) {
    case 'silence':
      return {
        kind: 'create-silence',
        sheet: sheet.id,
        matchers: sheet.matchers,
        alert: sheet.alert,
        forMs: SILENCE_DURATIONS[sheet.chosen]?.ms ?? 3_600_000,
        comment: sheet.comment.trim(),
      };
    case 'rollback':
      return {
        kind: 'roll-back',
        sheet: sheet.id,
        label: sheet.label,
        target: sheet.target,
        reason: sheet.reason.trim(),
        confirmNodes: sheet.preview?.nodes.length ?? 0,
      };
    case 'publish': {
      const target = sheet.choices[sheet.chosen];
      if (target === undefined) return null;
      return { kind: 'publish', sheet: sheet.id, label: sheet.label, target, reason: sheet.reason.trim() };
    }
    case 'order':
      return { kind: 'order', type: sheet.type, nodes: sheet.nodes };
    case 'expire':
      return { kind: 'expire-silence', sheet: sheet.id, id: sheet.silence };
    case 'reload':
      return { kind: 'reload', nodes: sheet.nodes };
    case 'error':
      return null;
  }
}

// asking -> sending, or closed where the message line follows it
function send(state: State, sheet: Sheet): Step {
  const effect = effectOf(sheet);
  if (effect === null || sheet.sending) return stay(state);
  if (sheet.kind === 'reload' || sheet.kind === 'order') {
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

/** Answered by one letter. */
export function isYesNo(sheet: Sheet): boolean {
  return (
    sheet.kind === 'expire' ||
    sheet.kind === 'error' ||
    ((sheet.kind === 'reload' || sheet.kind === 'order') && wantedWord(sheet) === null)
  );
}

/** Whether typed text has a field to go to. */
export function takesText(sheet: Sheet): boolean {
  if (sheet.sending || isYesNo(sheet)) return false;
  if (sheet.kind === 'publish') return sheet.focus !== 'to';
  return !(sheet.kind === 'silence' && sheet.focus === 'for');
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
    case 'choose':
      if (sheet.kind === 'publish') return chooseTarget(state, sheet, intent.by);
      return withSheet(state, choose(sheet, intent.by));
    case 'yes':
      return isYesNo(sheet) && sheet.kind !== 'error' ? send(state, sheet) : stay(state);
    case 'submit':
      return submit(state, sheet);
    default:
      return stay(state);
  }
}

/** A preview is asked again while it is looked at: what it shows is what would be hit now. */
export const PREVIEW_EVERY_MS = 5_000;

function isPreviewed(sheet: Sheet): sheet is SilenceSheet | RollbackSheet | PublishSheet {
  return sheet.kind === 'silence' || sheet.kind === 'rollback' || sheet.kind === 'publish';
}

export function previewAgain(state: State, now: number): Step {
  const { sheet } = state;
  if (sheet === null || sheet.sending || !isPreviewed(sheet)) return stay(state);
  if (now - sheet.askedAt < PREVIEW_EVERY_MS) return stay(state);
  const asked = stay({ ...state, sheet: { ...sheet, askedAt: now } });
  if (sheet.kind === 'publish') return { ...asked, effects: [askPublish(sheet)] };
  const effect: Effect =
    sheet.kind === 'silence'
      ? { kind: 'preview-silence', sheet: sheet.id, matchers: sheet.matchers }
      : { kind: 'preview-rollback', sheet: sheet.id, label: sheet.label, target: sheet.target };
  return { ...asked, effects: [effect] };
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
