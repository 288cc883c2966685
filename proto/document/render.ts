import type { Refusal } from '../vocab/node.ts';
import { safeText } from '../vocab/safe-text.ts';
import { Lines } from './lines.ts';
import { type Hole, Pieces } from './pieces.ts';
import { keyPath, MAX_PROBLEMS, type Problems } from './problems.ts';
import { type Entry, entryFinder } from './repeat.ts';
import type { Tree } from './tree.ts';
import { ofList, type Scope, unknownHint, VARIABLE, type Variable, variablesOf } from './variables.ts';

export type RenderResult =
  | {
      readonly ok: true;
      readonly text: string;
      /** A place in the rendered text -> the place in the template it came from. */
      readonly toTemplate: (r: Refusal) => Refusal;
      /** Where the values of variables stand in it, in its order; not those of look-ups. */
      readonly holes: readonly Hole[];
    }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

const ESCAPED = '$$\u007b is how a text says $\u007b';

// A value becomes part of one scalar: it must not end it, begin a comment or another key, or be a variable itself.
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const BREAKS_OUT = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff"'\\{}]|: |:$| #|^[\s#&*!|>%@`?-]|\s$/;
export function breaksOut(value: string): boolean {
  return BREAKS_OUT.test(value);
}

/** Only the renderer writes these: as text they would name what the document was never given. */
const SEALED = /sealed:(secret|cert)\/([A-Za-z0-9_.-]*)/g;
/** What look-ups may make of a template: more is refused by the reader. */
const MOST_CHARS = 256 * 1024;
const MOST_ENTRIES = 64;

/** What there is at one place of the template: the scope, and inside a repeated entry the one it is repeated for. */
interface Around {
  readonly scope: Scope;
  readonly one: { readonly list: string; readonly values: Readonly<Record<string, string>> } | null;
}

/**
 * Puts variables into a template: `${NAME}` and `${label.x}`, names being letters, digits, `_`, `-` and `.`.
 * Lines that are comments are left alone. An unknown variable or a value that would break out of its place is refused;
 * an empty value is too: an address without its host would listen or dial somewhere else. A list entry that names
 * something of a look-up is repeated, see `Scope`.
 */
export function renderTemplate(template: string, scope: Scope): RenderResult {
  const lines = new Lines(template);
  const refusals: Refusal[] = [];
  const refuse = (at: number, message: string, hint: string): void => {
    if (refusals.length < MAX_PROBLEMS) refusals.push({ code: 'invalid', message, ...lines.at(at), hint });
  };
  for (const m of template.matchAll(SEALED))
    refuse(m.index, `${m[0]} is written by the master only`, `write \${${m[1]}.${m[2] || 'NAME'}}`);
  const pieces = new Pieces(template);
  const all = variablesOf(template);
  const repeated = entriesOf(template, all, scope, refuse);
  if ('refusals' in repeated) return { ok: false, refusals: repeated.refusals };
  let from = 0;
  let next = 0;
  while (next < all.length) {
    const v = all[next] as Variable;
    const entry = repeated.find((r) => r.start <= v.start && v.end <= r.end);
    if (!entry) {
      pieces.copy(from, v.start);
      put(pieces, v, { scope, one: null }, refuse);
      from = v.end;
      next += 1;
      continue;
    }
    const inside = all.filter((x) => x.start >= entry.start && x.end <= entry.end);
    pieces.copy(from, entry.start);
    for (const [i, values] of entry.ones.entries()) {
      if (pieces.text.length > MOST_CHARS) break;
      if (i > 0) pieces.put(entry.between, entry.start);
      let at = entry.start;
      for (const x of inside) {
        pieces.copy(at, x.start);
        put(pieces, x, { scope, one: { list: entry.list, values } }, refuse);
        at = x.end;
      }
      pieces.copy(at, entry.end);
    }
    from = entry.end;
    next += inside.length;
  }
  pieces.copy(from, template.length);
  if (refusals.length > 0) return { ok: false, refusals };
  return { ok: true, text: pieces.text, toTemplate: pieces.toTemplate(), holes: pieces.holes };
}

type Refuse = (at: number, message: string, hint: string) => void;

