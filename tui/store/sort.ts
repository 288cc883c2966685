import type { NodeItem } from './select-nodes.ts';
import { verdictRank } from './verdict.ts';

export const SORT_COLUMNS = [
  'status',
  'name',
  'region',
  'type',
  'seen',
  'config',
  'streams',
  'rps',
  'ttft95',
  'p99',
  'err',
  'cpu',
  'mem',
] as const;
export type SortColumn = (typeof SORT_COLUMNS)[number];

export interface Sort {
  readonly column: SortColumn;
  /** Worst, latest or highest first; for words, A first. */
  readonly down: boolean;
}

/** Worst first. */
export const DEFAULT_SORT: Sort = { column: 'status', down: true };

type Compare = (a: NodeItem, b: NodeItem) => number;

/** Highest first; what has no value comes last whichever way the column is turned. */
function figure(of: (n: NodeItem) => number | null): { compare: Compare; missing: (n: NodeItem) => boolean } {
  return { compare: (a, b) => (of(b) ?? 0) - (of(a) ?? 0), missing: (n) => of(n) === null };
}

function word(of: (n: NodeItem) => string | null): { compare: Compare; missing: (n: NodeItem) => boolean } {
  return {
    compare: (a, b) => compareNames(of(a) ?? '', of(b) ?? ''),
    missing: (n) => of(n) === null,
  };
}

function isDigit(text: string, at: number): boolean {
  const c = text.charCodeAt(at);
  return c >= 48 && c <= 57;
}

function digitsEnd(text: string, from: number): number {
  let end = from;
  while (isDigit(text, end)) end++;
  return end;
}

/** `hk-9` before `hk-10`; by code unit otherwise, so that the order is the same on every machine. No allocation: ten
 * thousand rows are compared each second. */
export function compareNames(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let at = 0;
  while (at < shorter && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === a.length && at === b.length) return 0;
  // The run of digits the difference is in, if it is in one on both sides.
  let start = at;
  while (start > 0 && isDigit(a, start - 1)) start--;
  if (isDigit(a, start) && isDigit(b, start)) {
    const d = Number(a.slice(start, digitsEnd(a, start))) - Number(b.slice(start, digitsEnd(b, start)));
    if (d !== 0) return d;
  }
  return a < b ? -1 : 1;
}

const COLUMNS: Readonly<
  Record<SortColumn, { readonly compare: Compare; readonly missing: (n: NodeItem) => boolean }>
> = {
  status: {
    compare: (a, b) =>
      verdictRank(a.verdict) - verdictRank(b.verdict) ||
      (b.vitals?.ttft95Ms ?? -1) - (a.vitals?.ttft95Ms ?? -1),
    missing: () => false,
  },
  name: word((n) => n.node.name),
  region: word((n) => n.node.region),
  type: word((n) => n.node.nodeType),
  // Longest silent first.
  seen: {
    compare: (a, b) => (a.vitals?.lastSeen ?? 0) - (b.vitals?.lastSeen ?? 0),
    missing: (n) => n.vitals?.lastSeen == null,
  },
  config: word((n) => n.node.effective?.version ?? null),
  streams: figure((n) => n.vitals?.streams ?? null),
  rps: figure((n) => n.vitals?.rps ?? null),
  ttft95: figure((n) => n.vitals?.ttft95Ms ?? null),
  p99: figure((n) => n.vitals?.p99Ms ?? null),
  err: figure((n) => n.vitals?.errPct ?? null),
  cpu: figure((n) => n.vitals?.cpuPct ?? null),
  mem: figure((n) => n.vitals?.memPct ?? null),
};

/** A total order: ties go to the name, which is unique. */
export function sortNodes(items: readonly NodeItem[], sort: Sort): readonly NodeItem[] {
  const { compare, missing } = COLUMNS[sort.column];
  const sign = sort.down ? 1 : -1;
  return [...items].sort((a, b) => {
    const gone = Number(missing(a)) - Number(missing(b));
    return gone || sign * compare(a, b) || compareNames(a.node.name, b.node.name);
  });
}
