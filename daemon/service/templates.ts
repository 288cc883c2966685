import type { TunnelDocument } from '../../proto/document/document.ts';
import { renderDocument } from '../../proto/document/mould.ts';
import { ofList, type Scope, templateVariables } from '../../proto/document/variables.ts';
import type { ConfigVersion } from '../../proto/vocab/config-version.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { BodyHash, RolloutId, VersionLabel } from '../../proto/vocab/ids.ts';
import type { Refusal } from '../../proto/vocab/node.ts';
import { formatSealedRef, type SealedItem, type SealedRef } from '../../proto/vocab/secret.ts';
import { type Standing, standing, winner } from '../core/config-version/select.ts';
import type { Subject } from '../core/config-version/target.ts';
import type { Wanted } from '../core/node/axes.ts';
import { type Batch, KeptRenderings } from './kept-renderings.ts';
import { Latest } from './latest.ts';
import type { Snapshot, Store, StoredSecret, Vault } from './ports.ts';
import { releasedIn } from './published.ts';
import { type Rendered, type RenderedDocument, renderedOf } from './rendering.ts';
import { scopeOf } from './scope.ts';

/**
 * What is held of renderings, in bytes: some 25,000 that were made in a mould, which hold little more than their values, or
 * 1,500 of 20 KB that hold their text. Nodes with equal values of the variables that are used share one.
 */
const MOST_HELD = 32 * 1024 * 1024;
/** Made again for whoever asks: a fan-out of few renderings to many nodes is to send the same bytes. */
const MOST_BODIES = 64;
const MOST_DOCUMENTS = 16;

/** A document and all it names travel in one message. */
const MOST_BYTES = 240 * 1024;

/** Templates of the versions that stand, in memory, so that deciding what a node should run never waits for the disk. */
export class Templates {
  private readonly store: Store;
  private readonly vault: Vault;
  private drafts = 0;
  private readonly texts = new Map<BodyHash, string>();
  private readonly named = new Map<BodyHash, readonly string[]>();
  private readonly kept = new KeptRenderings(MOST_HELD);
  private readonly bodies = new Latest<RenderedDocument, Uint8Array>(MOST_BODIES);
  private readonly documents = new Latest<RenderedDocument, TunnelDocument>(MOST_DOCUMENTS);
  /** By the list itself: a decision that came to nothing may have looked at versions that never were. */
  private readonly stands = new WeakMap<readonly ConfigVersion[], readonly Standing[]>();

