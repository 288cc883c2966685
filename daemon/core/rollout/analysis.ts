import type { Millis, NodeName } from '../../../proto/vocab/ids.ts';
import type { Reading } from '../../../proto/vocab/rollout.ts';
import type { NodeFacts, ReadingRequest, StoredRollout, StoredTarget, WindowAsk } from './facts.ts';
import { isHere } from './node-facts.ts';

// When a step's gates are read, over which windows, and what a reading leads to.

/** What a canary is compared with where its region has no stable peer. */
const PAST_MS = 10 * 60_000;

/**
 * When the last node of the step had soaked: no window looks back before it. Not before its switch, and not just after
 * it either: what began on the version before is measured when it ends.
 */
export function soakedAt(r: StoredRollout, targets: Iterable<StoredTarget>): Millis | null {
  let own: Millis | null = null;
  let any: Millis | null = null;
  for (const t of targets) {
    if (!t.released || t.state !== 'healthy') continue;
    any = Math.max(any ?? 0, t.since);
    if (t.step === r.step) own = Math.max(own ?? 0, t.since);
  }
  return own ?? any;
}

/** Readings in a row that passed, newest last. */
export function passedInRow(readings: readonly Reading[]): number {
  const last = readings.findLastIndex((x) => x.verdict === 'fail' || x.verdict === 'inconclusive');
  return readings.length - 1 - last;
}

export function requestOf(
  r: StoredRollout,
  targets: ReadonlyMap<NodeName, StoredTarget>,
  facts: ReadonlyMap<NodeName, NodeFacts>,
  now: Millis,
): ReadingRequest {
  const since = Math.max(now - r.strategy.gates.windowMs, soakedAt(r, targets.values()) ?? now);
  const groupOf = grouping([...targets.keys()].flatMap((n) => facts.get(n) ?? []));
  const asks: WindowAsk[] = [];
  const groups = new Set<string>();
  const stable: WindowAsk[] = [];
  const past: WindowAsk[] = [];
  for (const t of targets.values()) {
    const f = facts.get(t.node);
    if (!f) continue;
    const group = groupOf(f);
    if (t.released && t.state === 'healthy') {
      asks.push({ side: 'canary', node: t.node, group, since, until: now });
      groups.add(group);
      const until = t.offeredAt ?? since;
      past.push({ side: 'past', node: t.node, group, since: until - PAST_MS, until });
    } else if (!t.released && isHere(f)) {
      stable.push({ side: 'stable', node: t.node, group, since, until: now });
    }
  }
  const peered = new Set(stable.map((a) => a.group));
  asks.push(...stable.filter((a) => groups.has(a.group)), ...past.filter((a) => !peered.has(a.group)));
  return { rollout: r.id, step: r.step, number: passedInRow(r.readings) + 1, asks };
}

/** Like with like: nodes of one region, one type and one kind of engine; named by what tells them apart here. */
function grouping(nodes: readonly NodeFacts[]): (f: NodeFacts) => string {
  const types = new Set(nodes.map((f) => f.nodeType));
  const engines = new Set(nodes.map((f) => f.engine));
  return (f) =>
    [f.region, ...(types.size > 1 ? [f.nodeType] : []), ...(engines.size > 1 ? [f.engine] : [])].join(' ');
}

/** Whether this is the reading that was asked for, and not one of before a restart, a pause or another step. */
export function isAwaited(r: StoredRollout, reading: Reading): boolean {
  return (
    reading.step === r.step &&
    reading.number === passedInRow(r.readings) + 1 &&
    r.nextReadingAt !== null &&
    reading.at >= r.nextReadingAt
  );
}
