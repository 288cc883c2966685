import { Histogram, type SparseHistogram } from '../../../proto/vocab/metrics.ts';
import type { GateName, GateReading, Reading } from '../../../proto/vocab/rollout.ts';
import { type Group, triesOf } from './sides.ts';

/** A sum over nodes that a node can be taken out of. */
interface Parts {
  readonly all: () => number | null;
  readonly own: (i: number) => number | null;
  readonly without: (i: number) => number | null;
}

/** The node without which the gate would look best, and how. It decides between promoting and taking back. */
export function largestOf(group: Group, gate: GateReading): Reading['largest'] {
  const { nodes } = group.canary;
  const parts = partsOf(group, gate.gate);
  const all = parts.all();
  if (all === null || gate.stable === null) return null;
  let best: { readonly i: number; readonly value: number; readonly without: number | null } | null = null;
  for (let i = 0; i < nodes.length; i++) {
    const value = parts.own(i);
    if (value === null || !Number.isFinite(value)) continue;
    const without = parts.without(i);
    if (best === null || less(without, best.without) || (without === best.without && value > best.value)) {
      best = { i, value, without };
    }
  }
  const node = best && nodes[best.i]?.name;
  if (!best || !node) return null;
  const { value, without } = best;
  return {
    node,
    gate: gate.gate,
    region: gate.region,
    value,
    without,
    changeWithout: without === null ? null : changeOf(gate.gate, without, gate.stable),
  };
}

const less = (a: number | null, b: number | null): boolean => a !== null && (b === null || a < b);

function changeOf(gate: GateName, value: number, stable: number): number | null {
  if (gate === 'errors' || gate === 'aborted') return value - stable;
  return stable > 0 ? (value / stable - 1) * 100 : null;
}

function partsOf(group: Group, gate: GateName): Parts {
  const { nodes } = group.canary;
  if (gate === 'errors' || gate === 'aborted') {
    const { tries } = group.canary;
    const hits = group.canary[gate];
    const ratio = (n: number, of: number): number | null => (of > 0 ? (n / of) * 100 : null);
    const at = (i: number): [number, number] => {
      const w = nodes[i]?.window;
      return w ? [w[gate], triesOf(w)] : [0, 0];
    };
    return {
      all: () => ratio(hits, tries),
      own: (i) => ratio(...at(i)),
      without: (i) => ratio(hits - at(i)[0], tries - at(i)[1]),
    };
  }
  const [measure, q] = gate === 'ttft95' ? (['ttft', 0.95] as const) : (['gap', 0.99] as const);
  const own = (i: number): SparseHistogram => nodes[i]?.window[measure] ?? { index: [], count: [], sumMs: 0 };
  const merged = (...parts: SparseHistogram[]): Histogram => {
    const h = new Histogram();
    for (const p of parts) h.merge(p);
    return h;
  };
  const whole = group.canary[measure];
  return {
    all: () => whole.quantile(q),
    own: (i) => merged(own(i)).quantile(q),
    without: (i) => merged(whole.toSparse(merged(own(i)))).quantile(q),
  };
}