  constructor(store: Store, vault: Vault) {
    this.store = store;
    this.vault = vault;
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

  /** A body that is no version, until it is forgotten; its key is no hash of one. */
  keepDraft(text: string): BodyHash {
    this.drafts += 1;
    const key = `draft ${this.drafts}` as BodyHash;
    this.texts.set(key, text);
    return key;
  }

  forgetDraft(key: BodyHash): void {
    this.texts.delete(key);
    this.named.delete(key);
    this.kept.forget(`${key} `);
  }

  /** Names the version's template uses. @throws AppError `internal` when its body was not loaded */
  names(version: Pick<ConfigVersion, 'bodyHash' | 'label'>): readonly string[] {
    const known = this.named.get(version.bodyHash) ?? templateVariables(this.loaded(version));
    this.named.set(version.bodyHash, known);
    return known;
  }

  /** The version's document for this node. @throws AppError `internal` when its body was not loaded */
  render(view: Snapshot, version: Pick<ConfigVersion, 'bodyHash' | 'label'>, node: Subject): Rendered {
    const template = this.loaded(version);
    const names = this.names(version);
    // Without names it is the same for everybody.
    const scope = names.length === 0 ? null : scopeOf(view, node, names);
    const listed = scope === null ? [] : names.filter((n) => ofList(n, scope) !== null);
    const key = `${version.bodyHash} ${scope === null ? '' : keyOf(listed, scope)}`;
    const values =
      scope === null
        ? ''
        : keyOf(
            names.filter((n) => !listed.includes(n)),
            scope,
          );
    const batch = this.kept.batch(key);
    const known = batch.get(values);
    if (known) return known;
    const made = this.checked(this.made(template, scope ?? scopeOf(view, node, names), key, batch), view);
    this.kept.keep(key, values, made);
    return made;
  }

  private made(template: string, scope: Scope, key: string, { mould }: Batch): Rendered {
    const quick = mould?.fill(scope);
    if (quick) return renderedOf(quick);
    const r = renderDocument(template, scope);
    if (!r.ok) return r;
    if (r.mould) this.kept.keepMould(key, r.mould);
    return renderedOf(r.rendering);
  }

  /** What was rendered, as a document. */
  document(rendered: RenderedDocument): TunnelDocument {
    return this.documents.of(rendered, () => rendered.source.document());
  }

  /** What was rendered, as it is sent. */
  sent(rendered: RenderedDocument): Uint8Array {
    return this.bodies.of(rendered, () => new TextEncoder().encode(rendered.source.text()));
  }

  standing(view: Snapshot): readonly Standing[] {
    const versions = view.list('version');
    const known = this.stands.get(versions) ?? standing(versions);
    this.stands.set(versions, known);
    return known;
  }

  /** What stands for this node. */
  winner(view: Snapshot, node: Subject): Standing | null {
    return winner(this.standing(view), node, releasedIn(view));
  }

  /** The version this node gets. */
  chosen(view: Snapshot, node: Subject): ConfigVersion | null {
    const best = this.winner(view, node);
    return (best && view.get('version', best.label)) ?? null;
  }

  /** What this node should run, and its text; `null` when nothing is published for it. */
  wanted(
    view: Snapshot,
    node: Subject,
  ): {
    readonly label: VersionLabel;
    /** Of the publication that it is for. */
    readonly rollout: RolloutId | null;
    readonly rendered: Rendered;
    readonly wanted: Wanted | null;
  } | null {
    const best = this.winner(view, node);
    const version = best && view.get('version', best.label);
    if (!version) return null;
    const rendered = this.render(view, version, node);
    const { label } = version;
    const rollout = best.publication.rollout ?? null;
    return { label, rollout, rendered, wanted: rendered.ok ? { version: label, hash: rendered.hash } : null };
  }

  /** What a rendered document names, as its node gets it. */
  opened(view: Snapshot, refs: readonly SealedRef[]): readonly SealedItem[] {
    return refs.flatMap((ref) => {
      const stored = view.get('secret', ref.name);
      if (stored?.kind !== ref.kind || stored.version !== ref.version) return [];
      return [{ ...ref, content: this.vault.open(formatSealedRef(ref), stored) }];
    });
  }

  /** Whether what it names can be opened, and goes into one message with it. */
  private checked(rendered: Rendered, view: Snapshot): Rendered {
    if (!rendered.ok) return rendered;
    let all = rendered.source.bytes;
    for (const ref of rendered.sealed) {
      const stored = view.get('secret', ref.name);
      if (!stored) continue;
      all += stored.bytes;
      if (!this.opens(ref, stored)) return { ok: false, at: 'sealed', refusals: [keyIsGone(ref.name)] };
    }
    if (all <= MOST_BYTES) return rendered;
    const message = `the document and what it names are ${Math.ceil(all / 1024)} KiB together`;
    return {
      ok: false,
      at: rendered.sealed.length > 0 ? 'sealed' : 'schema',
      refusals: [{ code: 'too_large', message, hint: `at most ${MOST_BYTES / 1024} KiB` }],
    };
  }

  private opens(ref: SealedRef, stored: StoredSecret): boolean {
    try {
      this.vault.open(formatSealedRef(ref), stored);
      return true;
    } catch {
      return false;
    }
  }

  private loaded(version: Pick<ConfigVersion, 'bodyHash' | 'label'>): string {
    const template = this.texts.get(version.bodyHash);
    if (template === undefined) throw new AppError('internal', `the body of ${version.label} is not loaded`);
    return template;
  }
}

function keyOf(names: readonly string[], scope: Scope): string {
  return JSON.stringify(names.map((n) => valuesOf(n, scope)));
}

/** All that decides what a name becomes. */
function valuesOf(name: string, scope: Scope): unknown {
  const of = ofList(name, scope);
  if (!of) return Object.hasOwn(scope.vars, name) ? scope.vars[name] : null;
  return scope.lists?.[of.list]?.map((one) => (Object.hasOwn(one, of.key) ? one[of.key] : null));
}

function keyIsGone(name: string): Refusal {
  return {
    code: 'precondition',
    message: `${name} does not open: it is sealed under a key that this master does not have, or damaged`,
    hint: 'restore sealing.key of its state_dir from the backup, or put the value again',
  };
}
