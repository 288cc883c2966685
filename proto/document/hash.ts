import { createHash } from 'node:crypto';
import type { BodyHash, ConfigHash } from '../vocab/ids.ts';
import type { TunnelDocument } from './document.ts';

/** sha256 hex of a version's body as written. */
export function bodyHash(bytes: Uint8Array): BodyHash {
  return createHash('sha256').update(bytes).digest('hex') as BodyHash;
}

/** sha256 hex of the canonical JSON of a document; the same over what an engine reads back. */
export function configHash(doc: TunnelDocument, known?: KnownJson): ConfigHash {
  return createHash('sha256').update(canonicalJson(doc, known)).digest('hex') as ConfigHash;
}

/** The canonical JSON of parts that many documents have in common: the very same objects, which nobody changes. */
export type KnownJson = Pick<WeakMap<object, string>, 'get'>;

/** JSON with sorted keys and no spaces; keys without a value are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown, known?: KnownJson): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const again = known?.get(value);
  if (again !== undefined) return again;
  if (Array.isArray(value)) return `[${value.map((v) => canonicalJson(v, known)).join(',')}]`;
  const parts = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v, known)}`);
  return `{${parts.join(',')}}`;
}
