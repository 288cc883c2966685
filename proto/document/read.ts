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
import type { Tree } from './tree.ts';

export type ReadResult =
  | { readonly ok: true; readonly document: TunnelDocument; readonly warnings: readonly Refusal[] }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/**
 * A rendered text -> a document, or everything that is wrong with it (at most 50), in the order of the text, each with
 * line, column and, inside the YAML, path. Never throws. Render variables first, see renderTemplate.
 */
export function readDocument(text: string): ReadResult {
  const problems = new Problems(new Lines(text));
  const read = readText(text, problems);
  return read && problems.none
    ? { ok: true, document: read.document, warnings: problems.warnings() }
    : { ok: false, refusals: problems.refusals() };
}

/** The same with the tree it was made of; what is wrong with it is in `problems`. `null`: nothing can be made of it. */
export function readText(text: string, problems: Problems): { tree: Tree; document: TunnelDocument } | null {
  const tree = parseYaml(text, problems);
  if (!tree) return null;
  if (tree.kind === 'scalar' && tree.value === null) {
    problems.refuse('', 0, {
      message: 'the document is empty',
      hint: 'write services: [{name: …, addr: …, handler: …}]',
    });
    return null;
  }
  refuseLeftovers(tree, text, '', problems);
  checkShape(tree, DOCUMENT, '', problems);
  const document = normalise(tree);
  check(document, problems);
  return { tree, document };
}
