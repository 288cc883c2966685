import type { Refusal } from '../vocab/node.ts';
import { Lines } from './lines.ts';
import { parseYaml } from './parse.ts';
import { Problems } from './problems.ts';
import type { Tree } from './tree.ts';
import { withStandIns } from './variables.ts';

/** A list entry of a template that is written once and rendered many times. */
export interface Entry {
  /** With its dash, where it has one. */
  readonly start: number;
  readonly end: number;
  /** What stands between one and the next. */
  readonly between: string;
}

/**
 * Finds the list entry around a place of a template: `null` where there is none, or it cannot be told apart. A template
 * that is no YAML is refused instead.
 */
export function entryFinder(
  template: string,
): { readonly find: (offset: number) => Entry | null } | { readonly refusals: readonly Refusal[] } {
  const problems = new Problems(new Lines(template));
  const root = parseYaml(withStandIns(template), problems);
  if (!root) return { refusals: problems.refusals() };
  return {
    find: (offset) => {
      let found: Entry | null = null;
      let at: Tree | undefined = root;
      while (at) {
        const next: Tree | undefined = childAround(at, offset);
        if (next && at.kind === 'list') found = entryOf(at, next, template);
        at = next;
      }
      return found;
    },
  };
}

function childAround(tree: Tree, offset: number): Tree | undefined {
  const children =
    tree.kind === 'list' ? tree.items : tree.kind === 'map' ? tree.entries.map((e) => e.value) : [];
  return children.find((c) => c.start <= offset && offset < c.end);
}

function entryOf(list: Tree, item: Tree, template: string): Entry | null {
  const end = item.start + template.slice(item.start, item.end).trimEnd().length;
  if (template[list.start] === '[') return { start: item.start, end, between: ', ' };
  const before = template.slice(0, item.start);
  const dash = /-[ \t]+$/.exec(before);
  if (!dash) return null;
  const column = dash.index - (before.lastIndexOf('\n', dash.index) + 1);
  return { start: dash.index, end, between: `\n${' '.repeat(column)}` };
}
