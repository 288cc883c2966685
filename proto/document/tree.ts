// What parse.ts makes of YAML: a plain tree with offsets into the text, so that no other file knows the YAML library.

interface Spot {
  /** Offsets into the text; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

export interface Entry {
  readonly key: string;
  readonly keyStart: number;
  readonly value: Tree;
}

export type MapTree = Spot & { readonly kind: 'map'; readonly entries: readonly Entry[] };
export type ListTree = Spot & { readonly kind: 'list'; readonly items: readonly Tree[] };
export type ScalarTree = Spot & {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As written, without quotes. */
  readonly source: string;
};
export type Tree = MapTree | ListTree | ScalarTree;

/** The value under a key; `undefined` when this is no map or has no such key. */
export function child(tree: Tree | undefined, key: string): Tree | undefined {
  if (tree?.kind !== 'map') return undefined;
  return tree.entries.find((e) => e.key === key)?.value;
}

export function items(tree: Tree | undefined): readonly Tree[] {
  return tree?.kind === 'list' ? tree.items : [];
}

/** `$${` is how a text says `${`: templates leave it alone, it is read here. */
export function unescapeText(text: string): string {
  return text.replaceAll('$${', '${');
}
