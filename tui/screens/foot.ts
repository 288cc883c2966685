import { printedKey, rowsAt, whereAmI } from '../keys/match.ts';
import type { KeyRow } from '../keys/row.ts';
import { COMMANDS, commandHint } from '../store/command-line.ts';
import { hit } from '../store/hit.ts';
import { shownMessage } from '../store/select-message.ts';
import type { State } from '../store/state.ts';
import type { Row } from '../theme/row.ts';
import { type KeyHint, keybarRow, type Message, messageRow } from '../views/foot.ts';
import { promptRow } from '../views/pages.ts';
import type { Ui } from '../views/ui.ts';
import { clock, speak } from './words.ts';

export function message(state: State, ui: Ui): Row {
  const m = shownMessage(state);
  if (m === null) return messageRow(null, ui);
  const at = clock(m.at);
  const { theme } = ui;
  const shown: Message =
    m.kind === 'off'
      ? { kind: 'off', at, key: m.key, what: shortOf(speak(m.what, theme)), why: speak(m.why, theme) }
      : m.kind === 'own'
        ? { kind: 'own', at, verdict: m.verdict, text: speak(m.text, theme), more: m.more }
        : { kind: 'event', at, verdict: m.verdict, text: speak(m.text, theme) };
  return messageRow(shown, ui);
}

/** `reload: reads the config again` is named `reload` where it is only named. */
function shortOf(description: string): string {
  return description.split(/[:：]/, 1)[0] ?? description;
}

function hint(row: KeyRow, state: State, ui: Ui, count: number): KeyHint {
  const named = row.bar?.label;
  const label =
    named === undefined ? '' : speak(typeof named === 'function' ? named(state) : named, ui.theme);
  const at: KeyHint = {
    key: printedKey(row.keys[0] ?? ''),
    label,
    off: row.disabledReason(state) !== null,
    spare: row.bar?.spare === true || (row.bar?.rank ?? 0) >= 5,
  };
  return row.acts && count > 1 ? { ...at, count } : at;
}

/** The few keys that matter here, from the key table; one that is off stays in its place. */
export function keybar(state: State, ui: Ui): Row {
  const where = whereAmI(state);
  const pane = where === 'alerts' ? state.alerts.focus : null;
  const rows = rowsAt(where)
    .filter((r) => r.bar !== undefined && (r.bar.pane ?? pane) === pane)
    .sort((a, b) => (a.bar?.rank ?? 0) - (b.bar?.rank ?? 0));
  const marked = where === 'nodes' ? hit(state).length : 1;
  const keys = rows.map((r) => hint(r, state, ui, marked));
  if (where === 'node' || where === 'absent') {
    keys.unshift({ key: where === 'node' ? 'Esc' : '1', label: ui.theme.lang === 'zh' ? '返回' : 'back' });
  }
  const zh = ui.theme.lang === 'zh';
  return keybarRow(
    { keys, last: { key: '?', label: zh ? '全部按键' : 'all keys', short: zh ? '全部' : 'all' } },
    ui,
  );
}

/** While `/` or `:` is typed its row stands where the message was. */
export function messageOrPrompt(state: State, ui: Ui): Row {
  const { prompt } = state;
  const zh = ui.theme.lang === 'zh';
  if (prompt?.kind === 'command') {
    const known = commandHint(prompt.text);
    const hint = known === null ? COMMANDS.map((c) => c.name).join(' ') : known.usage;
    const what = known === null ? '' : `   ${speak(known.what, ui.theme)}`;
    const error = prompt.error === null ? null : speak(prompt.error, ui.theme);
    return promptRow({ sign: ':', typed: prompt.text, error, hint: hint + what }, ui);
  }
  if (prompt?.kind !== 'filter') return message(state, ui);
  const { error } = state.nodes.filter;
  const hint = zh
    ? '正则  !取反  -f 模糊  -l 标签  Enter 保留  Esc 放弃'
    : 're  !re  -f fuzzy  -l label=x  Enter keeps  Esc undoes';
  const shown = error === null ? null : speak(error, ui.theme);
  return promptRow({ sign: '/', typed: prompt.text, error: shown, hint }, ui);
}
