import type { AlertView } from '../../proto/vocab/alert.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { Node, NodeStatus, NodeVitals, RegionVitals } from '../../proto/vocab/node.ts';
import type { TargetState } from '../../proto/vocab/rollout.ts';
import type { Filter } from './filter.ts';
import type { Fleet } from './fleet.ts';
import { type Judgement, judge, type Note, VERDICTS, type Verdict } from './verdict.ts';
import { words } from './words.ts';

/** A node with everything that is known of it, judged. */
export interface NodeItem {
  readonly node: Node;
  readonly vitals: NodeVitals | null;
  readonly status: NodeStatus;
  readonly alerts: readonly AlertView[];
  readonly verdict: Verdict;
  readonly note: Note | null;
  /** Left the fleet; keeps its row until the next ordering. */
  readonly gone: boolean;
  /** Where it stands in a rollout that goes on, as far as that is known. */
  readonly rollout: TargetState | null;
}

const NO_ALERTS: readonly AlertView[] = [];

/** The node an alert is about, by its labels. */
export function alertNode(a: AlertView): string | null {
  return a.labels['node'] ?? null;
}

export function alertsByNode(fleet: Fleet): ReadonlyMap<string, readonly AlertView[]> {
  const by = new Map<string, AlertView[]>();
  for (const a of fleet.facts.alert.values()) {
    const name = alertNode(a);
    if (name === null || a.state === 'resolved') continue;
    const list = by.get(name);
    if (list === undefined) by.set(name, [a]);
    else list.push(a);
  }
  return by;
}

/** The master's clock as far as we know it: it stops when the stream does, and ages with it. */
export function masterNow(fleet: Fleet): Millis {
  return fleet.at ?? 0;
}

function item(node: Node, fleet: Fleet, alerts: readonly AlertView[]): NodeItem {
  const vitals = fleet.vitals.get(node.name);
  const rollout = fleet.targets.get(node.name);
  const j: Judgement = judge(node, vitals, alerts, masterNow(fleet), rollout);
  const status = vitals?.status ?? (node.initialized ? 'unknown' : 'initializing');
  return {
    node,
    vitals: vitals ?? null,
    status,
    alerts,
    verdict: j.verdict,
    note: j.note,
    gone: false,
    rollout: rollout?.target.state ?? null,
  };
}

/** Every node of the fleet, judged; in the stream's order. */
export function nodeItems(fleet: Fleet): readonly NodeItem[] {
  const alerts = alertsByNode(fleet);
  const out: NodeItem[] = [];
  for (const node of fleet.facts.node.values()) {
    out.push(item(node, fleet, alerts.get(node.name) ?? NO_ALERTS));
  }
  return out;
}

export function nodeItem(fleet: Fleet, name: string): NodeItem | null {
  const node = fleet.facts.node.get(name);
  if (node === undefined) return null;
  const alerts = [...fleet.facts.alert.values()].filter(
    (a) => alertNode(a) === name && a.state !== 'resolved',
  );
  return item(node, fleet, alerts);
}

/** A node that left, as it was last seen. */
export function goneItem(last: NodeItem): NodeItem {
  return {
    ...last,
    gone: true,
    verdict: 'aside',
    note: { verdict: 'aside', text: words('gone', '已离开'), quiet: true },
  };
}

export function filterItems(items: readonly NodeItem[], filter: Filter): readonly NodeItem[] {
  return items.filter((i) => filter.matches(i.node));
}

/** What its region and type have together; `null` before the first figures. */
export function regionFigures(node: Node, fleet: Fleet): RegionVitals | null {
  return fleet.regions.find((r) => r.region === node.region && r.nodeType === node.nodeType) ?? null;
}

export type VerdictCount = { readonly verdict: Verdict; readonly n: number };

/** Worst first, zeroes left out. */
export function countVerdicts(items: readonly NodeItem[]): readonly VerdictCount[] {
  const n = new Map<Verdict, number>();
  for (const i of items) n.set(i.verdict, (n.get(i.verdict) ?? 0) + 1);
  return VERDICTS.flatMap((verdict) => {
    const count = n.get(verdict) ?? 0;
    return count === 0 ? [] : [{ verdict, n: count }];
  });
}

const STATUS_ORDER: readonly (readonly [NodeStatus, Verdict])[] = [
  ['down', 'wrong'],
  ['disconnected', 'unseen'],
  ['unknown', 'unseen'],
  ['initializing', 'changing'],
  ['ready', 'well'],
];

export interface StatusCount {
  readonly status: NodeStatus;
  readonly verdict: Verdict;
  readonly n: number;
}

/** The header's health: by the status axis alone, worst first, zeroes left out. */
export function countStatuses(items: readonly NodeItem[]): readonly StatusCount[] {
  return STATUS_ORDER.flatMap(([status, verdict]) => {
    const n = items.reduce((sum, i) => sum + Number(i.status === status), 0);
    return n === 0 ? [] : [{ status, verdict, n }];
  });
}