function put(pieces: Pieces, v: Variable, around: Around, refuse: Refuse): void {
  const word = wordFor(v, around, refuse);
  if (ofList(v.name, around.scope)) pieces.put(word, v.start);
  else pieces.fill(v.name, word, v.start);
}

function wordFor(v: Variable, { scope, one }: Around, refuse: Refuse): string {
  const shown = safeText(v.name, { max: 60 });
  if (!v.valid) {
    refuse(v.start, `\${${shown} is no variable`, `write \${NAME}; ${ESCAPED}`);
    return '';
  }
  const of = ofList(v.name, scope);
  // Why one outside an entry is wrong has been said where its entry was looked for.
  if (of && of.list !== one?.list) return '';
  const among = of ? (one?.values ?? {}) : scope.vars;
  const name = of ? of.key : v.name;
  const value = Object.hasOwn(among, name) ? among[name] : undefined;
  if (value === undefined) refuse(v.start, `unknown variable \${${shown}}`, unknownHint(v.name, scope));
  else if (value === '') refuse(v.start, `\${${shown}} is empty here`, 'give it a value');
  else if (breaksOut(value)) {
    const hint = 'no quotes, braces, controls, ": " or " #"';
    refuse(v.start, `the value of \${${shown}} would change the document`, hint);
  } else return value;
  return '';
}

interface Repeated extends Entry {
  readonly list: string;
  readonly ones: readonly Readonly<Record<string, string>>[];
}

function entriesOf(
  template: string,
  all: readonly Variable[],
  scope: Scope,
  refuse: Refuse,
): Repeated[] | { readonly refusals: readonly Refusal[] } {
  const asked = all.flatMap((v) => {
    const of = v.valid ? ofList(v.name, scope) : null;
    return of ? [{ ...of, v }] : [];
  });
  if (asked.length === 0) return [];
  const finder = entryFinder(template);
  if ('refusals' in finder) return finder;
  const found: Repeated[] = [];
  for (const { list, v } of asked) {
    if (found.length === MOST_ENTRIES) {
      refuse(v.start, `more than ${MOST_ENTRIES} entries are repeated`, 'one entry a hop is enough');
      break;
    }
    if (found.some((r) => r.start <= v.start && v.end <= r.end && r.list === list)) continue;
    const entry = finder.find(v.start);
    if (!entry || found.some((r) => r.start < entry.end && entry.start < r.end)) {
      refuse(
        v.start,
        `\${${v.name}} must stand inside one list entry, which is repeated`,
        `write - {name: "\${${list}.name}", …} as an entry of hops[].nodes`,
      );
      continue;
    }
    const keys = asked
      .filter((a) => a.list === list && a.v.start >= entry.start && a.v.end <= entry.end)
      .map((a) => a.key);
    const ones = (scope.lists?.[list] ?? []).filter((one) => keys.every((k) => Object.hasOwn(one, k)));
    if (ones.length === 0) {
      const wanted = [...new Set(keys)].join(', ');
      refuse(v.start, `there is no ${list} that has ${wanted}`, unknownHint(v.name, scope));
    }
    found.push({ ...entry, list, ones });
  }
  return found.toSorted((a, b) => a.start - b.start);
}

/** Variables nobody rendered: engines know none, the text would be taken literally. */
export function refuseLeftovers(tree: Tree, text: string, path: string, problems: Problems): void {
  if (tree.kind === 'list')
    for (const [i, item] of tree.items.entries()) refuseLeftovers(item, text, `${path}[${i}]`, problems);
  else if (tree.kind === 'map')
    for (const e of tree.entries) {
      const at = keyPath(path, e.key);
      leftovers(e.key, e.keyStart, text, at, problems);
      refuseLeftovers(e.value, text, at, problems);
    }
  else leftovers(tree.source, tree.start, text, path, problems);
}

function leftovers(source: string, start: number, text: string, path: string, problems: Problems): void {
  for (const m of source.matchAll(VARIABLE)) {
    if (m[0] === '$${') continue;
    const shown = safeText(m[0], { max: 60 });
    // Quotes and folds may stand before it; the text itself says where it is.
    const at = text.indexOf(m[0], start);
    problems.refuse(path, at === -1 ? start : at, {
      message: `unknown variable ${shown}`,
      hint: `variables are rendered on the master; ${ESCAPED}`,
    });
  }
}
