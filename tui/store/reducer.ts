import type { WatchEvent } from '../../proto/vocab/watch.ts';
import { regroupAlerts } from './alerts-view.ts';
import { regroupConfigs, withDiff } from './configs-view.ts';
import { cameBack, linkChanged } from './connection.ts';
import type { Effect } from './effect.ts';
import { fleetReducer, streamEnded } from './fleet.ts';
import type { Intent } from './intent.ts';
import { addMessage, SUCCESS_MS, settleTasks, WARNING_MS } from './message.ts';
import { refit, regroup } from './nodes-view.ts';
import { inCommand } from './reduce-command.ts';
import { askRegions, inPrompt, look, showRollout } from './reduce-look.ts';
import { askTargets, gotTargets, withoutTargets } from './reduce-rollouts.ts';
import { answered, inSheet, openSheet, previewAgain, previewed, refused } from './reduce-sheet.ts';
import { regroupRegions, withSeries } from './regions-view.ts';
import { blasted, diffed } from './sheets/publish.ts';
import { verbNow } from './sheets/verb.ts';
import type { ConsoleEvent, DetailView, State } from './state.ts';
import { type Step, say, stay } from './step.ts';
import { words } from './words.ts';

/** The order applies by itself once no key has come for this long. */
const ORDER_HELD_MS = 3_000;
const DETAIL_EVERY_MS = 1_000;
/** An empty fleet this long is a first run, not a snapshot on its way. */
const EMPTY_FOR_MS = 3_000;

/** Lists follow the picture; the order they stand in only when `apply`. */
function relist(state: State, apply: boolean): State {
  const picture = state.frozenAt === null ? state.fleet : state.picture;
  // Until the first key the cursor is nobody's: it stands on the worst.
  const untouched = state.lastKeyAt === 0;
  const before = untouched ? { ...state.nodes, cursor: null, top: 0, shown: [] } : state.nodes;
  const nodes = regroup(before, picture, { apply: apply || untouched, rows: state.room.nodeRows });
  const regions = regroupRegions(state.regions, nodes.items, picture, apply || untouched);
  const configs = regroupConfigs(state.configs, picture.facts);
  return { ...state, picture, nodes, regions, alerts: regroupAlerts(state.alerts, picture), configs };
}

function stream(state: State, events: readonly WatchEvent[], now: number): Step {
  let { fleet, connection } = state;
  const had = fleet.receivedAt !== null;
  const effects: Effect[] = [];
  let whole = false;
  for (const event of events) {
    const before = fleet.stream.kind;
    fleet = fleetReducer(fleet, event, now);
    if (event.kind === 'end' || event.kind === 'resumed') {
      whole ||= event.kind === 'end';
      connection = cameBack(connection, { whole: event.kind === 'end', had }, now);
    }
    if (fleet.stream.kind === 'gap' && before !== 'gap') effects.push({ kind: 'resubscribe' });
  }
  const messages = settleTasks(state.messages, fleet.facts.command, now);
  const next = { ...state, fleet, connection, messages };
  return stay(verbSheet(relist(withoutTargets(next), whole && !had)), ...effects);
}

/** The number that a verb's sheet asks for follows the rollout. */
function verbSheet(state: State): State {
  const { sheet } = state;
  if (sheet?.kind !== 'verb' || sheet.sending) return state;
  const now = verbNow(sheet, state);
  return now === sheet ? state : { ...state, sheet: previewed(sheet, now) };
}

function detailDue(detail: DetailView | null, now: number): detail is DetailView {
  return detail !== null && !detail.asking && now - (detail.askedAt ?? 0) >= DETAIL_EVERY_MS - 100;
}

/** Once a second: the held order, the open page, the first run's token. */
function tick(state: State, now: number): Step {
  let next = state;
  const effects: Effect[] = [];
  if (next.nodes.wouldMove > 0 && next.sheet === null && next.prompt === null) {
    if (now - next.lastKeyAt >= ORDER_HELD_MS && next.frozenAt === null) next = relist(next, true);
  }
  const live = next.connection.kind === 'live';
  if (live) {
    const again = previewAgain(next, now);
    next = again.state;
    effects.push(...again.effects);
    const asked = askTargets(next, now);
    next = asked.state;
    effects.push(...asked.effects);
    const regions = askRegions(next, now);
    next = regions.state;
    effects.push(...regions.effects);
  }
  if (detailDue(next.detail, now) && live && next.frozenAt === null) {
    const node = next.fleet.facts.node.get(next.detail.name);
    if (node !== undefined) {
      next = { ...next, detail: { ...next.detail, asking: true, askedAt: now } };
      effects.push({ kind: 'fetch-node', name: node.name });
    }
  }
  if (next.firstRun.kind === 'unasked' && live) {
    const empty = next.fleet.facts.node.size === 0;
    const since = empty ? (next.firstRun.emptySince ?? now) : null;
    if (since !== null && now - since >= EMPTY_FOR_MS) {
      next = { ...next, firstRun: { kind: 'asking' } };
      effects.push({ kind: 'make-token' });
    } else if (since !== next.firstRun.emptySince) {
      next = { ...next, firstRun: { kind: 'unasked', emptySince: since } };
    }
  }
  return { state: next, effects };
}

