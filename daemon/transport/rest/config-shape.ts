import { z } from 'zod';
import type {
  BlastRadius as VocabBlast,
  ConfigVersion as VocabVersion,
} from '../../../proto/vocab/config-version.ts';
import type { Revision as VocabRevision } from '../../../proto/vocab/ids.ts';
import type { Rollout as VocabRollout } from '../../../proto/vocab/rollout.ts';
import { Rollout, rolloutJson } from './rollout-shape.ts';
import { iso, NodeTypeWord, Revision, Stamp, Target, targetJson } from './shapes.ts';
import { planJson, RolloutPlan } from './strategy-shape.ts';

export const ConfigVersion = z
  .object({
    version: z.string(),
    description: z.string(),
    body_hash: z.string().describe('sha256 of the document as written'),
    parent: z.string().nullable(),
    rollback_of: z.string().nullable(),
    target: Target.nullable().describe('whom publish is for where it is not told'),
    created_by: z.string(),
    created_at: Stamp,
    publications: z.array(
      z.object({
        target: Target,
        published_by: z.string(),
        published_at: Stamp,
        reason: z.string(),
        revision: Revision,
        rollout: z.string().nullable().describe('that carries it out'),
        open: z.boolean().describe('that is not over: it stands for those it has released'),
        only: z
          .array(z.string())
          .nullable()
          .describe('its rollout ended before it was complete: it stands for these and no others'),
      }),
    ),
    mod_revision: Revision,
  })
  .meta({ id: 'ConfigVersion' });

export const ConfigWithBody = ConfigVersion.extend({
  config: z.string().describe('the document'),
  redacted: z.boolean().describe('passwords read *'),
}).meta({ id: 'ConfigWithBody' });

export const Publication = z
  .object({
    revision: Revision,
    config: ConfigVersion,
    nodes: z.array(z.string()),
    rollout: Rollout.nullable().describe('that takes it to them; null: a dry run'),
  })
  .meta({ id: 'Publication' });

export function configItem(v: VocabVersion): z.output<typeof ConfigVersion> {
  return {
    version: v.label,
    description: v.description,
    body_hash: v.bodyHash,
    parent: v.parent,
    rollback_of: v.rollbackOf,
    target: v.target ? targetJson(v.target) : null,
    created_by: v.createdBy,
    created_at: iso(v.createdAt),
    publications: v.publications.map((p) => ({
      target: targetJson(p.target),
      published_by: p.publishedBy,
      published_at: iso(p.publishedAt),
      reason: p.reason,
      revision: p.revision,
      rollout: p.rollout ?? null,
      open: p.open ?? false,
      only: p.only ? [...p.only] : null,
    })),
    mod_revision: v.modRevision,
  };
}

export function publishedJson(r: {
  readonly revision: VocabRevision;
  readonly version: VocabVersion;
  readonly nodes: readonly string[];
  readonly rollout: VocabRollout | null;
}): z.output<typeof Publication> {
  return {
    revision: r.revision,
    config: configItem(r.version),
    nodes: [...r.nodes],
    rollout: r.rollout && rolloutJson(r.rollout),
  };
}

export const BlastRadius = z
  .object({
    to_version: z.string(),
    nodes: z.array(
      z.object({
        name: z.string(),
        region: z.string(),
        node_type: NodeTypeWord,
        streams: z.int(),
        from: z.string().nullable(),
        change: z.enum(['update', 'first', 'unchanged', 'unfit']),
        why: z.string(),
        closes: z.array(z.object({ service: z.string(), addr: z.string(), streams: z.int().nullable() })),
      }),
    ),
    regions: z.array(z.object({ region: z.string(), nodes: z.int(), streams: z.int() })),
    streams: z.int(),
    listeners_closed: z.int(),
    plan: RolloutPlan.describe('in which steps'),
  })
  .meta({ id: 'BlastRadius' });

export function blastJson(b: VocabBlast): z.output<typeof BlastRadius> {
  return {
    to_version: b.toLabel,
    nodes: b.nodes.map((n) => ({
      name: n.name,
      region: n.region,
      node_type: n.nodeType,
      streams: n.streams,
      from: n.from,
      change: n.change,
      why: n.why,
      closes: n.closes.map((c) => ({ ...c })),
    })),
    regions: b.regions.map((r) => ({ ...r })),
    streams: b.streams,
    listeners_closed: b.listenersClosed,
    plan: planJson(b.plan),
  };
}
