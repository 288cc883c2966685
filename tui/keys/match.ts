import type { Intent } from '../store/intent.ts';
import { isYesNo, type Sheet, takesText } from '../store/sheet.ts';
import type { SortColumn } from '../store/sort.ts';
import type { State } from '../store/state.ts';
import { type Words, words } from '../store/words.ts';
import { foldWidth, type Input, isInputMethod, type Key } from './key.ts';
import type { KeyRow, Where } from './row.ts';
import { KEY_ROWS } from './rows.ts';

export type Match =
  | { readonly kind: 'intent'; readonly intent: Intent; readonly acts: boolean }
  | { readonly kind: 'off'; readonly key: string; readonly what: Words; readonly why: Words }
  | { readonly kind: 'say'; readonly text: Words }
  | { readonly kind: 'nothing' };

const NOTHING: Match = { kind: 'nothing' };

export function whereAmI(state: State): Where {
  if (state.help !== null) return 'help';
  if (state.place.kind === 'node') return 'node';
  const { screen } = state.place;
  if (screen === 'rollouts') {
    if (state.configs.diff !== null) return 'version';
    if (state.rollouts.pane === 'versions') return 'versions';
    return state.rollouts.open === null ? 'rollout' : 'target';
  }
  return screen === 'incidents' || screen === 'pulses' ? 'absent' : screen;
}

/** The rows of one place, in the order of the table. */
export function rowsAt(where: Where): readonly KeyRow[] {
  return KEY_ROWS.filter((r) => r.where.includes(where));
}

const PRINTED: Readonly<Record<string, string>> = {
  enter: 'Enter',
  esc: 'Esc',
  tab: 'Tab',
  up: 'Up',
  down: 'Down',
  pgup: 'PgUp',
  pgdn: 'PgDn',
  home: 'Home',
  end: 'End',
};

/** A key as it is printed on the screen. */
export function printedKey(name: string): string {
  return PRINTED[name] ?? name;
}

/** `o`, then one of these. */
export const ORDER_KEYS: readonly {
  readonly key: string;
  readonly column: SortColumn;
  readonly label: Words;
}[] = [
  { key: 'n', column: 'name', label: words('name', '名称') },
  { key: 'g', column: 'region', label: words('region', '地区') },
  { key: 's', column: 'status', label: words('status', '状态') },
  { key: 'a', column: 'seen', label: words('seen', '更新') },
  { key: 'v', column: 'config', label: words('config', '配置') },
  { key: 'm', column: 'streams', label: words('streams', '流') },
  { key: 'q', column: 'rps', label: words('req/s', '请求/s') },
  { key: 't', column: 'ttft95', label: words('TTFT95', 'TTFT95') },
  { key: 'p', column: 'p99', label: words('P99', 'P99') },
  { key: 'e', column: 'err', label: words('err', '错误') },
];

function means(intent: Intent, acts = false): Match {
  return { kind: 'intent', intent, acts };
}

/** What editing keys mean in any field. */
function edits(key: Key): Intent | null {
  switch (key.name) {
    case 'backspace':
      return { kind: 'erase' };
    case 'ctrl-u':
      return { kind: 'erase-line' };
    default:
      return key.text === '' ? null : { kind: 'type', text: key.text };
  }
}

/** A publication's diff is read above its fields. */
const DIFF_KEYS: Readonly<Record<string, Intent>> = {
  up: { kind: 'move', by: -1 },
  down: { kind: 'move', by: 1 },
  pgup: { kind: 'page', by: -1 },
  pgdn: { kind: 'page', by: 1 },
};

