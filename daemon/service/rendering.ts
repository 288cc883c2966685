import type { TunnelDocument } from '../../proto/document/document.ts';
import { configHash } from '../../proto/document/hash.ts';
import { readDocument } from '../../proto/document/read.ts';
import { renderTemplate } from '../../proto/document/render.ts';
import { requiredCapabilities } from '../../proto/document/requires.ts';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { BodyHash, ConfigHash, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node, Refusal } from '../../proto/vocab/node.ts';
import { type Standing, standing, winner } from '../core/config-version/select.ts';
import type { Wanted } from '../core/node/axes.ts';
import type { Snapshot, Store } from './ports.ts';

export type Rendered =
  | { readonly ok: true; readonly hash: ConfigHash; readonly text: string; readonly document: TunnelDocument }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

type Subject = Pick<Node, 'name' | 'nodeType' | 'region' | 'labels'>;

/** What a template may name: `${node.name}`, `${node.type}`, `${node.region}`, `${label.KEY}`. */
export function variablesOf(node: Subject): Record<string, string> {
  const labels = Object.entries(node.labels).map(([k, v]) => [`label.${k}`, v] as const);
  return {
    ...Object.fromEntries(labels),
    'node.name': node.name,
    'node.type': node.nodeType,
    'node.region': node.region,
  };
}

export function renderFor(template: string, node: Subject): Rendered {
  const rendered = renderTemplate(template, variablesOf(node));
  if (!rendered.ok) return rendered;
  const read = readDocument(rendered.text);
  if (!read.ok) return read;
  return { ok: true, hash: configHash(read.document), text: rendered.text, document: read.document };
}

/** Capabilities the document needs and the node lacks; a node that has not said what it can carry is not judged. */
export function lacking(document: TunnelDocument, node: Pick<Node, 'capabilities'>): string[] {
  if (node.capabilities.length === 0) return [];
  return requiredCapabilities(document).filter((c) => !node.capabilities.includes(c));
}

/** Templates of the versions that stand, in memory, so that deciding what a node should run never waits for the disk. */
export class Templates {
  private readonly store: Store;
  private readonly texts = new Map<BodyHash, string>();
  private stands: { revision: number; list: readonly Standing[] } = { revision: -1, list: [] };

  constructor(store: Store) {
    this.store = store;
  }

  /** Called once before anything else. @throws AppError `internal` when a body is missing from the disk */
  async load(): Promise<void> {
    for (const v of this.store.snapshot().list('version')) await this.body(v);
  }

  async body(v: Pick<ConfigVersion, 'bodyHash' | 'label'>): Promise<string> {
    const known = this.texts.get(v.bodyHash);
    if (known !== undefined) return known;
    const bytes = await this.store.getBlob(v.bodyHash);
    if (!bytes) throw new AppError('internal', `the body of ${v.label} is missing from the store`);
    return this.keep(v.bodyHash, new TextDecoder().decode(bytes));
  }

  keep(hash: BodyHash, text: string): string {
    this.texts.set(hash, text);
    return text;
  }

  known(hash: BodyHash): string | undefined {
    return this.texts.get(hash);
  }

  standing(view: Snapshot): readonly Standing[] {
    if (this.stands.revision !== view.revision) {
      this.stands = { revision: view.revision, list: standing(view.list('version')) };
    }
    return this.stands.list;
  }

  /** What this node should run, and its text; `null` when nothing is published for it. */
  wanted(
    view: Snapshot,
    node: Subject,
  ): { readonly label: VersionLabel; readonly rendered: Rendered; readonly wanted: Wanted | null } | null {
    const best = winner(this.standing(view), node);
    if (!best) return null;
    const version = view.get('version', best.label);
    const text = version && this.texts.get(version.bodyHash);
    if (text === undefined) throw new AppError('internal', `the body of ${best.label} is not loaded`);
    const rendered = renderFor(text, node);
    return {
      label: best.label,
      rendered,
      wanted: rendered.ok ? { version: best.label, hash: rendered.hash } : null,
    };
  }
}
