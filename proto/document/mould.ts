import type { ConfigHash } from '../vocab/ids.ts';
import type { Refusal } from '../vocab/node.ts';
import { check } from './check.ts';
import type { TunnelDocument } from './document.ts';
import { canonicalJson, configHash } from './hash.ts';
import { fits, type HolesOf, type Places, placesOf } from './holes.ts';
import { Lines } from './lines.ts';
import { normalise } from './normalise.ts';
import { MAX_BYTES, parseYaml } from './parse.ts';
import type { Hole } from './pieces.ts';
import { Problems } from './problems.ts';
import { readText } from './read.ts';
import { breaksOut, refuseLeftovers, renderTemplate } from './render.ts';
import { DOCUMENT } from './schema.ts';
import { checkShape } from './shape.ts';
import type { ScalarTree, Tree } from './tree.ts';
import type { Scope } from './variables.ts';

/** A template with values in it, read. */
export interface Rendering {
  readonly hash: ConfigHash;
  readonly document: TunnelDocument;
  /** Their places are of the template. */
  readonly warnings: readonly Refusal[];
  readonly source: Source;
}

/** What a rendering is made of: its text, and all that can be had of it again. */
export interface Source {
  /** Of the text, in UTF-8. */
  readonly bytes: number;
  /** How many characters are kept for it, beside those of its mould. */
  readonly held: number;
  text(): string;
  document(): TunnelDocument;
}

export type RenderedInFull =
  /** `mould`: `null` where this rendering makes none. */
  | { readonly ok: true; readonly rendering: Rendering; readonly mould: Mould | null }
  /** A refusal's place is one of the template. */
  | { readonly ok: false; readonly at: 'variables' | 'schema'; readonly refusals: readonly Refusal[] };

/** Renders a template and reads what has become of it; the next values may go into the mould of this. */
export function renderDocument(template: string, scope: Scope): RenderedInFull {
  const r = renderTemplate(template, scope);
  if (!r.ok) return { ...r, at: 'variables' };
  const { text, toTemplate, holes } = r;
  const problems = new Problems(new Lines(text));
  const read = readText(text, problems);
  if (!read || !problems.none)
    return { ok: false, at: 'schema', refusals: problems.refusals().map(toTemplate) };
  const { tree, document } = read;
  const places = holes.length > 0 ? placesOf(tree, DOCUMENT, text, holes) : null;
  const json = new WeakMap<object, string>();
  if (places) remember(document, json);
  const rendering: Rendering = {
    hash: configHash(document, json),
    document,
    warnings: problems.warnings().map(toTemplate),
    source: {
      bytes: new TextEncoder().encode(text).length,
      held: text.length,
      text: () => text,
      document: () => must(readText(text, new Problems(new Lines(text)))?.document),
    },
  };
  const first = { tree, document, problems, toTemplate, json };
  return { ok: true, rendering, mould: places && new Mould(first, places, text, holes) };
}

function must(document: TunnelDocument | null | undefined): TunnelDocument {
  if (!document) throw new Error('a document was read once, and is not read again');
  return document;
}

interface First {
  readonly tree: Tree;
  readonly document: TunnelDocument;
  readonly problems: Problems;
  readonly toTemplate: (r: Refusal) => Refusal;
  readonly json: WeakMap<object, string>;
}

/**
 * A template that was rendered and read once, so that other values make another rendering of it at a small part of the
 * cost, nearly all of which is the reading of YAML. It is not another way of reading: whatever comes out is what
 * `renderDocument` makes of these values. For
 *
 * - only values that change nothing around them are taken (`fits`), and only into scalars and comments of one line
 *   (`placesOf`): so the text is parsed to the same tree, but for what these scalars hold. What they hold is put
 *   together as it is written, and typed by the parser itself where it has no quotes;
 * - the checks are the same ones over the new tree. Those of its shape look at one scalar at a time, and the others have
 *   passed: only the changed ones are held against it. All that look further see the new document;
 * - places in the template are the same for all values: a value has no lines of its own, and all of it stands where its
 *   variable does. So warnings find theirs by the tree that was read first.
 *
 * Everything else is `null`, and is to be rendered in full: refusals too, which are read by people and need no speed.
 */
export class Mould {
  readonly #first: First;
  readonly #places: Places;
  readonly #fixed: readonly string[];
  readonly #names: readonly string[];
  readonly #fixedBytes: number;
  /** Characters of the first text: what it holds grows with them. */
  readonly length: number;

  constructor(first: First, places: Places, text: string, holes: readonly Hole[]) {
    this.#first = first;
    this.#places = places;
    this.#names = holes.map((h) => h.name);
    const fixed = holes.map((h, i) => text.slice(holes[i - 1]?.end ?? 0, h.start));
    this.#fixed = [...fixed, text.slice(holes.at(-1)?.end ?? 0)];
    this.length = text.length;
    const encoder = new TextEncoder();
    // Each by itself: halves of a letter that a value stands between stay halves.
    this.#fixedBytes = this.#fixed.reduce((n, f) => n + encoder.encode(f).length, 0);
  }

