import { isAlias, isMap, isNode, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import type { Refusal } from '../proto/vocab/node.ts';
import { safeText } from '../proto/vocab/safe-text.ts';
import type { Keys } from './key.ts';

/** A value found in the file, and where it (or a part of it) stands. */
export interface Found {
  readonly value: unknown;
  placeOf(inner: readonly PropertyKey[]): { readonly line: number; readonly column: number };
}

const MAX_BYTES = 256 * 1024;

/** Reads a settings file against a table of keys: unknown keys, aliases and YAML's own errors become refusals. */
export function readSettingsFile(
  file: string,
  bytes: Uint8Array,
  keys: Keys,
  refusals: Refusal[],
): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  const name = safeText(file);
  if (bytes.length > MAX_BYTES) {
    refusals.push({
      code: 'too_large',
      path: name,
      message: `has ${bytes.length} bytes`,
      hint: `at most ${MAX_BYTES}`,
    });
    return found;
  }
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    refusals.push({ code: 'not_utf8', path: name, message: 'is not UTF-8 text' });
    return found;
  }
  const lines = new LineCounter();
  const doc = parseDocument(source, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const placeAt = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const place = (node: unknown) => placeAt(isNode(node) ? (node.range?.[0] ?? 0) : 0);
  for (const problem of [...doc.errors, ...doc.warnings]) {
    refusals.push({
      code: 'bad_yaml',
      path: name,
      message: safeText(problem.message),
      ...placeAt(problem.pos[0]),
    });
  }
  if (doc.errors.length > 0 || doc.contents === null) return found;
  if (!isMap(doc.contents)) {
    refusals.push({
      code: 'bad_value',
      path: name,
      message: 'must hold settings by name',
      hint: `begin with a line like ${Object.keys(keys)[0]?.split('.')[0]}:`,
      ...place(doc.contents),
    });
    return found;
  }

  const walk = (map: YAMLMap, prefix: string): void => {
    for (const { key: k, value } of map.items) {
      const word = isScalar(k) ? String(k.value) : '?';
      const path = prefix + word;
      const at = { path: `${name}: ${safeText(path)}`, ...place(k) };
      const group = Object.keys(keys).some((other) => other.startsWith(`${path}.`));
      if (!group && !Object.hasOwn(keys, path)) {
        const hint = didYouMean(path, Object.keys(keys));
        refusals.push({
          ...at,
          code: 'unknown_key',
          message: 'there is no such setting',
          ...(hint ? { hint } : {}),
        });
      } else if (value === null || (isScalar(value) && value.value === null)) {
        // `secret:` with nothing after it says nothing.
      } else if (hasAlias(value)) {
        refusals.push({
          ...at,
          code: 'alias',
          message: 'anchors and aliases are not read here',
          hint: 'write the value out',
        });
      } else if (!group) {
        found.set(path, {
          value: (value as Node).toJS(doc),
          placeOf: (inner) =>
            place(inner.length > 0 ? (doc.getIn([...path.split('.'), ...inner], true) ?? value) : value),
        });
      } else if (isMap(value)) {
        walk(value, `${path}.`);
      } else {
        refusals.push({ ...at, code: 'bad_value', message: 'must hold settings by name, one a line' });
      }
    }
  };
  walk(doc.contents, '');
  return found;
}

function hasAlias(node: unknown): boolean {
  if (isAlias(node)) return true;
  if (!isNode(node) || !('items' in node)) return false;
  return (node.items as unknown[]).some((item) =>
    typeof item === 'object' && item !== null && 'key' in item
      ? hasAlias(item.key) || hasAlias((item as { value?: unknown }).value)
      : hasAlias(item),
  );
}

/** A key that is written nearly so, or the same word in another group. */
function didYouMean(path: string, keys: readonly string[]): string | null {
  const paths = new Set(
    keys.flatMap((k) => k.split('.').map((_, i, parts) => parts.slice(0, i + 1).join('.'))),
  );
  const last = path.split('.').at(-1) ?? path;
  const near = [...paths].map((p) => ({ p, d: distance(path.slice(0, 64), p) })).sort((a, b) => a.d - b.d)[0];
  // Inside the right group even `adress` finds `addr`.
  const group = path.slice(0, -last.length);
  const far = group !== '' && near?.p.startsWith(group) ? (last.length * 2) / 3 : path.length / 3;
  if (near && near.d <= far) return `did you mean ${near.p}?`;
  const elsewhere = [...paths].filter((p) => p.endsWith(`.${last}`) || p === last);
  return elsewhere.length > 0 ? `did you mean ${elsewhere.join(' or ')}?` : null;
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
