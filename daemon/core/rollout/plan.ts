import type { NodeName } from '../../../proto/vocab/ids.ts';
import type { NodeFacts, StoredRollout, StoredTarget } from './facts.ts';
import { isHere, isWell } from './node-facts.ts';
import { isInFlight, isPlannable, type Moment } from './target.ts';

// Who is offered the version next, and if nobody, why.

export interface Plan {
  readonly offer: readonly NodeName[];
  /** The change would cut what they carry. */
  readonly hold: readonly NodeName[];
  /** Pairs that exchange their steps: the first cannot take its turn now, the second can. */
  readonly swap: readonly (readonly [NodeName, NodeName])[];
  /** Could be offered it but for the limits. */
  readonly kept: number;
  readonly waits: readonly string[];
}

type Facts = ReadonlyMap<NodeName, NodeFacts>;
type Targets = ReadonlyMap<NodeName, StoredTarget>;

export function planned(r: StoredRollout, targets: Targets, facts: Facts, m: Moment): Plan {
  const swap = swaps(r, targets, facts);
  const swapped = new Map(swap.flatMap(([a, b]) => [a, b].map((n, i) => [n, i === 1] as const)));
  const turn: NodeFacts[] = [];
  const hold: NodeName[] = [];
  let unknown = 0;
  for (const t of targets.values()) {
    const due = swapped.get(t.node) ?? t.step <= r.step;
    if (!due || t.released || (t.state !== 'waiting' && t.state !== 'held_by_streams')) continue;
    const f = facts.get(t.node);
    if (f === undefined || !isHere(f)) unknown += 1;
    else if (f.wouldCut > 0) hold.push(t.node);
    else turn.push(f);
  }
  const waits: string[] = [];
  if (hold.length > 0) waits.push(`${some(hold)}: the change would cut streams that are not over`);
  if (unknown > 0) waits.push(`${unknown} not heard of since the master began`);
  if (turn.length === 0) return { offer: [], hold, swap, kept: 0, waits };
  const out = unavailable(targets, facts);
  const most = r.strategy.maxUnavailable;
  if (out.length > most) {
    waits.push(
      `${some(out)} out of reach or not healthy, more than max_unavailable ${most}: nothing more is offered`,
    );
    return { offer: [], hold, swap, kept: turn.length, waits };
  }
  let flying = 0;
  for (const t of targets.values()) if (isInFlight(t, m)) flying += 1;
  const room = Math.max(0, r.strategy.maxParallel - flying);
  const offer = room > 0 ? interleaved(turn).slice(0, room) : [];
  const left = turn.length - offer.length;
  if (left > 0)
    waits.push(`${left} have their turn as others settle: max_parallel is ${r.strategy.maxParallel}`);
  return { offer, hold, swap, kept: left, waits };
}

/**
 * Whose turn it is and who cannot take it, with the next of the same region who can. One that has had its offer before is
 * not replaced: a config that takes hosts down must not walk through the fleet.
 */
function swaps(r: StoredRollout, targets: Targets, facts: Facts): [NodeName, NodeName][] {
  if (r.step >= r.strategy.steps.length - 1) return [];
  const missing: StoredTarget[] = [];
  for (const t of targets.values()) {
    const stuck = t.state === 'deferred_offline' || t.state === 'excluded';
    if (t.step === r.step && stuck && isPlannable(t) && t.offeredAt === null) missing.push(t);
  }
  if (missing.length === 0) return [];
  const later = [...targets.values()]
    .filter((t) => t.step > r.step && t.state === 'waiting' && isReady(facts.get(t.node)))
    .sort((a, b) => a.step - b.step || (a.node < b.node ? -1 : 1));
  const out: [NodeName, NodeName][] = [];
  const taken = new Set<NodeName>();
  for (const t of missing.sort((a, b) => (a.node < b.node ? -1 : 1))) {
    const other = later.find((o) => o.region === t.region && !taken.has(o.node));
    if (!other) continue;
    taken.add(other.node);
    out.push([t.node, other.node]);
  }
  return out;
}

const isReady = (f: NodeFacts | undefined): boolean => f?.status === 'ready' && f.wouldCut === 0;

/** Those that have the version and are out of reach, or not well any more. One that has just missed a heartbeat is neither. */
function unavailable(targets: Targets, facts: Facts): NodeName[] {
  const out: NodeName[] = [];
  for (const t of targets.values()) {
    if (!t.released) continue;
    const f = facts.get(t.node);
    if (f && (f.status === 'down' || (t.state === 'healthy' && f.status === 'ready' && !isWell(f))))
      out.push(t.node);
  }
  return out;
}

/** By name, region after region in turns: no region has all its nodes on the way at once. */
export function interleaved(nodes: readonly Pick<NodeFacts, 'name' | 'region'>[]): NodeName[] {
  const regions = new Map<string, NodeName[]>();
  for (const n of nodes) {
    const list = regions.get(n.region);
    if (list) list.push(n.name);
    else regions.set(n.region, [n.name]);
  }
  const lists = [...regions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, names]) => names.sort((a, b) => (a < b ? -1 : 1)));
  const out: NodeName[] = [];
  for (let i = 0; out.length < nodes.length; i++) {
    for (const list of lists) if (list[i] !== undefined) out.push(list[i] as NodeName);
  }
  return out;
}

const SHOWN = 3;

/** `hk-1, hk-2 and 5 more` */
export function some(names: readonly NodeName[]): string {
  const first = names.slice(0, SHOWN).sort();
  // Thousands are not sorted for three.
  for (const name of names.slice(SHOWN)) {
    if (name >= (first[SHOWN - 1] ?? '')) continue;
    first[SHOWN - 1] = name;
    first.sort();
  }
  const shown = first.join(', ');
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown;
}
