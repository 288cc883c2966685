import type { Publication, Target } from '../../proto/vocab/config-version.ts';
import type { Millis, NodeName, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import { type Rollout, type RolloutPlan, type Strategy, stepAtLeastMs } from '../../proto/vocab/rollout.ts';
import { safeText } from '../../proto/vocab/safe-text.ts';
import { nextLabel } from '../core/config-version/select.ts';
import { describeTarget } from '../core/config-version/target.ts';
import type { NodeFacts } from '../core/rollout/facts.ts';
import { begin } from '../core/rollout/rollout.ts';
import { strategyNamed } from '../core/rollout/strategies.ts';
import type { Mutation, Pace } from './api.ts';
import type { Snapshot } from './ports.ts';
import { must, overlay, undone, winnersOf } from './published.ts';
import { type Plan, planOf, refuseUnfit, type StoredVersion } from './publishing.ts';
import { type ChangeNeeds, RolloutChange } from './rollout-change.ts';
import { openRollouts } from './rollout-targets.ts';
import type { Decision } from './write.ts';

export interface PublisherSettings {
  /** By which a publication goes where the caller does not say. */
  readonly strategy: string;
  /** By which content that ran before goes back. */
  readonly revert: string;
}

export const LONGEST_TEXT = 500;

export interface PublishedNow {
  readonly label: VersionLabel;
  readonly nodes: readonly NodeName[];
  readonly rollout: RolloutId;
}

/** A publication and the rollout that carries it out are one decision; here it is made, or only looked at. */
export class Publisher {
  private readonly settings: PublisherSettings;
  private readonly needs: ChangeNeeds;

  constructor(settings: PublisherSettings, needs: ChangeNeeds) {
    this.settings = settings;
    this.needs = needs;
  }

  /** @throws AppError `invalid`: there is no such strategy, or it makes no sense */
  strategy(pace: Pace): Strategy {
    return strategyNamed(pace.strategy ?? this.settings.strategy, pace.overrides);
  }

  revertStrategy(): Strategy {
    return strategyNamed(this.settings.revert);
  }

  /** @throws AppError `conflict` for a tie */
  plan(
    m: Pick<Mutation, 'caller' | 'reason'>,
    view: Snapshot,
    version: StoredVersion,
    target: Target,
    at: Millis,
  ): Plan {
    const reason = safeText(m.reason, { max: LONGEST_TEXT });
    return planOf(this.needs.templates, view, version, target, { actor: m.caller.actor, reason, at });
  }

  /** What its rollout would be told of the nodes that it hits. */
  factsOf(plan: Plan, now: Millis): (node: Node) => NodeFacts {
    const of = this.needs.facts.of(plan.after, plan.value, now);
    return (node) => of(node, true);
  }

  /** In which steps it would go. @param nodes facts of those it hits, where somebody has them */
  steps(
    view: Snapshot,
    plan: Plan,
    strategy: Strategy,
    now: Millis,
    nodes = plan.hit.map(this.factsOf(plan, now)),
  ): RolloutPlan {
    const by = { createdBy: '', reason: '', reverts: null };
    const { rollout, targets: all } = this.begun(plan, strategy, by, now, nodes);
    const merged = rollout.strategy;
    const here = rollout.steps.map(() => 0);
    // Who is away, or cannot take it, is not waited for.
    for (const t of all) if (t.state === 'waiting') here[t.step] = (here[t.step] ?? 0) + 1;
    const steps = rollout.steps.flatMap(({ targets }, i) => {
      const step = merged.steps[i];
      return step ? [{ step, targets, atLeastMs: stepAtLeastMs(merged, step, here[i] ?? 0) }] : [];
    });
    return {
      strategy: merged,
      steps,
      supersedes: this.inItsWay(view, plan.hit).map((r) => this.stops(view, r)),
      atLeastMs: steps.reduce((ms, s) => ms + s.atLeastMs, 0),
    };
  }

  /** @throws AppError naming a node that cannot take it: then nobody gets it */
  published(
    m: Mutation,
    view: Snapshot,
    version: StoredVersion,
    target: Target,
    now: Millis,
    { strategy, reverts }: { readonly strategy: Strategy; readonly reverts: RolloutId | null },
  ): Decision<PublishedNow> {
    const plan = this.plan(m, view, version, target, now);
    for (const node of plan.hit) refuseUnfit(this.needs.templates, plan, node);
    const change = new RolloutChange(this.needs, view, now);
    change.putVersion(plan.value);
    for (const r of this.inItsWay(view, plan.hit)) change.supersede(r, plan.rollout);
    const reason = safeText(m.reason, { max: LONGEST_TEXT });
    const begun = this.begun(plan, strategy, { createdBy: m.caller.actor, reason, reverts }, now);
    change.begin(begun);
    change.go(begun.rollout);
    const { label } = plan.value;
    const nodes = plan.hit.map((n) => n.name);
    const verb = version.rollbackOf ? `rolled back to the content of ${version.rollbackOf} as` : 'published';
    const why = m.reason.trim() === '' ? '' : `: ${m.reason}`;
    const text = `${verb} ${label} to ${describeTarget(target)}, ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}${why}`;
    const said = { kind: 'config', who: m.caller.actor, subject: label, level: 'info', text } as const;
    const done = change.decision();
    return {
      ops: done?.ops ?? [],
      events: [said, ...(done?.events ?? [])],
      effects: done?.effects ?? [],
      result: { label, nodes, rollout: plan.rollout },
    };
  }

  /**
   * A new version with the content that ran before, published where `label` was.
   * @throws AppError `precondition`: why there is nothing to take back
   */
  takenBack(
    m: Mutation,
    view: Snapshot,
    { label, target }: { readonly label: string; readonly target: Target },
    now: Millis,
    reverts: RolloutId | null,
  ): Decision<PublishedNow> {
    const own = must(view, label);
    const { from, target: where } = undone(view, { label, target });
    const why = m.reason.trim() === '' ? '' : `: ${safeText(m.reason, { max: LONGEST_TEXT })}`;
    const version: StoredVersion = {
      label: nextLabel(view.list('version').map((v) => v.label)),
      description: `rolls ${label} back to the content of ${from.label}${why}`,
      bodyHash: from.bodyHash,
      parent: own.label,
      rollbackOf: from.label,
      createdBy: m.caller.actor,
      createdAt: now,
      publications: [],
    };
    return this.published(m, view, version, where, now, { strategy: this.revertStrategy(), reverts });
  }

  /** Those the version would win by a publication to this target: not those that something closer is published to. */
  winners(view: Snapshot, version: StoredVersion, target: Target): readonly Node[] {
    const publication: Publication = {
      target,
      publishedBy: '',
      publishedAt: 0,
      reason: '',
      revision: view.revision + 1,
    };
    const value = { ...version, publications: [...version.publications, publication], modRevision: 0 };
    return winnersOf(this.needs.templates, overlay(view, { versions: [value] }), publication);
  }

  private begun(
    plan: Plan,
    strategy: Strategy,
    by: { readonly createdBy: string; readonly reason: string; readonly reverts: RolloutId | null },
    now: Millis,
    nodes = plan.hit.map(this.factsOf(plan, now)),
  ) {
    const publication = plan.value.publications.at(-1);
    return begin({
      id: plan.rollout,
      version: plan.value.label,
      target: publication?.target ?? {},
      revision: plan.revision,
      strategy,
      nodes,
      ...by,
      now,
    });
  }

  /** A node is in one rollout that is not over. */
  private inItsWay(view: Snapshot, hit: readonly Node[]): readonly Rollout[] {
    const { targets } = this.needs;
    return openRollouts(view).filter((r) => hit.some((n) => targets.has(view, r.id, n.name)));
  }

  private stops(view: Snapshot, r: Rollout): RolloutPlan['supersedes'][number] {
    const regions = new Map<string, { region: string; released: number; targets: number }>();
    for (const t of this.needs.targets.of(view, r.id)) {
      const was = regions.get(t.region) ?? { region: t.region, released: 0, targets: 0 };
      const released = was.released + (t.released ? 1 : 0);
      regions.set(t.region, { ...was, released, targets: was.targets + 1 });
    }
    return {
      id: r.id,
      version: r.version,
      step: r.step,
      steps: r.steps.length,
      regions: [...regions.values()].toSorted((a, b) => (a.region < b.region ? -1 : 1)),
    };
  }
}
