import { z } from 'zod';
import type { ConfigVersion as VocabVersion } from '../../../proto/vocab/config-version.ts';
import type { Revision as VocabRevision } from '../../../proto/vocab/ids.ts';
import type { Rollout as VocabRollout } from '../../../proto/vocab/rollout.ts';
import { Rollout, rolloutJson } from './rollout-shape.ts';
import { iso, Revision, Stamp, Target, targetJson } from './shapes.ts';

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
