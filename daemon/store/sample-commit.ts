import type { Commit, Op } from '../service/ports.ts';

/** A small commit for the store's tests: each key becomes a meta fact, `-key` deletes it. */
export function commitOf(rev: number, ...keys: string[]): Commit {
  return {
    rev,
    ts: 1_795_547_527_000 + rev,
    actor: 'lin(1000)',
    src: 'unix',
    req: `r-${rev}`,
    ops: keys.map((k): Op => {
      if (k.startsWith('-')) return { op: 'del', kind: 'meta', key: k.slice(1) };
      return { op: 'put', kind: 'meta', key: k, value: { id: k, value: `${k}@${rev}`, modRevision: rev } };
    }),
  };
}
