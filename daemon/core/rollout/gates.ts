import type { Millis } from '../../../proto/vocab/ids.ts';
import type { GateName, GateReading, Gates, Reading, Verdict } from '../../../proto/vocab/rollout.ts';
import type { ReadingRequest, WindowOf } from './facts.ts';
import { largestOf } from './largest.ts';
import { type Group, groupsOf, type MergedSide } from './sides.ts';
import { chanceOfRatio, isNarrow, located, upperTail } from './statistics.ts';

/**
 * One reading: canary against the stable ones of the same region, or against its own past where there are none.
 *
 * Plain thresholds flap: at 1,000 samples a side the p95 of one and the same log-normal distribution (sigma 0.8) moves by
 * 7.6 % a standard error, and 0.25 % of errors by 0.22 points. So a gate
 *  - fails when the change is above its limit and is no chance: at most 1 in 2,000 readings of equal sides comes that far
 *    apart, over all gates and regions of the reading together;
 *  - passes a quantile when the change would be within the limit even if it were 1.64 standard errors more (5 %);
 *    a ratio when the change is within its limit, since near 0 no thousand samples could show more;
 *  - cannot tell otherwise. It is read again as samples come in, and when none are left to come a person is asked.
 */
export function read(request: ReadingRequest, windowOf: WindowOf, gates: Gates, now: Millis): Reading {
  const groups = groupsOf(request, windowOf);
  const judged = groups.flatMap((g) => judgedGroup(g, gates, groups.length * GATES.length));
  const worst = judged.reduce<Judged | null>((w, j) => (w === null || isWorse(j, w) ? j : w), null);
  const verdict: Verdict = worst?.reading.verdict ?? 'inconclusive';
  return {
    at: now,
    number: request.number,
    step: request.step,
    verdict,
    gates: judged.map((j) => j.reading),
    largest: worst && largestOf(worst.group, worst.reading),
    why: verdict === 'pass' ? '' : (worst?.why ?? 'no node that has the version could be measured'),
  };
}

/** Of all readings of sides that are the same, at most so many fail. */
const FALSE_FAILS = 0.0005;
/** Standard errors that a quantile must be within its limit to pass: 5 % on one side. */
const MARGIN = 1.645;
/** Nobody notices less, and engines on a busy machine differ by more than a quarter of it. */
const UNNOTICED_MS = 2;
/** From here on a change is close to its limit. */
const CLOSE = 0.9;

interface Judged {
  readonly group: Group;
  readonly reading: GateReading;
  readonly why: string;
}

const GATES: readonly { readonly gate: GateName; readonly title: string; readonly judge: Judge }[] = [
  {
    gate: 'ttft95',
    title: 'TTFT p95',
    judge: (g, gates, chance) => quantileGate(g, 'ttft', 0.95, gates.ttft95Pct, gates, chance),
  },
  {
    gate: 'gap99',
    title: 'gap p99',
    judge: (g, gates, chance) => quantileGate(g, 'gap', 0.99, gates.gap99Pct, gates, chance),
  },
  {
    gate: 'errors',
    title: 'errors',
    judge: (g, gates, chance) => ratioGate(g, 'errors', gates.errorPoints, gates, chance),
  },
  {
    gate: 'aborted',
    title: 'aborted',
    judge: (g, gates, chance) => ratioGate(g, 'aborted', gates.abortedPoints, gates, chance),
  },
];

type Judgement = Pick<
  GateReading,
  'canary' | 'stable' | 'change' | 'limit' | 'canarySamples' | 'stableSamples' | 'verdict'
> & { readonly why: string };
type Judge = (g: Group, gates: Gates, chance: number) => Judgement | null;

function judgedGroup(group: Group, gates: Gates, comparisons: number): Judged[] {
  return GATES.flatMap(({ gate, title, judge }) => {
    const j = judge(group, gates, FALSE_FAILS / comparisons);
    if (j === null) return [];
    const { why, ...figures } = j;
    const reading: GateReading = {
      gate,
      region: group.name,
      canaryNodes: group.canary.nodes.length,
      stableNodes: group.past ? 0 : group.other.nodes.length,
      ...figures,
    };
    return [{ group, reading, why: `${group.name} ${title} ${why}` }];
  });
}

