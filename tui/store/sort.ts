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

const DIGITS = /(\d+)/;

/** `hk-9` before `hk-10`; by code point otherwise, so that the order is the same on every machine. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const x = a.split(DIGITS);
  const y = b.split(DIGITS);
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const l = x[i] ?? '';
    const r = y[i] ?? '';
    if (l === r) continue;
    if (i % 2 === 1) {
      const d = Number(l) - Number(r);
      if (d !== 0) return d;
    }
    return l < r ? -1 : 1;
  }
  return x.length - y.length || (a < b ? -1 : 1);
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
