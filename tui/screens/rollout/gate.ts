import type { GateName, GateReading, Reading, Rollout, Verdict } from '../../../proto/vocab/rollout.ts';
import { isRatio } from '../../store/rollout-words.ts';
import type { State } from '../../store/state.ts';
import { count, fixed } from '../../views/format.ts';
import type { GateLine, GateProps } from '../../views/rollout/gate.ts';
import type { Ui } from '../../views/ui.ts';
import { type Pick2, picker } from '../sheets/words.ts';
import { clock } from '../words.ts';

const GATES: readonly GateName[] = ['ttft95', 'gap99', 'errors', 'aborted'];
const RANK: readonly Verdict[] = ['fail', 'inconclusive', 'close', 'pass'];

function worse(a: Verdict, b: Verdict): Verdict {
  return RANK.indexOf(a) <= RANK.indexOf(b) ? a : b;
}

/** What the nodes that have not got it run, most of them; `null`: all have it, or nothing. */
function stableVersion(r: Rollout, state: State): string | null {
  const by = new Map<string, number>();
  for (const t of state.rollouts.got?.targets ?? []) {
    if (t.released) continue;
    const label = state.picture.facts.node.get(t.node)?.effective?.version;
    if (label != null && label !== r.version) by.set(label, (by.get(label) ?? 0) + 1);
  }
  return [...by].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}

/** Worst first: a region whose verdict is worse, then the one nearer to a limit. */
function regionsOf(reading: Reading): readonly string[] {
  const near = new Map<string, { rank: number; share: number }>();
  for (const g of reading.gates) {
    const share = g.limit > 0 ? (g.change ?? 0) / g.limit : 0;
    const rank = RANK.indexOf(g.verdict);
    const was = near.get(g.region);
    if (was === undefined || rank < was.rank) near.set(g.region, { rank, share });
    else if (rank === was.rank && share > was.share) near.set(g.region, { rank, share });
  }
  return [...near]
    .sort((a, b) => a[1].rank - b[1].rank || b[1].share - a[1].share || (a[0] < b[0] ? -1 : 1))
    .map(([region]) => region);
}

const NUMBERS = ['', 'an alert', 'two alerts', 'three alerts', 'four alerts'];

function alertsOf(node: string, state: State, say: Pick2): string {
  const n = [...state.picture.facts.alert.values()].filter(
    (a) => a.labels['node'] === node && a.state === 'firing' && a.silencedBy.length === 0,
  ).length;
  if (n === 0) return '';
  return say(` It has ${NUMBERS[n] ?? `${n} alerts`} of its own`, ` 它自身有 ${n} 条告警`);
}

/** Who contributes most, and what would be without it: that decides between promote and roll back. */
function largest(reading: Reading, state: State, ui: Ui): string | null {
  const l = reading.largest;
  if (l === null) return null;
  const say = picker(ui);
  const ratio = isRatio(l.gate);
  const value = (n: number) => (ratio ? `${fixed(n, 2)} %` : `${count(n)} ms`);
  const gate = ui.theme.say(`gate.${l.gate}`);
  const sign = (n: number) => `${n > 0 ? '+' : ''}${n.toFixed(ratio ? 2 : 1)} ${ratio ? 'pt' : '%'}`;
  const change = l.changeWithout === null ? '' : `, ${sign(l.changeWithout)}`;
  const without =
    l.without === null
      ? say('. Without it nothing can be said.', '。除去它则无法判断。')
      : say(`. Without it ${value(l.without)}${change}.`, `。除去它为 ${value(l.without)}${change}。`);
  const who = say(
    `largest share of ${l.region} ${gate}: ${l.node} at ${value(l.value)}`,
    `${l.region} ${gate} 占比最大：${l.node}，${value(l.value)}`,
  );
  return (who + without + alertsOf(l.node, state, say)).replace(/[.。]$/, '');
}

function lineOf(gate: GateName, regions: readonly string[], reading: Reading): GateLine | null {
  const all = reading.gates.filter((g) => g.gate === gate);
  const [first] = all;
  if (first === undefined) return null;
  const of = (region: string) => all.find((g) => g.region === region) ?? null;
  return {
    gate,
    limit: first.limit,
    verdict: all.reduce<Verdict>((v, g) => worse(v, g.verdict), 'pass'),
    cells: regions.map(of),
  };
}

const most = (all: readonly GateReading[], of: (g: GateReading) => number) => Math.max(0, ...all.map(of));
/** Chunks are many, answers few: what is least sampled decides how much can be said. */
const least = (all: readonly GateReading[], of: (g: GateReading) => number) =>
  all.length === 0 ? 0 : Math.min(...all.map(of));

/** The newest reading of the step; `null`: there is none. */
export function gateProps(r: Rollout, state: State, ui: Ui): GateProps | null {
  const reading = r.readings.at(-1);
  if (reading === undefined) return null;
  const say = picker(ui);
  const { gates } = r.strategy;
  const stable = stableVersion(r, state) ?? '';
  const minutes = Math.round(gates.windowMs / 60_000);
  const window = minutes >= 1 ? `${minutes} min` : `${Math.round(gates.windowMs / 1000)} s`;
  const regions = regionsOf(reading);
  return {
    number: reading.number,
    readings: gates.readings,
    at: clock(reading.at),
    how: say(
      `canary ${r.version} against stable${stable === '' ? '' : ` ${stable}`} of the same region, last ${window}, at least ${count(gates.minSamples)} samples`,
      `金丝雀 ${r.version} 比同区稳定版${stable === '' ? '' : ` ${stable}`}，最近 ${window}，至少 ${count(gates.minSamples)} 个样本`,
    ),
    regions: regions.map((region) => {
      const own = reading.gates.filter((g) => g.region === region);
      return {
        region,
        canaryNodes: most(own, (g) => g.canaryNodes),
        stableNodes: most(own, (g) => g.stableNodes),
        canarySamples: least(own, (g) => g.canarySamples),
        stableSamples: least(own, (g) => g.stableSamples),
      };
    }),
    gates: GATES.flatMap((gate) => lineOf(gate, regions, reading) ?? []),
    largest: largest(reading, state, ui),
  };
}
