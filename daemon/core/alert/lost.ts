import type { Alert, Severity } from '../../../proto/vocab/alert.ts';
import type { Fingerprint, Millis, NodeName } from '../../../proto/vocab/ids.ts';
import type { NodeStatus } from '../../../proto/vocab/node.ts';
import { type AlertDraft, fingerprint } from './node-down.ts';

// Who is down: nodes that go one by one are NodeDown's, many of one region at a time are the region's, and many of
// several regions at a time are more likely to be this master's own trouble.

export const REGION_DOWN = 'RegionDown';
export const MASTER_SUSPECT = 'MasterSuspect';

export interface LostRule {
  /** Fewer are never more than a few nodes. */
  readonly least: number;
  /** Of the ready ones, more than this. */
  readonly overShare: number;
  /** Lost within this time. */
  readonly withinMs: Millis;
  /** It ends when so few have been down for so long: what flaps does not ring each time. */
  readonly calmMs: Millis;
  /** How long MasterSuspect holds other alerts back, and freezes rollouts without further evidence. */
  readonly holdMs: Millis;
}

export const LOST_RULE: LostRule = {
  least: 5,
  overShare: 0.1,
  withinMs: 60_000,
  calmMs: 60_000,
  holdMs: 180_000,
};

/** A node that is to be here. */
export interface SeenNode {
  readonly name: NodeName;
  readonly region: string;
  readonly status: NodeStatus;
  /** Since when it is down, as its NodeDown says; `null`: it is not. */
  readonly downSince: Millis | null;
}

/** What came of dialling lost nodes' public ports. */
export interface Dialled {
  readonly nodes: number;
  /** At least one of their ports accepted. */
  readonly answer: number;
}

export interface LostState {
  /** RegionDown of each region and MasterSuspect, as stored. */
  readonly alerts: ReadonlyMap<Fingerprint, AlertDraft>;
  /** Since when a firing one could end; in memory only: a master that begins anew waits once more. */
  readonly calm: ReadonlyMap<Fingerprint, Millis>;
  /** The last look at the lost nodes' ports; `null`: none yet. */
  readonly dialled: Dialled | null;
}

interface Evaluated {
  /** What is another now. */
  readonly put: readonly AlertDraft[];
  readonly calm: ReadonlyMap<Fingerprint, Millis>;
}

/** Those of these nodes that went down around the time this alert began, or later, and are still. */
export function lostUnder(
  nodes: readonly SeenNode[],
  alert: Extract<AlertDraft, { state: 'firing' }>,
  rule: LostRule = LOST_RULE,
): readonly SeenNode[] {
  const from = alert.firingAt - rule.withinMs;
  return nodes.filter((n) => n.downSince !== null && n.downSince >= from);
}

/** One evaluation of RegionDown for every region, and of MasterSuspect. The same again changes nothing. */
export function evaluateLost(
  nodes: readonly SeenNode[],
  state: LostState,
  now: Millis,
  rule: LostRule = LOST_RULE,
): Evaluated {
  const put: AlertDraft[] = [];
  const calm = new Map<Fingerprint, Millis>();
  const step = (s: Pick<Step, 'labels' | 'scope' | 'begins' | 'words'>): void => {
    const key = fingerprint(s.labels);
    const old = state.alerts.get(key) ?? null;
    const next = stepped({ ...s, key, old, since: state.calm.get(key) ?? null }, now, rule);
    if (next.alert !== null && next.alert !== old) put.push(next.alert);
    if (next.calmSince !== null) calm.set(key, next.calmSince);
  };

  const gone = recent(nodes, now, rule);
  // Too few went for anything to begin, and nothing is there that could end.
  if (gone.length < rule.least && ![...state.alerts.values()].some((a) => a.state === 'firing')) {
    return { put, calm };
  }
  // Whose region nearly all that went is of: a node or two elsewhere are chance.
  let whole: string | null = null;
  for (const [region, scope] of byRegion(nodes, state)) {
    const lost = recent(scope, now, rule).length;
    const begins = many(lost, scope, rule);
    if (begins && lost > MOSTLY * gone.length) whole = region;
    step({ labels: regionLabels(region), scope, begins, words: (n, all) => `${n} of ${all} nodes lost` });
  }

  const suspect = state.alerts.get(fingerprint(SUSPECT_LABELS)) ?? null;
  const firing = suspect?.state === 'firing' ? suspect : null;
  const regions = new Set((firing ? lostUnder(nodes, firing, rule) : gone).map((n) => n.region));
  const held = firing && now >= firing.firingAt + rule.holdMs ? '' : '; NodeDown held back';
  step({
    labels: SUSPECT_LABELS,
    scope: nodes,
    begins: many(gone.length, nodes, rule) && regions.size >= 2 && whole === null,
    words: (n, all) =>
      `${n} of ${all} nodes lost, in ${listed([...regions].sort())}${saw(state.dialled)}${held}`,
  });
  return { put, calm };
}

