import { safeText } from '../vocab/safe-text.ts';
import { closest } from './spelling.ts';

// What a template may name, and where it does.

/** What the variables of a template stand for. */
export interface Scope {
  readonly vars: Readonly<Record<string, string>>;
  /**
   * Look-ups that yield many: with `core`, `${core.name}` stands inside a list entry, which is repeated for each of
   * them. One that lacks a value which the entry uses is passed over.
   */
  readonly lists?: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
  /** What to write instead of a name that is not known, where there is something better than the nearest one. */
  readonly hints?: (name: string) => string | null;
}

// `$${` is an escape and stays as it is, the reader takes it for `${`: so rendering twice changes nothing.
export const VARIABLE = /\$\$\{|\$\{([^}\n]*)(\}?)/g;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

export interface Variable {
  readonly name: string;
  readonly valid: boolean;
  readonly start: number;
  readonly end: number;
}

/** In the order of the text; lines that are comments are left alone. */
export function variablesOf(template: string): Variable[] {
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

/** Names a template needs, each once, in its order. */
export function templateVariables(template: string): string[] {
  return [...new Set(variablesOf(template).flatMap((v) => (v.valid ? [v.name] : [])))];
}

/** The same text with a word of the same length in the place of each variable: YAML can be read, places are kept. */
export function withStandIns(template: string): string {
  let text = '';
  let from = 0;
  for (const v of variablesOf(template)) {
    text += template.slice(from, v.start) + 'x'.repeat(v.end - v.start);
    from = v.end;
  }
  return text + template.slice(from);
}

/** `core.label.addr` of the list `core`: the list's name and what is asked of each, or `null`. */
export function ofList(name: string, scope: Scope): { readonly list: string; readonly key: string } | null {
  const dot = name.indexOf('.');
  const list = name.slice(0, Math.max(dot, 0));
  if (dot < 1 || !Object.hasOwn(scope.lists ?? {}, list)) return null;
  return { list, key: name.slice(dot + 1) };
}

export function unknownHint(name: string, { vars, hints }: Scope): string {
  const given = hints?.(name);
  if (given) return given;
  const known = Object.keys(vars).toSorted();
  const best = closest(name, known);
  if (best !== null) return `did you mean \${${safeText(best, { max: 60 })}}?`;
  return known.length === 0 ? 'there are none here' : `known: ${known.slice(0, 12).join(', ')}`;
}