function intent(state: State, meant: Intent, now: number): Step {
  const at: State = { ...state, lastKeyAt: now };
  if (meant.kind === 'quit') return look(at, meant);
  if (at.sheet !== null) {
    if (at.sheet.armed) return inSheet(at, at.sheet, meant);
    // Over the message line, where it would be said otherwise.
    const error = words(
      'that key came before the question; press it again',
      '按键早于提问，已忽略；请再按一次',
    );
    return stay({ ...at, sheet: { ...at.sheet, error } });
  }
  if (at.prompt !== null) {
    const { prompt } = at;
    const step = prompt.kind === 'command' ? inCommand(at, prompt, meant) : inPrompt(at, prompt, meant);
    if (step !== null) return step;
  }
  return openSheet(at, meant) ?? look(at, meant);
}

/** The only way the state changes. Nothing here is optimistic: facts come from the stream alone. */
export function reduce(before: State, event: ConsoleEvent, now: number): Step {
  const state: State = before.now === now ? before : { ...before, now };
  switch (event.kind) {
    case 'tick':
      return tick(state, now);
    case 'stream':
      return stream(state, event.events, now);
    case 'link': {
      const connection = linkChanged(state.connection, event.event, now);
      const fleet = event.event.kind === 'waiting' ? streamEnded(state.fleet) : state.fleet;
      return stay({ ...state, connection, fleet });
    }
    case 'intent':
      return intent(state, event.intent, now);
    case 'off': {
      const body = { kind: 'off', key: event.key, what: event.what, why: event.why } as const;
      const messages = addMessage(state.messages, { at: now, body, until: now + SUCCESS_MS });
      return stay({ ...state, messages, lastKeyAt: now });
    }
    case 'say':
      return stay({ ...say(state, 'warning', event.text, now + WARNING_MS), lastKeyAt: now });
    case 'room': {
      const nodes = refit(state.nodes, event.room.nodeRows);
      return stay({ ...state, room: event.room, nodes });
    }
    case 'sheet-armed':
      if (state.sheet?.id !== event.sheet) return stay(state);
      return stay({ ...state, sheet: { ...state.sheet, armed: true } });
    case 'detail':
      if (state.detail?.name !== event.name) return stay(state);
      return stay({
        ...state,
        detail: { ...state.detail, detail: event.detail, error: null, asking: false },
      });
    case 'detail-failed': {
      if (state.detail?.name !== event.name) return stay(state);
      const error = words(event.failure.message, event.failure.message);
      return stay({ ...state, detail: { ...state.detail, error, asking: false } });
    }
    case 'silence-preview': {
      const { sheet } = state;
      if (sheet?.kind !== 'silence' || sheet.id !== event.sheet) return stay(state);
      return stay({ ...state, sheet: previewed(sheet, { ...sheet, preview: event.preview }) });
    }
    case 'rollback-preview': {
      const { sheet } = state;
      if (sheet?.kind !== 'rollback' || sheet.id !== event.sheet) return stay(state);
      return stay({ ...state, sheet: previewed(sheet, { ...sheet, preview: event.preview }) });
    }
    case 'reload-preview': {
      const { sheet } = state;
      if (sheet?.kind !== 'reload' || sheet.id !== event.sheet) return stay(state);
      return stay({ ...state, sheet: previewed(sheet, { ...sheet, preview: event.preview }) });
    }
    case 'publish-preview': {
      const { sheet } = state;
      // An answer about a target that is no longer chosen is none.
      if (sheet?.kind !== 'publish' || sheet.id !== event.sheet) return stay(state);
      if (sheet.chosen !== event.chosen || sheet.pace !== event.pace) return stay(state);
      const parent = state.picture.facts.version.get(sheet.label)?.parent ?? null;
      const said = blasted(sheet, event.preview, parent);
      return stay({ ...state, sheet: previewed(sheet, said.sheet) }, ...said.effects);
    }
    case 'publish-diff': {
      const { sheet } = state;
      if (sheet?.kind !== 'publish' || sheet.id !== event.sheet) return stay(state);
      return stay({ ...state, sheet: diffed(sheet, event.from, event.diff) });
    }
    case 'revert-preview': {
      const { sheet } = state;
      if (sheet?.kind !== 'revert' || sheet.id !== event.sheet) return stay(state);
      return stay({ ...state, sheet: { ...sheet, preview: event.preview, error: null } });
    }
    case 'rollout-got':
      return stay(verbSheet(relist(gotTargets(state, event), false)));
    case 'rollout-failed': {
      const error = words(event.failure.message, event.failure.message);
      return stay({ ...state, rollouts: { ...state.rollouts, asking: false, error } });
    }
    case 'diff':
      return stay({ ...state, configs: withDiff(state.configs, event.label, event.diff) });
    case 'region-series':
      return stay({ ...state, regions: withSeries(state.regions, event.window, event.series) });
    case 'diff-failed': {
      const why = words(event.failure.message, event.failure.message);
      return stay({ ...state, configs: withDiff(state.configs, event.label, why) });
    }
    case 'command-taken': {
      const body = { kind: 'task', command: event.command } as const;
      const messages = addMessage(state.messages, { at: now, body, until: 'running' });
      return stay({ ...state, messages: settleTasks(messages, state.fleet.facts.command, now) });
    }
    case 'done': {
      const mine = state.sheet !== null && state.sheet.id === event.sheet;
      const next = answered(state, event.sheet, event.text);
      return mine && event.began !== undefined ? showRollout(next, event.began) : stay(next);
    }
    case 'failed':
      return stay(refused(state, event.sheet, event.what, event.failure));
    case 'token': {
      const { command, expiresAt, region } = event;
      return stay({ ...state, firstRun: { kind: 'made', command, expiresAt, region } });
    }
    case 'token-failed': {
      const why = words(event.failure.message, event.failure.message);
      return stay({ ...state, firstRun: { kind: 'refused', why } });
    }
  }
}