/** Also regions whose last node was removed: nobody is left there to be down. */
function byRegion(nodes: readonly SeenNode[], state: LostState): ReadonlyMap<string, readonly SeenNode[]> {
  const by = new Map<string, SeenNode[]>();
  for (const a of state.alerts.values()) {
    if (a.rule === REGION_DOWN && a.state === 'firing') by.set(a.labels['region'] ?? '', []);
  }
  for (const n of nodes) {
    const of = by.get(n.region) ?? [];
    of.push(n);
    by.set(n.region, of);
  }
  return by;
}

const MOSTLY = 0.8;
const SUSPECT_LABELS = { alertname: MASTER_SUSPECT };
const regionLabels = (region: string): Record<string, string> => ({ alertname: REGION_DOWN, region });

type Words = (lost: number, all: number) => string;

/** Down since less than the window. */
function recent(nodes: readonly SeenNode[], now: Millis, rule: LostRule): readonly SeenNode[] {
  return nodes.filter((n) => n.downSince !== null && now - n.downSince < rule.withinMs);
}

/** Those that were ready: ready ones, ones that are late, and the lost themselves. */
function wereReady(scope: readonly SeenNode[], lost: number): number {
  return lost + scope.filter((n) => n.status === 'ready' || n.status === 'disconnected').length;
}

function many(lost: number, scope: readonly SeenNode[], rule: LostRule): boolean {
  return lost >= rule.least && lost > rule.overShare * wereReady(scope, lost);
}

interface Step {
  readonly key: Fingerprint;
  readonly labels: Record<string, string>;
  readonly scope: readonly SeenNode[];
  readonly begins: boolean;
  readonly words: Words;
  readonly old: AlertDraft | null;
  readonly since: Millis | null;
}

function stepped(
  s: Step,
  now: Millis,
  rule: LostRule,
): { readonly alert: AlertDraft | null; readonly calmSince: Millis | null } {
  const { old } = s;
  if (old?.state !== 'firing') {
    if (!s.begins) return { alert: old, calmSince: null };
    // inactive | resolved -> firing: at once, there is no time to wait and see
    const lost = recent(s.scope, now, rule).length;
    const severity: Severity = 'critical';
    const value = s.words(lost, wereReady(s.scope, lost));
    const { key, labels } = s;
    return {
      alert: {
        state: 'firing',
        fingerprint: key,
        rule: labels['alertname'] ?? '',
        severity,
        labels,
        value,
        pendingAt: now,
        firingAt: now,
      },
      calmSince: null,
    };
  }
  const lost = lostUnder(s.scope, old, rule).length;
  // A master that has just begun does not know: nothing ends.
  const unknown = s.scope.some((n) => n.status === 'unknown');
  const over = !unknown && !many(lost, s.scope, rule);
  if (!over) {
    const value = s.words(lost, wereReady(s.scope, lost));
    // While nobody is known the figures would be of nothing.
    return { alert: unknown || value === old.value ? old : { ...old, value }, calmSince: null };
  }
  const since = s.since ?? now;
  // firing -> resolved. Since when stays known until that is stored: the same is asked again before it is.
  if (now - since < rule.calmMs) return { alert: old, calmSince: since };
  return { alert: { ...old, state: 'resolved', resolvedAt: now }, calmSince: since };
}

function saw(dialled: Dialled | null): string {
  if (dialled === null) return '';
  if (dialled.nodes === 0) return '; none tells an address to dial';
  const { nodes, answer } = dialled;
  const hint = answersMostly(dialled) ? ": look at this master's network first" : '';
  return `; dialled ${nodes}, ${answer} ${answer === 1 ? 'answers' : 'answer'}${hint}`;
}

function listed(words: readonly string[]): string {
  if (words.length <= 1) return words[0] ?? '';
  if (words.length > 5) return `${words.length} regions`;
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** Lost nodes that carry on are not what is broken. */
function answersMostly(d: Dialled): boolean {
  return d.nodes > 0 && d.answer * 2 >= d.nodes;
}

/**
 * Why nothing should be rolled out now, or `null`: MasterSuspect fires, and it is fresh or the lost nodes' ports answer.
 * Without that evidence it ends with the time NodeDown is held back: who mends a fleet that is really down needs it.
 */
export function suspicion(
  alerts: Iterable<Alert | AlertDraft>,
  dialled: Dialled | null,
  now: Millis,
  rule: LostRule = LOST_RULE,
): { readonly why: string } | null {
  for (const a of alerts) {
    if (a.rule !== MASTER_SUSPECT || a.state !== 'firing') continue;
    const fresh = now < a.firingAt + rule.holdMs;
    if (fresh || (dialled !== null && answersMostly(dialled)))
      return { why: `${MASTER_SUSPECT}: ${a.value}` };
  }
  return null;
}
