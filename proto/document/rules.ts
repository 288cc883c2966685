import type { SecretKind } from '../vocab/secret.ts';

// What a table of keys is made of, see schema.ts; shape.ts holds a tree against it.

export type Shape =
  | { readonly kind: 'map'; readonly keys: Readonly<Record<string, KeyRule>> }
  | { readonly kind: 'list'; readonly of: Shape; readonly empty: string | null }
  | { readonly kind: 'name' }
  | {
      readonly kind: 'text';
      readonly maxBytes: number;
      /** Never shown. */
      readonly secret: boolean;
      /** A sealed value of this kind may be named instead. */
      readonly sealed?: SecretKind;
    }
  | { readonly kind: 'address'; readonly use: 'listen' | 'dial' }
  | { readonly kind: 'bool' }
  /** A text of its own form; `wrong` says what is wrong with it. */
  | { readonly kind: 'line'; readonly wrong: (text: string) => string | null; readonly hint: string }
  | { readonly kind: 'count'; readonly min: number; readonly max: number }
  /** Bytes: a whole number, or `64KB`. */
  | { readonly kind: 'size'; readonly min: number; readonly max: number }
  | { readonly kind: 'duration'; readonly minMs: number; readonly maxMs: number }
  /** `later` are gost's own, not carried by this engine. */
  | {
      readonly kind: 'choice';
      readonly values: readonly string[];
      readonly later: readonly string[];
      /** What to write instead of one of `later`, where there is something better than the list of `values`. */
      readonly hints?: Readonly<Record<string, string>>;
    }
  /** Of a URL: begins with a slash, no query. */
  | { readonly kind: 'path' };

export type KeyRule =
  | {
      readonly is: 'read';
      readonly shape: Shape;
      readonly required: boolean;
      /** What to write where the key is missing. */
      readonly hint?: string;
    }
  /** gost has it, this engine does not carry it. */
  | { readonly is: 'later'; readonly hint?: string }
  | { readonly is: 'wrong'; readonly message: string; readonly hint: string; readonly inside?: Shape };
