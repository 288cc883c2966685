import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { AppError, formatRefusal } from '../proto/vocab/errors.ts';
import type { Refusal } from '../proto/vocab/node.ts';
import { safeText } from '../proto/vocab/safe-text.ts';
import { type Found, readSettingsFile } from './file.ts';
import type { Key, Keys, Values } from './key.ts';

export type Source = 'default' | 'file' | 'environment' | 'flag';

export interface Loaded<T> {
  readonly settings: T;
  /** Where each key's value came from. */
  readonly sources: Readonly<Record<string, Source>>;
}

export interface LoadFrom {
  /** Path of the settings file; without one, defaults, environment and flags are all there is. */
  readonly file?: string;
  /** A file that is not there is as good as an empty one. */
  readonly fileOptional?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By key path: `{'http.addr': ':8080'}`. */
  readonly flags: Readonly<Record<string, string>>;
}

/** `http.addr` -> `AICDN_HTTP_ADDR` */
export function environmentName(path: string): string {
  return `AICDN_${path.toUpperCase().replaceAll('.', '_')}`;
}

/**
 * Defaults < file < environment < flags, key by key. All that is wrong is said at once.
 * @throws AppError `invalid`, its refusals' paths naming the file and key, the variable or the flag
 */
export function loadKeys<K extends Keys>(keys: K, from: LoadFrom): Loaded<Values<K>> {
  const refusals: Refusal[] = [];
  const file =
    from.file === undefined ? null : readFile(from.file, from.fileOptional ?? false, keys, refusals);
  for (const flag of Object.keys(from.flags)) {
    if (!Object.hasOwn(keys, flag)) {
      refusals.push({
        code: 'unknown_key',
        path: `--${safeText(flag)}`,
        message: 'there is no such setting',
      });
    }
  }
  const values: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const [path, key] of Object.entries(keys)) {
    const given = pick(path, key, from, file);
    sources[path] = given.source;
    const parsed = key.schema.safeParse(given.value);
    if (parsed.success) values[path] = parsed.data;
    else refusals.push(...parsed.error.issues.map((issue) => refuse(path, key, given, issue)));
  }
  if (refusals.length > 0) throw settingsRefused(refusals);
  return { settings: values as Values<K>, sources };
}

export function settingsRefused(refusals: readonly Refusal[]): AppError {
  const lines = refusals.map((r) => `  ${formatRefusal(r)}`);
  return new AppError('invalid', `these settings are refused:\n${lines.join('\n')}`, { refusals });
}

interface Given {
  readonly source: Source;
  readonly value: unknown;
  /** How a refusal names the place. */
  readonly name: string;
  readonly found?: Found;
}

function pick(path: string, key: Key, from: LoadFrom, file: ReadonlyMap<string, Found> | null): Given {
  const flag = Object.hasOwn(from.flags, path) ? from.flags[path] : undefined;
  if (flag !== undefined) return { source: 'flag', value: fromText(flag, key), name: `--${path}` };
  const variable = environmentName(path);
  const inherited = from.env[variable];
  if (inherited !== undefined && inherited !== '') {
    return { source: 'environment', value: fromText(inherited, key), name: variable };
  }
  const found = file?.get(path);
  if (found) return { source: 'file', value: found.value, name: `${from.file}: ${path}`, found };
  return { source: 'default', value: key.fallback, name: from.file ? `${from.file}: ${path}` : path };
}

function refuse(path: string, key: Key, given: Given, issue: z.core.$ZodIssue): Refusal {
  const missing = given.source === 'default' && given.value === undefined;
  const params = 'params' in issue ? issue.params : undefined;
  const hint = missing
    ? `${key.doc}; set it in the file, by ${environmentName(path)} or by a flag`
    : typeof given.value === 'string' && given.value.includes('${')
      ? `nothing is expanded in this file; use ${environmentName(path)}`
      : params?.['hint'];
  const at = given.found?.placeOf(issue.path);
  const inner = issue.path.map((p) => (typeof p === 'number' ? `[${p}]` : `.${String(p)}`)).join('');
  return {
    code: missing ? 'missing' : 'bad_value',
    path: safeText(given.name + inner),
    message: missing ? 'is missing' : issue.message,
    ...(at ?? {}),
    ...(typeof hint === 'string' ? { hint } : {}),
  };
}

function fromText(value: string, key: Key): unknown {
  switch (key.form) {
    case 'text':
      return value;
    case 'list':
      return value
        .split(',')
        .map((s) => s.trim())
        .filter((s) => s !== '');
    case 'bool':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'map':
      return Object.fromEntries(
        value
          .split(',')
          .filter((s) => s.trim() !== '')
          .map((s) => {
            const [name, ...rest] = s.split('=');
            return [(name ?? '').trim(), rest.join('=').trim()];
          }),
      );
  }
}

function readFile(
  file: string,
  optional: boolean,
  keys: Keys,
  refusals: Refusal[],
): ReadonlyMap<string, Found> | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    if (optional && code === 'ENOENT') return null;
    const why =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'may not be read'
          : `cannot be read (${code})`;
    throw settingsRefused([{ code: 'unreadable', path: safeText(file), message: why }]);
  }
  return readSettingsFile(file, bytes, keys, refusals);
}
