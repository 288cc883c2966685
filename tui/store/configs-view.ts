import type { BlastRadius } from '../../proto/vocab/blast.ts';
import type { ConfigVersion, Publication, Target } from '../../proto/vocab/config-version.ts';
import type { VersionLabel } from '../../proto/vocab/ids.ts';
import type { Facts } from './fleet.ts';
import type { Words } from './words.ts';

/** A version as it stands in the list. */
export interface VersionItem {
  readonly version: ConfigVersion;
  /** Nodes that should run it, and those of them that do. */
  readonly wanted: number;
  readonly running: number;
  /** Nodes that refused it. */
  readonly failed: number;
}

/** What differs from the version before it, while it is looked at. */
export interface DiffView {
  readonly label: VersionLabel;
  readonly from: VersionLabel;
  readonly lines: readonly string[] | null;
  readonly added: number;
  readonly removed: number;
  readonly error: Words | null;
  readonly scroll: number;
}

/** Versions, newest first; the cursor belongs to a label. */
export interface ConfigsView {
  readonly items: readonly VersionItem[];
  readonly cursor: string | null;
  readonly diff: DiffView | null;
}

export const CONFIGS_VIEW: ConfigsView = { items: [], cursor: null, diff: null };

export function configIndex(v: ConfigsView): number {
  return v.items.findIndex((i) => i.version.label === v.cursor);
}

export function cursorVersion(v: ConfigsView): VersionItem | null {
  return v.items[configIndex(v)] ?? null;
}

/** The version whose diff is open, else the one under the cursor. */
export function lookedAt(v: ConfigsView): VersionItem | null {
  const { diff } = v;
  return diff === null ? cursorVersion(v) : (v.items.find((i) => i.version.label === diff.label) ?? null);
}

export function regroupConfigs(v: ConfigsView, facts: Facts): ConfigsView {
  const nodes = [...facts.node.values()];
  const items = [...facts.version.values()]
    .sort((a, b) => b.createdAt - a.createdAt || b.modRevision - a.modRevision)
    .map((version): VersionItem => {
      const wanted = nodes.filter((n) => n.target?.version === version.label);
      const running = wanted.filter((n) => n.effective?.version === version.label).length;
      const failed = wanted.filter((n) => n.configSync === 'failed').length;
      return { version, wanted: wanted.length, running, failed };
    });
  const kept = items.some((i) => i.version.label === v.cursor);
  const near = items[Math.min(Math.max(0, configIndex(v)), items.length - 1)];
  return { ...v, items, cursor: kept ? v.cursor : (near?.version.label ?? null) };
}

export function moveConfigs(v: ConfigsView, by: number): ConfigsView {
  const at = Math.max(0, configIndex(v));
  const to = v.items[Math.min(v.items.length - 1, Math.max(0, at + by))];
  return to === undefined ? v : { ...v, cursor: to.version.label };
}

/** A diff as it came; an answer for another one is not taken. */
export function withDiff(
  v: ConfigsView,
  label: string,
  got: { readonly unified: string; readonly added: number; readonly removed: number } | Words,
): ConfigsView {
  if (v.diff?.label !== label) return v;
  if ('en' in got) return { ...v, diff: { ...v.diff, error: got } };
  const lines = got.unified.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return { ...v, diff: { ...v.diff, lines, added: got.added, removed: got.removed } };
}

/** Every publication, newest first. */
export function history(
  v: ConfigsView,
): readonly { readonly label: VersionLabel; readonly publication: Publication }[] {
  return v.items
    .flatMap(({ version }) =>
      version.publications.map((publication) => ({ label: version.label, publication })),
    )
    .sort((a, b) => b.publication.revision - a.publication.revision);
}

/** Where it could go: where it was made for, where the one before it went, then each type, each region, everybody. */
export function publishChoices(version: ConfigVersion, facts: Facts): readonly Target[] {
  const parent = version.parent === null ? undefined : facts.version.get(version.parent);
  const before = version.publications.at(-1) ?? parent?.publications.at(-1);
  const regions = [...new Set([...facts.node.values()].map((n) => n.region))].sort();
  const all: Target[] = [
    ...(version.target === undefined ? [] : [version.target]),
    ...(before === undefined ? [] : [before.target]),
    { nodeType: 'edge' },
    { nodeType: 'core' },
    ...regions.map((r) => ({ regions: [r] })),
    {},
  ];
  const seen = new Set<string>();
  return all.filter((t) => {
    const key = targetWords(t);
    return !seen.has(key) && seen.add(key);
  });
}

/** `type=edge region=hk`; the empty target is everybody. */
export function targetWords(t: Target): string {
  const parts = [
    ...(t.nodes ?? []),
    ...Object.entries(t.labels ?? {}).map(([k, v]) => `${k}=${v}`),
    ...(t.nodeType === undefined ? [] : [`type=${t.nodeType}`]),
    ...(t.regions ?? []).map((r) => `region=${r}`),
  ];
  return parts.length === 0 ? 'everybody' : parts.join(' ');
}

/** Those that cannot run it, first. */
export function unfit(blast: BlastRadius): BlastRadius['nodes'] {
  return blast.nodes.filter((n) => n.change === 'unfit');
}
