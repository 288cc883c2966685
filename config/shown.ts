import { safeText } from '../proto/vocab/safe-text.ts';
import type { Keys } from './key.ts';
import { type LoadFrom, loadKeys, type Source } from './load.ts';

/** What must not be read over a shoulder. */
const SECRET: readonly string[] = ['jwt.secret', 'master.token'];

/** A setting as people and scripts read it. */
export interface Shown {
  readonly path: string;
  /** Addresses as `host:port`, lists with commas, durations in ms; empty where nothing is set. */
  readonly value: string;
  readonly source: Source;
}

/** All settings of a program with where each came from. @throws AppError `invalid` */
export function showSettings(keys: Keys, from: LoadFrom): readonly Shown[] {
  const { settings, sources } = loadKeys(keys, from);
  return Object.entries(settings).map(([path, value]) => ({
    path,
    value: SECRET.includes(path) && value !== null ? '(kept secret)' : written(value),
    source: sources[path] ?? 'default',
  }));
}

/** One a line, or the value of one key alone. `null`: there is no such key. */
export function settingsText(all: readonly Shown[], only: string | undefined): string | null {
  if (only !== undefined) {
    const found = all.find((s) => s.path === only);
    return found === undefined ? null : `${found.value}\n`;
  }
  const width = Math.max(...all.map((s) => s.path.length));
  const wide = Math.max(...all.map((s) => s.value.length));
  return all.map((s) => `${s.path.padEnd(width)}  ${s.value.padEnd(wide)}  ${s.source}\n`).join('');
}

function written(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(written).join(',');
  if (typeof value !== 'object') return safeText(String(value));
  if ('host' in value && 'port' in value) {
    const { host, port } = value as { host: string; port: number };
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }
  return safeText(JSON.stringify(value));
}