  /** `null`: these values must be rendered in full. */
  fill({ vars }: Pick<Scope, 'vars'>): Rendering | null {
    const words: string[] = [];
    for (const [i, name] of this.#names.entries()) {
      const value = Object.hasOwn(vars, name) ? vars[name] : undefined;
      if (value === undefined || breaksOut(value) || !fits(value, this.#places.plain[i] ?? true)) return null;
      words.push(value);
    }
    // Words have one byte a character.
    const held = words.reduce((n, w) => n + w.length, 0);
    const bytes = this.#fixedBytes + held;
    if (bytes > MAX_BYTES) return null;
    const problems = this.#first.problems.ofTwin();
    const document = this.#read(words, problems);
    if (!document || !problems.none) return null;
    check(document, problems);
    if (!problems.none) return null;
    return {
      hash: configHash(document, this.#first.json),
      document,
      warnings: problems.warnings().map(this.#first.toTemplate),
      source: {
        bytes,
        held,
        text: () => joined(this.#fixed, words),
        document: () => must(this.#read(words, this.#first.problems.ofTwin())),
      },
    };
  }

  /** What it has in common with the first one is the first one's: to be kept, and to be hashed, it costs little. */
  #read(words: readonly string[], problems: Problems): TunnelDocument | null {
    const tree = this.#put(this.#first.tree, words, problems);
    return tree && shared(normalise(tree), this.#first.document);
  }

  /** The tree with these values in it; `null`: one of its scalars is no scalar any more. */
  #put(tree: Tree, words: readonly string[], problems: Problems): Tree | null {
    if (tree.kind === 'scalar') {
      const of = this.#places.scalars.get(tree);
      return of ? scalarOf(tree, of, words, problems) : tree;
    }
    if (!this.#places.around.has(tree)) return tree;
    if (tree.kind === 'list') {
      const items = tree.items.map((item) => this.#put(item, words, problems));
      return items.every((item) => item !== null) ? { ...tree, items } : null;
    }
    const entries = tree.entries.flatMap((e) => {
      const value = this.#put(e.value, words, problems);
      return value ? [{ ...e, value }] : [];
    });
    return entries.length === tree.entries.length ? { ...tree, entries } : null;
  }
}

function scalarOf(
  was: ScalarTree,
  of: HolesOf,
  words: readonly string[],
  problems: Problems,
): ScalarTree | null {
  const source = joined(
    of.fixed,
    of.holes.map((i) => words[i] ?? ''),
  );
  const value = of.plain ? plainValue(source) : source;
  if (value === undefined) return null;
  const scalar: ScalarTree = { ...was, value, source };
  refuseLeftovers(scalar, '', of.path, problems);
  checkShape(scalar, of.shape, of.path, problems);
  return scalar;
}

/** What YAML takes a scalar without quotes for; `undefined`: for no scalar. */
function plainValue(source: string): ScalarTree['value'] | undefined {
  // Numbers begin with a digit, a sign or a dot; of words only these three mean something else than themselves.
  if (/^[A-Za-z]/.test(source) && !/^(?:null|true|false)$/i.test(source)) return source;
  const tree = parseYaml(source, new Problems(new Lines(source)));
  return tree?.kind === 'scalar' && tree.source === source ? tree.value : undefined;
}

/** @param fixed one more than there are words */
function joined(fixed: readonly string[], words: readonly string[]): string {
  return fixed.reduce((text, f, i) => text + f + (words[i] ?? ''), '');
}

/** The same value; what of it is equal to a part of the other one is that very part. */
function shared<T>(value: T, other: T): T {
  if (value === other || typeof value !== 'object' || value === null) return value;
  if (typeof other !== 'object' || other === null) return value;
  return (
    Array.isArray(value)
      ? sharedItems(value, other)
      : sharedKeys(value as Record<string, unknown>, other as Record<string, unknown>)
  )
    ? other
    : value;
}

/** Whether they are equal; where they are not, the first one is given the parts of the other that are. */
function sharedItems(own: unknown[], theirs: unknown): boolean {
  if (!Array.isArray(theirs)) return false;
  let same = own.length === theirs.length;
  for (const [i, was] of own.entries()) {
    const part = shared(was, theirs[i]);
    if (part !== was) own[i] = part;
    else if (part !== theirs[i]) same = false;
  }
  return same;
}

function sharedKeys(own: Record<string, unknown>, theirs: Record<string, unknown>): boolean {
  const keys = Object.keys(own);
  let same = !Array.isArray(theirs) && keys.length === Object.keys(theirs).length;
  for (const key of keys) {
    const was = own[key];
    const part = shared(was, theirs[key]);
    if (part !== was) own[key] = part;
    else if (part !== theirs[key] || !Object.hasOwn(theirs, key)) same = false;
  }
  return same;
}

function remember(value: unknown, json: WeakMap<object, string>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const part of Object.values(value)) remember(part, json);
  json.set(value, canonicalJson(value, json));
}
