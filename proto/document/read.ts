import type { Refusal } from '../vocab/node.ts';
import { check } from './check.ts';
import type { TunnelDocument } from './document.ts';
import { Lines } from './lines.ts';
import { normalise } from './normalise.ts';
import { parseYaml } from './parse.ts';
import { Problems } from './problems.ts';
import { refuseLeftovers } from './render.ts';
import { DOCUMENT } from './schema.ts';
import { checkShape } from './shape.ts';

export type ReadResult =
  | { readonly ok: true; readonly document: TunnelDocument; readonly warnings: readonly Refusal[] }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/**
 * A rendered text -> a document, or everything that is wrong with it (at most 50), in the order of the text, each with
 * line, column and, inside the YAML, path. Never throws. Render variables first, see renderTemplate.
 */
export function readDocument(text: string): ReadResult {
  const problems = new Problems(new Lines(text));
  const tree = parseYaml(text, problems);
  if (!tree) return { ok: false, refusals: problems.refusals() };
  if (tree.kind === 'scalar' && tree.value === null) {
    problems.refuse('', 0, {
      message: 'the document is empty',
      hint: 'write services: [{name: …, addr: …, handler: …}]',
    });
    return { ok: false, refusals: problems.refusals() };
  }
  refuseLeftovers(tree, text, '', problems);
  checkShape(tree, DOCUMENT, '', problems);
  const document = normalise(tree);
  check(document, problems);
  return problems.none
    ? { ok: true, document, warnings: problems.warnings() }
    : { ok: false, refusals: problems.refusals() };
}
