import type { Hole } from './pieces.ts';
import { keyPath } from './problems.ts';
import type { Shape } from './rules.ts';
import type { ScalarTree, Tree } from './tree.ts';

// Where the values of variables have come to stand in a tree, and which other values can stand there in their place.

/** A scalar that is put together of fixed texts and values: one text more than there are values. */
export interface HolesOf {
  readonly path: string;
  readonly shape: Shape;
  /** Without quotes it is typed as YAML types it. */
  readonly plain: boolean;
  readonly fixed: readonly string[];
  /** Which values stand between them: numbers of holes. */
  readonly holes: readonly number[];
}

export interface Places {
  readonly scalars: ReadonlyMap<ScalarTree, HolesOf>;
  /** Lists and maps with such a scalar inside. */
  readonly around: ReadonlySet<Tree>;
  /** Of each hole, whether it stands in a scalar without quotes. */
  readonly plain: readonly boolean[];
}

/**
 * A value that leaves the structure around it alone. It begins and ends with a letter, digit, `/` or `_` and holds no space,
 * quote, bracket, comma or `#`: so it begins nothing and ends nothing, in a plain scalar of block or flow context, in quotes or
 * in a comment, whatever stands before and behind it. In quotes and comments brackets mean nothing either.
 */
export function fits(value: string, plain: boolean): boolean {
  return plain ? PLAIN.test(value) : QUOTED.test(value);
}

const PLAIN = /^[A-Za-z0-9/_](?:[A-Za-z0-9._:@/+-]*[A-Za-z0-9/_])?$/;
const QUOTED = /^[A-Za-z0-9._/[(](?:[A-Za-z0-9._:@/+,=~()[\]-]*[A-Za-z0-9._/)\]])?$/;

/**
 * Finds each hole in a tree that was read without anything being wrong. `null`: one stands where a value may be more than
 * a part of a scalar of one line or of a comment: in a key, a block scalar, an escaped or folded text.
 */
export function placesOf(tree: Tree, shape: Shape, text: string, holes: readonly Hole[]): Places | null {
  const scalars = new Map<ScalarTree, HolesOf>();
  const around = new Set<Tree>();
  const plain = new Map<number, boolean>();
  const spans: { readonly start: number; readonly end: number }[] = [];
  let odd = false;

  const visit = (at: Tree, of: Shape, path: string): boolean => {
    if (at.kind === 'scalar') return visitScalar(at, of, path);
    let inside = false;
    if (at.kind === 'list' && of.kind === 'list')
      for (const [i, item] of at.items.entries()) inside = visit(item, of.of, `${path}[${i}]`) || inside;
    else if (at.kind === 'map' && of.kind === 'map')
      for (const { key, keyStart, value } of at.entries) {
        const rule = of.keys[key];
        spans.push({ start: keyStart, end: value.start });
        if (rule?.is === 'read') inside = visit(value, rule.shape, keyPath(path, key)) || inside;
        else odd = true;
      }
    else odd = true;
    if (inside) around.add(at);
    return inside;
  };

  const visitScalar = (at: ScalarTree, of: Shape, path: string): boolean => {
    spans.push(at);
    const own = within(holes, at);
    if (own.length === 0) return false;
    const written = text.slice(at.start, at.end);
    const quote = written.startsWith('"') || written.startsWith("'") ? 1 : 0;
    // What is written differs from what is read wherever something is escaped or folded.
    if (written.slice(quote, written.length - quote) !== at.source || written.includes('\n')) {
      odd = true;
      return false;
    }
    const fixed: string[] = [];
    let from = at.start + quote;
    for (const i of own) {
      const hole = holes[i] as Hole;
      if (hole.start < from || hole.end > at.end - quote) odd = true;
      fixed.push(text.slice(from, hole.start));
      from = hole.end;
      plain.set(i, quote === 0);
    }
    fixed.push(text.slice(from, at.end - quote));
    scalars.set(at, { path, shape: of, plain: quote === 0, fixed, holes: own });
    return true;
  };

  visit(tree, shape, '');
  const comment = (h: Hole): boolean => inComment(text, h.start, spans);
  if (odd || holes.some((h, i) => !plain.has(i) && !comment(h))) return null;
  // Only of a value like those to come does the tree show what it is with them.
  if (holes.some((h, i) => !fits(text.slice(h.start, h.end), plain.get(i) ?? false))) return null;
  return { scalars, around, plain: holes.map((_, i) => plain.get(i) ?? false) };
}

/** Numbers of the holes that stand in it, or touch it. They are sorted. */
function within(holes: readonly Hole[], { start, end }: { readonly start: number; readonly end: number }) {
  let low = 0;
  let high = holes.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((holes[mid]?.end ?? 0) <= start) low = mid + 1;
    else high = mid;
  }
  const found: number[] = [];
  for (let i = low; (holes[i]?.start ?? end) < end; i++) found.push(i);
  return found;
}

/** Outside of keys and scalars, `#` can only begin a comment. */
function inComment(
  text: string,
  offset: number,
  spans: readonly { readonly start: number; readonly end: number }[],
): boolean {
  const from = text.lastIndexOf('\n', offset) + 1;
  for (let at = text.indexOf('#', from); at !== -1 && at < offset; at = text.indexOf('#', at + 1))
    if (!spans.some((s) => s.start <= at && at < s.end)) return true;
  return false;
}
