import { AppError } from '../../proto/vocab/errors.ts';

/** What stands in a template by name: a text, a list to repeat over, or a yes or no. */
export type Values = { readonly [name: string]: string | number | boolean | readonly Values[] };

// A block stands on lines of its own, behind the comment mark that nginx and haproxy share.
const BLOCK = /^\s*#\{\{(each|if|unless|end)(?: (\w+))?\}\}\s*$/;
const HOLE = /\{\{(\w+)\}\}/g;

/**
 * Fills a template: `{{name}}` in a line; `#{{each name}}`, `#{{if name}}`, `#{{unless name}}` … `#{{end}}` on lines of
 * their own. What is inside a block sees its own names first, then those around it.
 * @throws AppError `invalid` with the line that is wrong
 */
export function fill(text: string, values: Values): string {
  const lines = text.split('\n');
  const out: string[] = [];
  const stop = run(lines, 0, [values], out);
  if (stop < lines.length) throw wrong(stop, 'an end without a beginning');
  return out.join('\n');
}

function wrong(line: number, why: string): AppError {
  return new AppError('invalid', `template, line ${line + 1}: ${why}`);
}

function look(scopes: readonly Values[], name: string, line: number): Values[string] {
  for (let i = scopes.length - 1; i >= 0; i--) {
    const scope = scopes[i];
    if (scope && Object.hasOwn(scope, name)) return scope[name] as Values[string];
  }
  throw wrong(line, `there is no ${name}`);
}

/** @param out `null`: read past it */
function run(
  lines: readonly string[],
  from: number,
  scopes: readonly Values[],
  out: string[] | null,
): number {
  let i = from;
  while (i < lines.length) {
    const line = lines[i] ?? '';
    const block = BLOCK.exec(line);
    if (block === null) {
      const at = i;
      out?.push(line.replace(HOLE, (_, name: string) => String(look(scopes, name, at))));
      i += 1;
      continue;
    }
    const [, word = '', name = ''] = block;
    if (word === 'end') return i;
    const value = out === null ? false : look(scopes, name, i);
    let rounds: readonly Values[];
    if (word === 'each') {
      if (out !== null && !Array.isArray(value)) throw wrong(i, `${name} is no list`);
      rounds = Array.isArray(value) ? (value as readonly Values[]) : [];
    } else {
      const yes = Array.isArray(value) ? value.length > 0 : value !== false && value !== '';
      rounds = yes === (word === 'if') && out !== null ? [{}] : [];
    }
    let end = -1;
    for (const round of rounds) end = run(lines, i + 1, [...scopes, round], out);
    if (rounds.length === 0) end = run(lines, i + 1, scopes, null);
    if (end >= lines.length) throw wrong(i, `${word} ${name} has no end`);
    i = end + 1;
  }
  return i;
}
