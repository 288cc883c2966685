import { Histogram, type SparseHistogram } from '../../../proto/vocab/metrics.ts';
import type { NodeType } from '../../../proto/vocab/node.ts';
import type { Condition } from './machine.ts';

export const BUFFERING = 'Buffering';

/** How answers flowed in a time. */
export interface Flow {
  readonly ttft: SparseHistogram;
  readonly gap: SparseHistogram;
}

/** Answers below which nothing is said. */
const FEWEST_NOW = 20;
const FEWEST_BEFORE = 50;
/** The first token is later by half at the least, and by what a person notices. */
const LATER = 1.5;
const LATER_MS = 100;
/** What comes behind it comes at less than half its pace, or at once. */
const CLOSER = 0.5;

/**
 * Something holds answers back and lets them go in one piece: the first token comes late, and those behind it come with
 * no time between. A slow model makes both longer, and an answer that is not streamed has no gaps to become shorter.
 * @param before of the same node, or of its like, before
 */
export function buffering(nodeType: NodeType, now: Flow | null, before: Flow | null): Condition {
  if (!now || !before) return 'unknown';
  const [ttft, ttftBefore] = [all(now.ttft), all(before.ttft)];
  const [gap, gapBefore] = [all(now.gap), all(before.gap)];
  if (ttft.total < FEWEST_NOW || ttftBefore.total < FEWEST_BEFORE) return 'unknown';
  // Where nothing was streamed before, nothing is held back now.
  if (gapBefore.total < FEWEST_BEFORE) return 'unknown';
  const first = ttft.quantile(0.95) ?? 0;
  const firstBefore = ttftBefore.quantile(0.95) ?? 0;
  const gap99Before = gapBefore.quantile(0.99) ?? 0;
  // No gap at all: each answer came in one piece.
  const gap99 = gap.quantile(0.99) ?? 0;
  const holds =
    first >= LATER * firstBefore && first >= firstBefore + LATER_MS && gap99 <= CLOSER * gap99Before;
  if (!holds) return { holds };
  const gaps = gap.total === 0 ? 'no gap between chunks' : `gap p99 ${ms(gap99)}`;
  const where = nodeType === 'core' ? 'between here and the origin' : 'from here on to the origin';
  const value = `answers are held back ${where}: TTFT p95 ${ms(first)} (was ${ms(firstBefore)}), ${gaps} (was ${ms(gap99Before)})`;
  return { holds, value };
}

function all(h: SparseHistogram): Histogram {
  const out = new Histogram();
  out.merge(h);
  return out;
}

function ms(v: number): string {
  return v >= 1000 ? `${(v / 1000).toFixed(1)} s` : `${Math.round(v)} ms`;
}
