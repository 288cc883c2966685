import type { NodeBlast } from '../../proto/vocab/blast.ts';
import type { ConfigVersion, Publication, Target } from '../../proto/vocab/config-version.ts';
import { AppError, formatRefusal } from '../../proto/vocab/errors.ts';
import type { Millis, Revision, RolloutId } from '../../proto/vocab/ids.ts';
import type { Node, Refusal } from '../../proto/vocab/node.ts';
import { tieWith } from '../core/config-version/select.ts';
import { describeTarget } from '../core/config-version/target.ts';
import { listenerChange } from './blast-listeners.ts';
import type { MetricsRings, Snapshot } from './ports.ts';
import { overlay, winnersOf } from './published.ts';
import { type Rendered, unfitness } from './rendering.ts';
import { nextRolloutId } from './rollout-targets.ts';
import type { Templates } from './templates.ts';

// Whom a publication hits, and how: one answer for the preview and for the publication itself.

export type StoredVersion = Omit<ConfigVersion, 'modRevision'>;

export interface By {
  readonly actor: string;
  readonly reason: string;
  readonly at: Millis;
}

export interface Plan {
  readonly hit: readonly Node[];
  readonly value: ConfigVersion;
  /** The state as it will be. */
  readonly after: Snapshot;
  readonly revision: Revision;
  /** That will carry it out. */
  readonly rollout: RolloutId;
}

/** @throws AppError `conflict` for a tie */
export function planOf(
  templates: Templates,
  view: Snapshot,
  version: StoredVersion,
  target: Target,
  by: By,
): Plan {
  const tie = tieWith(templates.standing(view), version.label, target);
  if (tie) {
    throw new AppError(
      'conflict',
      `${tie.label} is published to ${describeTarget(tie.publication.target)}, as close as ${describeTarget(target)} and only partly the same: a node in both would get either. Publish to a target within it, around it, or closer`,
    );
  }
  const revision = view.revision + 1;
  const rollout = nextRolloutId(view);
  const publication: Publication = {
    target,
    publishedBy: by.actor,
    publishedAt: by.at,
    reason: by.reason,
    revision,
    rollout,
    open: true,
  };
  const publications = [...version.publications, publication];
  const value: ConfigVersion = { ...version, publications, modRevision: revision };
  // Decided on the state as it will be: with this publication in it.
  const after = overlay(view, { versions: [value] });
  return { hit: winnersOf(templates, after, publication), value, after, revision, rollout };
}

/** Why this node cannot run this version; `[]`: it can. */
export function unfit(templates: Templates, { after, value }: Plan, node: Node): readonly Refusal[] {
  return unfitness(templates.render(after, value, node), node);
}

/** @throws AppError naming a node that cannot render it, or not carry it: then nobody gets it */
export function refuseUnfit(templates: Templates, plan: Plan, node: Node): void {
  const refusals = unfit(templates, plan, node);
  const [first] = refusals;
  if (!first) return;
  const { label } = plan.value;
  if (first.code === 'unsupported' && first.line === undefined) {
    const hint = first.hint ? ` (${first.hint})` : '';
    const what = first.message.replace('this node lacks', 'its engine lacks');
    throw new AppError('unsupported', `${node.name} cannot carry ${label}: ${what}${hint}`);
  }
  throw new AppError('invalid', `${label} cannot be rendered for ${node.name}: ${formatRefusal(first)}`, {
    refusals,
  });
}

/** Listeners whose address is not in the new document, with what is live on them. */
export function closedBy(
  rendered: Rendered,
  node: Node,
  services: ReturnType<MetricsRings['services']>,
): NodeBlast['closes'] {
  if (!rendered.ok) return [];
  return listenerChange(node.engine?.listeners ?? [], rendered.listens).closes.map(({ service, addr }) => ({
    service,
    addr,
    streams: services.find((s) => s.service === service)?.streams ?? null,
  }));
}
