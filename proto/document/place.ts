import { Lines, type Place } from './lines.ts';
import { parseYaml } from './parse.ts';
import { Problems } from './problems.ts';
import { child, items } from './tree.ts';

/**
 * Where a path (`services[0].listener.tls.certFile`) stands in a document's text: itself, or the nearest thing around it
 * that is written there, for what an engine finds wrong long after the text was read. `null` where there is no such text.
 */
export function placeOf(text: string, path: string): Place | null {
  const lines = new Lines(text);
  const root = parseYaml(text, new Problems(lines));
  if (!root) return null;
  let at = root;
  for (const [, key, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    const next = key === undefined ? items(at)[Number(index)] : child(at, key);
    if (!next) break;
    at = next;
  }
  return lines.at(at.start);
}
