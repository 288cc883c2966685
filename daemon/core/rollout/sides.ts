import type { NodeName } from '../../../proto/vocab/ids.ts';
import { Histogram, type MetricsWindow, type SparseHistogram } from '../../../proto/vocab/metrics.ts';
import type { ReadingRequest, Side, WindowOf } from './facts.ts';

// What was measured on both sides of a comparison, merged from the nodes' windows.

export interface MergedSide {
  readonly nodes: readonly { readonly name: NodeName; readonly window: MetricsWindow }[];
  /** Requests that came to an end, well or not. */
  readonly tries: number;
  readonly errors: number;
  readonly aborted: number;
  readonly ttft: Histogram;
  readonly gap: Histogram;
  /** Whose window holds what is no number. */
  readonly broken: NodeName | null;
}

export interface Group {
  readonly name: string;
  readonly canary: MergedSide;
  readonly other: MergedSide;
  /** The other side is the canaries' own past. */
  readonly past: boolean;
}

export function groupsOf(request: ReadingRequest, windowOf: WindowOf): Group[] {
  const names = [...new Set(request.asks.map((a) => a.group))].sort();
  const merged = (group: string, side: Side): MergedSide => {
    const nodes = request.asks
      .filter((a) => a.group === group && a.side === side)
      .flatMap((a) => {
        const window = windowOf(a.node, a.since, a.until);
        return window === null ? [] : [{ name: a.node, window }];
      });
    return sideOf(nodes);
  };
  return names.map((name) => {
    const past = !request.asks.some((a) => a.group === name && a.side === 'stable');
    return { name, past, canary: merged(name, 'canary'), other: merged(name, past ? 'past' : 'stable') };
  });
}

function sideOf(nodes: MergedSide['nodes']): MergedSide {
  const out = { tries: 0, errors: 0, aborted: 0, ttft: new Histogram(), gap: new Histogram() };
  for (const { window } of nodes) {
    out.tries += triesOf(window);
    out.errors += window.errors;
    out.aborted += window.aborted;
    out.ttft.merge(window.ttft);
    out.gap.merge(window.gap);
  }
  return { nodes, ...out, broken: nodes.find((n) => !isSound(n.window))?.name ?? null };
}

export const triesOf = (w: MetricsWindow): number => w.requests + w.errors;

// Merging leaves out what is no count; here it must not go unseen.
function isSound(w: MetricsWindow): boolean {
  const counts = [w.requests, w.errors, w.aborted];
  return counts.every(isCount) && [w.ttft, w.gap].every(isSoundHistogram);
}

function isSoundHistogram(h: SparseHistogram): boolean {
  return (
    h.index.length === h.count.length && h.index.every(isCount) && h.count.every(isCount) && isCount(h.sumMs)
  );
}

const isCount = (n: number): boolean => n >= 0 && n < Number.POSITIVE_INFINITY;
