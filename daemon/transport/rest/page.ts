import { z } from 'zod';
import { HttpRefusal } from './problem.ts';
import { whole } from './shapes.ts';

export const MOST_A_PAGE = 1000;
const USUAL_A_PAGE = 100;

/** Query of every list. */
export const PageQuery = {
  limit: whole({ min: 1, max: MOST_A_PAGE }).default(USUAL_A_PAGE),
  cursor: z.string().min(1).max(512).optional().describe('`next` of the page before'),
};

/** What every list's body has beside its items. */
export const PageShape = {
  next: z.string().nullable().describe('cursor of the next page; null: this is the last one'),
  revision: z.int().min(0).describe('the state this was read from'),
};

/**
 * One page of items that are in the order of their keys. The cursor holds the last key seen, so a page goes on at the
 * right place whatever came or went meanwhile.
 */
export function pageOf<T>(
  items: readonly T[],
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  keyOf: (item: T) => string,
): { items: readonly T[]; next: string | null } {
  const after = cursor === undefined ? null : decodeCursor(cursor);
  const from = after === null ? 0 : firstBehind(items, after, keyOf);
  const page = items.slice(from, from + limit);
  const last = page.at(-1);
  const next = last !== undefined && from + limit < items.length ? encodeCursor(keyOf(last)) : null;
  return { items: page, next };
}

export function encodeCursor(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

export function decodeCursor(cursor: string): string {
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (encodeCursor(key) !== cursor) {
    throw new HttpRefusal(
      'invalid',
      'the cursor is not one of this list: send `next` of the page before as it is',
    );
  }
  return key;
}

/** Newest first under ascending keys. */
export function newestFirst(at: number, tie: string): string {
  return `${String(9_999_999_999_999 - at).padStart(13, '0')} ${tie}`;
}

export function inOrder<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  return items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map((x) => x.item);
}

function firstBehind<T>(items: readonly T[], key: string, keyOf: (item: T) => string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyOf(items[middle] as T) > key) high = middle;
    else low = middle + 1;
  }
  return low;
}
