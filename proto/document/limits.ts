import type { BandwidthLimit, CountLimit } from './document.ts';
import { parseNetwork } from './network.ts';

// Lines of gost's limiters: `KEY VALUE…`. `$` is all together, `$$` each of them, an address or a range that address,
// or each address of the range.

const MOST = 1_000_000;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function split(text: string): { key: string; values: readonly string[] } | string {
  const [key = '', ...values] = text.trim().split(/\s+/);
  if (key !== '$' && key !== '$$' && parseNetwork(key) === null)
    return `${key} is neither $, $$, an address nor a range`;
  return { key, values };
}

/** `$ 1000`, `192.168.0.0/16 50`: at most so many connections. What is wrong with it as a text. */
export function parseConnectionLimit(text: string): CountLimit | string {
  return parseCount(text, /^\d{1,7}$/);
}

/** `$$ 10`, `$ 0.5`: so many new connections a second. */
export function parseRateLimit(text: string): CountLimit | string {
  return parseCount(text, /^\d{1,7}(?:\.\d{1,3})?$/);
}

function parseCount(text: string, number: RegExp): CountLimit | string {
  const line = split(text);
  if (typeof line === 'string') return line;
  const [value = ''] = line.values;
  if (line.values.length !== 1 || !number.test(value)) return 'must be a key and one number';
  const limit = Number(value);
  return limit > 0 && limit <= MOST ? { key: line.key, limit } : `${value} is not in 1-${MOST}`;
}

/** `$ 100MB 100MB`, `$$ 512KB`: bytes a second from clients, then to them; 0, or none written: no limit. */
export function parseBandwidthLimit(text: string): BandwidthLimit | string {
  const line = split(text);
  if (typeof line === 'string') return line;
  const [from = '', to = '0', extra] = line.values;
  const sizes = [from, to].map(parseSize);
  const [a = null, b = null] = sizes;
  if (extra !== undefined || a === null || b === null) return 'must be a key and one or two sizes a second';
  if (a === 0 && b === 0) return 'limits nothing';
  return { key: line.key, in: a === 0 ? null : a, out: b === 0 ? null : b };
}

/** Bytes; units are gost's, of 1024. */
export function parseSize(text: string): number | null {
  const m = /^(\d{1,9}(?:\.\d{1,3})?)(?:([KMGT]?)i?B)$/i.exec(text);
  if (text === '0') return 0;
  const unit = UNITS[(m?.[2] ?? '').toUpperCase()];
  return m === null || unit === undefined ? null : Math.round(Number(m[1]) * unit);
}