function inSheet(sheet: Sheet, key: Key): Match {
  const looks = sheet.kind === 'publish' ? DIFF_KEYS[key.name] : undefined;
  if (looks !== undefined) return means(looks);
  switch (key.name) {
    case 'ctrl-c':
      return means({ kind: 'quit' });
    case 'esc':
      return means({ kind: 'peel' });
    case 'enter':
      return means({ kind: 'submit' }, true);
    case 'tab':
    case 'down':
      return means({ kind: 'field', by: 1 });
    case 'shift-tab':
    case 'up':
      return means({ kind: 'field', by: -1 });
    case 'left':
      return means({ kind: 'choose', by: -1 });
    case 'right':
      return means({ kind: 'choose', by: 1 });
    default:
      break;
  }
  if (isYesNo(sheet)) {
    const letter = foldWidth(key.name);
    if (letter === 'y') return means({ kind: 'yes' }, true);
    if (letter === 'n') return means({ kind: 'no' });
    return NOTHING;
  }
  const edit = edits(key);
  if (edit === null || (edit.kind === 'type' && !takesText(sheet))) return NOTHING;
  return means(edit);
}

function inFilter(key: Key): Match {
  switch (key.name) {
    case 'ctrl-c':
      return means({ kind: 'quit' });
    case 'esc':
      return means({ kind: 'peel' });
    case 'enter':
      return means({ kind: 'submit' });
    case 'up':
      return means({ kind: 'move', by: -1 });
    case 'down':
      return means({ kind: 'move', by: 1 });
    default: {
      const edit = edits(key);
      return edit === null ? NOTHING : means(edit);
    }
  }
}

function inCommand(key: Key): Match {
  switch (key.name) {
    case 'ctrl-c':
      return means({ kind: 'quit' });
    case 'esc':
      return means({ kind: 'peel' });
    case 'enter':
      return means({ kind: 'submit' });
    case 'tab':
      return means({ kind: 'complete' });
    default: {
      const edit = edits(key);
      return edit === null ? NOTHING : means(edit);
    }
  }
}

function inOrder(key: Key): Match {
  if (key.name === 'ctrl-c') return means({ kind: 'quit' });
  const row = ORDER_KEYS.find((r) => r.key === foldWidth(key.name));
  return row === undefined ? means({ kind: 'peel' }) : means({ kind: 'order-by', column: row.column });
}

function onScreen(state: State, key: Key): Match {
  const name = foldWidth(key.name);
  const row = rowsAt(whereAmI(state)).find((r) => r.keys.includes(name));
  if (row === undefined) {
    if (!isInputMethod(key.text)) return NOTHING;
    return {
      kind: 'say',
      text: words('input method is on: keys are Latin letters', '输入法已开启：按键为英文字母'),
    };
  }
  const why = row.disabledReason(state);
  if (why !== null) return { kind: 'off', key: printedKey(name), what: row.description, why };
  return means(row.intent, row.acts);
}

/** A key, in the state it meets. */
export function matchKey(state: State, key: Key): Match {
  // What a key would do cannot be seen: an open sheet or prompt waits until it can.
  if (state.room.tooSmall) {
    if (key.name === 'ctrl-c' || key.name === 'q') return means({ kind: 'quit' });
    return NOTHING;
  }
  if (state.sheet !== null) return inSheet(state.sheet, key);
  if (state.prompt?.kind === 'filter') return inFilter(key);
  if (state.prompt?.kind === 'command') return inCommand(key);
  if (state.prompt?.kind === 'order') return inOrder(key);
  return onScreen(state, key);
}

/** A paste fills a focused text field with its first line, and does nothing else. */
function matchPaste(state: State, text: string): Match {
  if (state.room.tooSmall) return NOTHING;
  const line = text.split(/[\r\n]/, 1)[0] ?? '';
  const field =
    (state.sheet !== null && takesText(state.sheet)) ||
    (state.sheet === null && (state.prompt?.kind === 'filter' || state.prompt?.kind === 'command'));
  if (field) return line === '' ? NOTHING : means({ kind: 'type', text: line });
  const n = [...text].length;
  return {
    kind: 'say',
    text: words(
      `${n} pasted characters ignored: nothing here takes text`,
      `已忽略粘贴的 ${n} 个字符：此处不接受文本`,
    ),
  };
}

export function match(state: State, input: Input): Match {
  return input.kind === 'key' ? matchKey(state, input.key) : matchPaste(state, input.text);
}
