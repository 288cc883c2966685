import { configHash } from '../../proto/document/hash.ts';
import { readDocument } from '../../proto/document/read.ts';
import { renderTemplate, templateVariables } from '../../proto/document/render.ts';
import { requiredCapabilities } from '../../proto/document/requires.ts';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { BodyHash, ConfigHash, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Node, Refusal } from '../../proto/vocab/node.ts';
import { type Standing, standing, winner } from '../core/config-version/select.ts';
import type { Subject } from '../core/config-version/target.ts';
import type { Wanted } from '../core/node/axes.ts';
import type { Snapshot, Store } from './ports.ts';

/** A refusal's place is one of the template. */
export type Rendered =
  | {
      readonly ok: true;
      readonly hash: ConfigHash;
      readonly text: string;
      /** What a node must be able to carry. */
      readonly requires: readonly string[];
    }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

type Variables = Readonly<Record<string, string>>;

/** Renderings kept: nodes with equal values of the variables that are used share one. */
const MOST_RENDERED = 512;

/** What a template may name: `${node.name}`, `${node.type}`, `${node.region}`, `${label.KEY}`. */
export function variablesOf(node: Subject): Variables {
  const labels = Object.entries(node.labels).map(([k, v]) => [`label.${k}`, v] as const);
  return {
    ...Object.fromEntries(labels),
    'node.name': node.name,
    'node.type': node.nodeType,
    'node.region': node.region,
  };
}

function render(template: string, vars: Variables): Rendered {
  const r = renderTemplate(template, vars);
  if (!r.ok) return r;
  const read = readDocument(r.text);
  if (!read.ok) return { ok: false, refusals: read.refusals.map(r.toTemplate) };
  return {
    ok: true,
    hash: configHash(read.document),
    text: r.text,
    requires: requiredCapabilities(read.document),
  };
}

/** What a label may stand for; each gets its own number, so that two addresses do not look like one. */
const STAND_INS: readonly ((i: number) => string)[] = [
  (i) => `${2001 + i}`,
  (i) => `word-${i}`,
  (i) => `127.0.0.${1 + (i % 250)}`,
  (i) => `127.0.0.1:${2001 + i}`,
];

/**
 * What is wrong with a template whatever its labels stand for; `[]` when some values make it a document.
 * A label that no node has yet is no fault, an unknown variable is.
 */
export function templateRefusals(template: string): readonly Refusal[] {
  const labels = templateVariables(template).filter((n) => n.startsWith('label.'));
  let vars: Variables = {
    ...Object.fromEntries(labels.map((name, i) => [name, `${2001 + i}`])),
    'node.name': 'node-1',
    'node.region': 'hk',
    'node.type': 'edge',
  };
  const refusals = (v: Variables): readonly Refusal[] => {
    const r = render(template, v);
    return r.ok ? [] : r.refusals;
  };
  let best = refusals(vars);
  for (const [i, name] of labels.entries()) {
    for (const standIn of STAND_INS.slice(1)) {
      if (best.length === 0) return best;
      const tried = { ...vars, [name]: standIn(i) };
      const left = refusals(tried);
      if (left.length >= best.length) continue;
      best = left;
      vars = tried;
    }
  }
  return best;
}

/** Capabilities the document needs and the node lacks; a node that has not said what it can carry is not judged. */
export function lacking(requires: readonly string[], node: Pick<Node, 'capabilities'>): string[] {
  if (node.capabilities.length === 0) return [];
  return requires.filter((c) => !node.capabilities.includes(c));
}

/** Templates of the versions that stand, in memory, so that deciding what a node should run never waits for the disk. */
export class Templates {
  private readonly store: Store;
  private readonly texts = new Map<BodyHash, string>();
  private readonly rendered = new Map<string, Rendered>();
  /** By the list itself: a decision that came to nothing may have looked at versions that never were. */
  private readonly stands = new WeakMap<readonly ConfigVersion[], readonly Standing[]>();

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

  /** The version's document for this node. @throws AppError `internal` when its body was not loaded */
  render(version: Pick<ConfigVersion, 'bodyHash' | 'label'>, node: Subject): Rendered {
    const template = this.texts.get(version.bodyHash);
    if (template === undefined) throw new AppError('internal', `the body of ${version.label} is not loaded`);
    const vars = variablesOf(node);
    const used = templateVariables(template).map((n) => [n, Object.hasOwn(vars, n) ? vars[n] : null]);
    const key = `${version.bodyHash} ${JSON.stringify(used)}`;
    const made = this.rendered.get(key) ?? render(template, vars);
    this.rendered.delete(key);
    this.rendered.set(key, made);
    const oldest = this.rendered.size > MOST_RENDERED ? this.rendered.keys().next() : null;
    if (oldest && !oldest.done) this.rendered.delete(oldest.value);
    return made;
  }

  standing(view: Snapshot): readonly Standing[] {
    const versions = view.list('version');
    const known = this.stands.get(versions) ?? standing(versions);
    this.stands.set(versions, known);
    return known;
  }

  /** What this node should run, and its text; `null` when nothing is published for it. */
  wanted(
    view: Snapshot,
    node: Subject,
  ): { readonly label: VersionLabel; readonly rendered: Rendered; readonly wanted: Wanted | null } | null {
    const best = winner(this.standing(view), node);
    const version = best && view.get('version', best.label);
    if (!version) return null;
    const rendered = this.render(version, node);
    const { label } = version;
    return { label, rendered, wanted: rendered.ok ? { version: label, hash: rendered.hash } : null };
  }
}
