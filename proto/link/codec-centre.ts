import type { RegionVariables as WireRegion, Secret as WireSecret } from '../gen/aicdn/v1/console.ts';
import type { Refusal } from '../vocab/node.ts';
import { SECRET_KINDS, type SecretView } from '../vocab/secret.ts';
import type { RegionVariables } from '../vocab/variables.ts';
import { decodeRefusal, encodeRefusal } from './codec-common.ts';
import * as w from './wire.ts';

// What is wrong with a document, variables and secrets, wire ⇄ vocab. Decoders throw AppError `invalid`.

const MOST_PROBLEMS = 64;
const MOST_REGIONS = 4096;
const MOST_SECRETS = 10_000;

export function encodeProblems(problems: readonly Refusal[]) {
  return problems.slice(0, MOST_PROBLEMS).map(encodeRefusal);
}

export function decodeProblems(problems: readonly Parameters<typeof decodeRefusal>[0][], field: string) {
  return w.bounded(problems, MOST_PROBLEMS, field).map((p) => decodeRefusal(p, field));
}

export function encodeRegion(r: RegionVariables): WireRegion {
  return {
    region: r.region,
    variables: { ...r.variables },
    updatedBy: r.updatedBy,
    updatedAt: w.stamp(r.updatedAt),
    modRevision: w.big(r.modRevision, 'region.mod_revision'),
  };
}

export function decodeRegion(r: WireRegion): RegionVariables {
  return {
    region: w.required(r.region, 'region.region'),
    variables: w.labels(r.variables, 'region.variables'),
    updatedBy: w.text(r.updatedBy, 'region.updated_by', w.LONGEST.word),
    updatedAt: w.millis(r.updatedAt, 'region.updated_at'),
    modRevision: w.int(r.modRevision, 'region.mod_revision'),
  };
}

export function decodeRegions(list: readonly WireRegion[]): readonly RegionVariables[] {
  return w.bounded(list, MOST_REGIONS, 'regions').map(decodeRegion);
}

export function encodeSecret(s: SecretView): WireSecret {
  return {
    name: s.name,
    kind: s.kind,
    version: s.version,
    updatedBy: s.updatedBy,
    updatedAt: w.stamp(s.updatedAt),
    notAfter: s.notAfter === null ? undefined : w.stamp(s.notAfter),
    names: [...s.names],
    usedBy: [...s.usedBy],
    modRevision: w.big(s.modRevision, 'secret.mod_revision'),
  };
}

export function decodeSecret(s: WireSecret): SecretView {
  return {
    name: w.required(s.name, 'secret.name'),
    kind: w.oneOf(s.kind, SECRET_KINDS, 'secret.kind'),
    version: s.version,
    updatedBy: w.text(s.updatedBy, 'secret.updated_by', w.LONGEST.word),
    updatedAt: w.millis(s.updatedAt, 'secret.updated_at'),
    notAfter: w.millisOrNull(s.notAfter, 'secret.not_after'),
    names: w.bounded(s.names, 256, 'secret.names').map((n) => w.text(n, 'secret.names', w.LONGEST.word)),
    usedBy: w.bounded(s.usedBy, 4096, 'secret.used_by').map((l) => w.versionLabel(l, 'secret.used_by')),
    modRevision: w.int(s.modRevision, 'secret.mod_revision'),
  };
}

export function decodeSecrets(list: readonly WireSecret[]): readonly SecretView[] {
  return w.bounded(list, MOST_SECRETS, 'secrets').map(decodeSecret);
}
