import { Lines } from '../../proto/document/lines.ts';
import { renderDocument } from '../../proto/document/mould.ts';
import { templateVariables, variablesOf } from '../../proto/document/variables.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import { isFreeName, standInScope } from './scope.ts';

/** Labels in a row for which nothing fits: a template of a thousand must not hold up the master. */
const MOST_IN_VAIN = 4;

/** What a label may stand for; each gets its own number, so that two addresses do not look like one. */
const STAND_INS: readonly ((i: number) => string)[] = [
  (i) => `${2001 + i}`,
  (i) => `word-${i}`,
  (i) => `127.0.0.${1 + (i % 250)}`,
  (i) => `127.0.0.1:${2001 + i}`,
];

/**
 * What is wrong with a template whatever its labels stand for; `[]` when some values make it a document.
 * A label that no node has yet is no fault, an unknown variable is.
 */
export function templateRefusals(template: string): readonly Refusal[] {
  const used = templateVariables(template);
  const free = used.filter(isFreeName);
  let values: Readonly<Record<string, string>> = Object.fromEntries(
    free.map((name, i) => [name, `${2001 + i}`]),
  );
  const refusals = (v: Readonly<Record<string, string>>): readonly Refusal[] => {
    const r = renderDocument(template, standInScope(used, v));
    return r.ok ? [] : r.refusals;
  };
  let best = refusals(values);
  const onLine = linesOf(template);
  let vain = 0;
  for (const [i, name] of free.entries()) {
    if (best.length === 0 || vain === MOST_IN_VAIN) return best;
    // What is wrong elsewhere does not become right by another value here.
    if (!best.some((r) => r.line === undefined || onLine.get(name)?.has(r.line))) continue;
    const before = best.length;
    for (const standIn of STAND_INS.slice(1)) {
      const tried = { ...values, [name]: standIn(i) };
      const left = refusals(tried);
      if (left.length >= best.length) continue;
      best = left;
      values = tried;
    }
    vain = best.length < before ? 0 : vain + 1;
  }
  return best;
}

/** The lines each name stands on. */
function linesOf(template: string): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>();
  const lines = new Lines(template);
  for (const v of variablesOf(template)) {
    const { line } = lines.at(v.start);
    found.set(v.name, (found.get(v.name) ?? new Set()).add(line));
  }
  return found;
}
