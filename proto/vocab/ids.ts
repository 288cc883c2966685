// Ids that must not be mixed up. A brand costs nothing at run time.

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** A node's id is its name: unique, immutable, see `isNodeName`. */
export type NodeName = Branded<string, 'NodeName'>;
/** sha256 hex of the canonical JSON of a rendered, normalised document. */
export type ConfigHash = Branded<string, 'ConfigHash'>;
/** sha256 hex of a version's body as written. */
export type BodyHash = Branded<string, 'BodyHash'>;
/** Unique and immutable: given (`v1.0.1`) or the next `vN`. */
export type VersionLabel = Branded<string, 'VersionLabel'>;
export type SilenceId = Branded<string, 'SilenceId'>;
/** `31`: counts up. */
export type RolloutId = Branded<string, 'RolloutId'>;
export type CommandId = Branded<string, 'CommandId'>;
/** Hash of an alert's sorted labels. */
export type Fingerprint = Branded<string, 'Fingerprint'>;
/** The store's commit number; grows by one a commit. */
export type Revision = number;
/** Milliseconds since the epoch. */
export type Millis = number;

/** 1-63 code points of a-z, 0-9, letters of any script and `-`, in NFC; not starting or ending with `-`. */
export function isNodeName(s: string): s is NodeName {
  return (
    [...s].length <= 63 &&
    s === s.normalize('NFC') &&
    // Ignorable ones are invisible: two names could look alike.
    !/\p{Default_Ignorable_Code_Point}/u.test(s) &&
    /^[a-z0-9\p{Ll}\p{Lo}](?:[a-z0-9\p{Ll}\p{Lo}\p{Lm}\p{M}-]*[a-z0-9\p{Ll}\p{Lo}\p{Lm}\p{M}])?$/u.test(s)
  );
}

/** Region and label words: 1-63 of a-z, 0-9, `-`, `_`, `.`. */
export function isWord(s: string): boolean {
  return /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/.test(s);
}

/** `v1.0.1`, `v42`, `2026-11-24_hotfix`: 1-64 of letters, digits, `.`, `_`, `-`. */
export function isVersionLabel(s: string): s is VersionLabel {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(s);
}
