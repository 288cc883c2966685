import type { Refusal } from '../vocab/node.ts';
import { safeText } from '../vocab/safe-text.ts';
import { Lines, type Place } from './lines.ts';
import { keyPath, MAX_PROBLEMS, type Problems } from './problems.ts';
import { closest } from './spelling.ts';
import type { Tree } from './tree.ts';

export type RenderResult =
  | {
      readonly ok: true;
      readonly text: string;
      /** A place in the rendered text -> the place in the template it came from. */
      readonly toTemplate: (r: Refusal) => Refusal;
    }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

// `$${` is an escape and stays as it is, the reader takes it for `${`: so rendering twice changes nothing.
const VARIABLE = /\$\$\{|\$\{([^}\n]*)(\}?)/g;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

const ESCAPED = '$$\u007b is how a text says $\u007b';

// A value becomes part of one scalar: it must not end it, begin a comment or another key, or be a variable itself.
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what this looks for
const BREAKS_OUT = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff"'\\{}]|: |:$| #|^[\s#&*!|>%@`?-]|\s$/;

/**
 * Puts variables into a template: `${NAME}` and `${label.x}`, names being letters, digits, `_` and `.`.
 * Lines that are comments are left alone. An unknown variable or a value that would break out of its place is refused;
 * an empty value is too: an address without its host would listen or dial somewhere else.
 */
export function renderTemplate(template: string, vars: Readonly<Record<string, string>>): RenderResult {
  const lines = new Lines(template);
  const refusals: Refusal[] = [];
  const moves: Move[] = [];
  const refuse = (at: number, message: string, hint: string) => {
    if (refusals.length < MAX_PROBLEMS) refusals.push({ code: 'invalid', message, ...lines.at(at), hint });
  };
  let text = '';
  let from = 0;
  for (const v of variablesOf(template)) {
    const value = Object.hasOwn(vars, v.name) ? vars[v.name] : undefined;
    const shown = safeText(v.name, { max: 60 });
    if (!v.valid) refuse(v.start, `\${${shown} is no variable`, `write \${NAME}; ${ESCAPED}`);
    else if (value === undefined) refuse(v.start, `unknown variable \${${shown}}`, knownHint(v.name, vars));
    else if (value === '') refuse(v.start, `\${${shown}} is empty here`, 'give it a value');
    else if (BREAKS_OUT.test(value))
      refuse(
        v.start,
        `the value of \${${shown}} would change the document`,
        'no quotes, braces, controls, ": " or " #"',
      );
    else {
      text += template.slice(from, v.start) + value;
      from = v.end;
      const { line, column } = lines.at(v.start);
      moves.push({ line, column, was: v.end - v.start, is: value.length });
    }
  }
  if (refusals.length > 0) return { ok: false, refusals };
  return { ok: true, text: text + template.slice(from), toTemplate: (r) => moved(r, moves) };
}

/** Names a template needs, each once, in its order. */
export function templateVariables(template: string): string[] {
  return [...new Set(variablesOf(template).flatMap((v) => (v.valid ? [v.name] : [])))];
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

interface Variable {
  readonly name: string;
  readonly valid: boolean;
  readonly start: number;
  readonly end: number;
}

function variablesOf(template: string): Variable[] {
  const found: Variable[] = [];
  let lineStart = 0;
  for (const line of template.split('\n')) {
    if (!/^\s*#/.test(line))
      for (const m of line.matchAll(VARIABLE)) {
        if (m[0] === '$${') continue;
        const name = m[1] ?? '';
        const start = lineStart + m.index;
        found.push({
          name,
          valid: m[2] === '}' && VARIABLE_NAME.test(name),
          start,
          end: start + m[0].length,
        });
      }
    lineStart += line.length + 1;
  }
  return found;
}

/** A variable at a place of the template: how long it was there, how long its value is. */
interface Move extends Place {
  readonly was: number;
  readonly is: number;
}

function moved(r: Refusal, moves: readonly Move[]): Refusal {
  if (r.line === undefined || r.column === undefined) return r;
  let grown = 0;
  for (const m of moves) {
    if (m.line !== r.line) continue;
    const start = m.column + grown;
    if (r.column < start) break;
    if (r.column < start + m.is) return { ...r, column: m.column };
    grown += m.is - m.was;
  }
  return { ...r, column: r.column - grown };
}

function knownHint(name: string, vars: Readonly<Record<string, string>>): string {
  const known = Object.keys(vars).toSorted();
  const best = closest(name, known);
  if (best !== null) return `did you mean \${${best}}?`;
  return known.length === 0 ? 'there are none here' : `known: ${known.slice(0, 12).join(', ')}`;
}