/** Quantiles in ms. `null`: the measure does not apply: neither side has streams with gaps, though both have requests. */
function quantileGate(
  g: Group,
  measure: 'ttft' | 'gap',
  q: number,
  limit: number,
  gates: Gates,
  chance: number,
): Judgement | null {
  const [c, s] = [g.canary, g.other];
  const samples = { canarySamples: c[measure].total, stableSamples: s[measure].total, limit };
  if (measure === 'gap' && c.gap.total === 0 && s.gap.total === 0 && enough(c, s, gates) && !broken(g))
    return null;
  const few = tooFew(g, samples.canarySamples, samples.stableSamples, gates);
  if (few !== null) return { ...NOTHING, ...samples, why: few };
  const narrow = isNarrow(c[measure], q) && isNarrow(s[measure], q);
  const of = (side: MergedSide, independent: number) => located(side[measure], q, narrow, independent);
  const [cq, sq] = [of(c, c[measure].total), of(s, s[measure].total)];
  // Gaps of one stream are alike: what is to be no chance counts streams, not gaps.
  const [cf, sf] = [of(c, streams(c, measure)), of(s, streams(s, measure))];
  if (!cq || !sq || !cf || !sf || !(cq.ms > 0 && sq.ms > 0))
    return { ...NOTHING, ...samples, why: 'cannot be compared' };
  const moved = Math.log(cq.ms / sq.ms);
  const change = (cq.ms / sq.ms - 1) * 100;
  const figures = { canary: cq.ms, stable: sq.ms, change, ...samples };
  const most = Math.log1p(limit / 100);
  const said = `${signed(change, 1)} % of +${limit} %`;
  if (![moved, cq.logError, sq.logError, cf.logError, sf.logError].every(Number.isFinite)) {
    return { ...figures, verdict: 'inconclusive', why: 'cannot be compared' };
  }
  if (Math.abs(cq.ms - sq.ms) < UNNOTICED_MS) return { ...figures, verdict: 'pass', why: said };
  const byChance = upperTail(moved / Math.max(1e-9, Math.hypot(cf.logError, sf.logError)));
  if (moved > most && byChance <= chance) return { ...figures, verdict: 'fail', why: said };
  if (moved + MARGIN * Math.hypot(cq.logError, sq.logError) > most) {
    return {
      ...figures,
      verdict: 'inconclusive',
      why: `${said}, which ${least(samples)} samples cannot settle`,
    };
  }
  return { ...figures, verdict: change > limit * CLOSE ? 'close' : 'pass', why: said };
}

const streams = (side: MergedSide, measure: 'ttft' | 'gap'): number =>
  measure === 'gap' ? Math.min(side.gap.total, Math.max(1, side.tries)) : side.ttft.total;

/** Ratios in per cent, changes in points. */
function ratioGate(
  g: Group,
  measure: 'errors' | 'aborted',
  limit: number,
  gates: Gates,
  chance: number,
): Judgement {
  const [c, s] = [g.canary, g.other];
  const samples = { canarySamples: c.tries, stableSamples: s.tries, limit };
  const few = tooFew(g, c.tries, s.tries, gates);
  if (few !== null) return { ...NOTHING, ...samples, why: few };
  const canary = (c[measure] / c.tries) * 100;
  const stable = (s[measure] / s.tries) * 100;
  const change = canary - stable;
  const figures = { canary, stable, change, ...samples };
  const said = `${signed(change, 2)} pt of +${limit.toFixed(2)} pt`;
  if (!Number.isFinite(change)) return { ...figures, verdict: 'inconclusive', why: 'cannot be compared' };
  if (change <= limit) return { ...figures, verdict: change > limit * CLOSE ? 'close' : 'pass', why: said };
  if (chanceOfRatio(c[measure], c.tries, s[measure], s.tries) <= chance)
    return { ...figures, verdict: 'fail', why: said };
  return {
    ...figures,
    verdict: 'inconclusive',
    why: `${said}, which ${least(samples)} samples cannot settle`,
  };
}

const NOTHING = { canary: null, stable: null, change: null, verdict: 'inconclusive' } as const;

const broken = (g: Group): string | null => g.canary.broken ?? g.other.broken;
const enough = (c: MergedSide, s: MergedSide, gates: Gates): boolean =>
  c.tries >= gates.minSamples && s.tries >= gates.minSamples;

/** Why there is nothing to compare, or `null`. A figure that is no number spoils its whole side: nothing passes on it. */
function tooFew(g: Group, canary: number, other: number, gates: Gates): string | null {
  const spoilt = broken(g);
  if (spoilt !== null) return `cannot be said: ${spoilt} reported what is no number`;
  if (!(canary >= gates.minSamples)) return `has ${count(canary)} of ${count(gates.minSamples)} samples`;
  if (other >= gates.minSamples) return null;
  const of = g.past ? 'its own past' : 'its stable peers';
  return `has ${count(other)} of ${count(gates.minSamples)} samples of ${of}`;
}

const WORSE: Readonly<Record<Verdict, number>> = { pass: 0, close: 1, inconclusive: 2, fail: 3 };

function isWorse(a: Judged, b: Judged): boolean {
  const by = WORSE[a.reading.verdict] - WORSE[b.reading.verdict];
  if (by !== 0) return by > 0;
  const share = (r: GateReading): number => (r.change ?? Number.NEGATIVE_INFINITY) / r.limit;
  return share(a.reading) > share(b.reading);
}

const signed = (n: number, digits: number): string => `${n < 0 ? '' : '+'}${n.toFixed(digits)}`;
const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
const least = (s: { canarySamples: number; stableSamples: number }): string =>
  count(Math.min(s.canarySamples, s.stableSamples));
