import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { OVER, type RevertPreview, type Rollout, type Strategy } from '../../proto/vocab/rollout.ts';
import { nextLabel } from '../core/config-version/select.ts';
import type { MetricsRings, Snapshot } from './ports.ts';
import { must, overlay, targetKey, undone } from './published.ts';
import type { Publisher } from './publisher.ts';
import { closedBy, type StoredVersion } from './publishing.ts';
import type { Rendered } from './rendering.ts';
import type { RolloutTargets } from './rollout-targets.ts';
import type { Templates } from './templates.ts';

// The fleet revert: taking back the newest publication, whatever state its rollout is in.

interface Needs {
  readonly templates: Templates;
  readonly targets: RolloutTargets;
  readonly rings: MetricsRings;
  readonly publisher: Publisher;
}

/**
 * Whose publication the fleet revert takes back: the newest.
 * @throws AppError `precondition`: there is none, it stands nowhere any more, or it takes something back itself
 */
export function toTakeBack(view: Snapshot): Rollout {
  const last = view.list('rollout').at(-1);
  if (!last) throw nothing('nothing was published by a rollout yet');
  const { id, version, state } = last;
  const which = `rollout ${id}, of ${version}`;
  if (last.reverts !== null) {
    throw nothing(
      `the newest publication, ${which}, takes rollout ${last.reverts} back itself; undo names one`,
    );
  }
  if (state.kind === 'rolled_back' || state.kind === 'revert_failed') {
    throw nothing(`${which}, was taken back already: ${state.why}`);
  }
  return last;
}

function nothing(why: string): AppError {
  return new AppError('precondition', `there is nothing to take back: ${why}`);
}

export function previewOf(view: Snapshot, needs: Needs, now: Millis): RevertPreview {
  const rollout = toTakeBack(view);
  return OVER.includes(rollout.state.kind)
    ? undoPreview(view, rollout, needs, now)
    : abortPreview(view, rollout, needs, now);
}

/** Those it has released get what stands without it. */
function abortPreview(view: Snapshot, rollout: Rollout, needs: Needs, now: Millis): RevertPreview {
  const released = needs.targets.of(view, rollout.id).filter((t) => t.released);
  const after = overlay(view, {
    targets: new Map(released.map((t) => [targetKey(t.rollout, t.node), { ...t, released: false }])),
  });
  const nodes = released.flatMap((t) => view.get('node', t.node) ?? []);
  const labels = new Set<string>();
  const hits = nodes.map((node): Hit => {
    const wanted = needs.templates.wanted(after, node);
    labels.add(wanted?.label ?? '');
    return { node, rendered: wanted?.rendered ?? null };
  });
  const [only] = labels;
  return {
    ...figuresOf(hits, needs, now),
    rollout,
    by: 'abort',
    toLabel: labels.size === 1 && only ? must(view, only).label : null,
    newLabel: null,
    batches: batches(nodes.length, rollout.strategy, []),
  };
}

function undoPreview(view: Snapshot, rollout: Rollout, needs: Needs, now: Millis): RevertPreview {
  const { publisher, templates } = needs;
  const { from, target } = undone(view, { label: rollout.version, target: rollout.target });
  const newLabel = nextLabel(view.list('version').map((v) => v.label));
  const draft: StoredVersion = { ...from, label: newLabel, publications: [] };
  const nodes = publisher.winners(view, draft, target);
  const hits = nodes.map((node): Hit => ({ node, rendered: templates.render(view, draft, node) }));
  const by = { caller: { actor: '', role: 'viewer', source: '' }, reason: '' } as const;
  const strategy = publisher.revertStrategy();
  const plan = publisher.steps(view, publisher.plan(by, view, draft, target, now), strategy, now);
  return {
    ...figuresOf(hits, needs, now),
    rollout,
    by: 'undo',
    toLabel: from.label,
    newLabel,
    batches: batches(
      nodes.length,
      strategy,
      plan.steps.map((s) => s.targets),
    ),
  };
}

interface Hit {
  readonly node: Node;
  readonly rendered: Rendered | null;
}

function figuresOf(hits: readonly Hit[], { rings }: Pick<Needs, 'rings'>, now: Millis) {
  const regions = new Map<string, { region: string; nodes: number; streams: number }>();
  const closes = new Map<string, { service: string; nodes: number; streams: number }>();
  let streams = 0;
  const names: NodeName[] = [];
  for (const { node, rendered } of hits) {
    const live = rings.figures(node.name, now)?.streams ?? 0;
    names.push(node.name);
    streams += live;
    const r = regions.get(node.region) ?? { region: node.region, nodes: 0, streams: 0 };
    regions.set(node.region, { ...r, nodes: r.nodes + 1, streams: r.streams + live });
    if (!rendered) continue;
    for (const c of closedBy(rendered, node, rings.services(node.name, now))) {
      const was = closes.get(c.service) ?? { service: c.service, nodes: 0, streams: 0 };
      closes.set(c.service, { ...was, nodes: was.nodes + 1, streams: was.streams + (c.streams ?? 0) });
    }
  }
  const sorted = <T>(list: Iterable<T>, key: (t: T) => string): T[] =>
    [...list].toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  return {
    nodes: names,
    streams,
    regions: sorted(regions.values(), (r) => r.region),
    closes: sorted(closes.values(), (c) => c.service),
  };
}

/** @param steps nodes after each step but the last; what is left goes `maxParallel` at a time */
function batches(nodes: number, { maxParallel }: Strategy, steps: readonly number[]): number {
  let all = 0;
  let before = 0;
  for (const after of steps.length > 0 ? steps : [nodes]) {
    all += Math.ceil((after - before) / maxParallel);
    before = after;
  }
  return all;
}
