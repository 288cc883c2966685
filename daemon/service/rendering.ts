import type { Rendering, Source } from '../../proto/document/mould.ts';
import { requiredCapabilities, sealedRefs } from '../../proto/document/requires.ts';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import type { ListenerInfo, Node, Refusal } from '../../proto/vocab/node.ts';
import type { SealedRef } from '../../proto/vocab/secret.ts';

/** A refusal's place is one of the template. */
export type Rendered =
  | RenderedDocument
  | {
      readonly ok: false;
      /** What it fell for: a name without a value, the document itself, or what it names. */
      readonly at: 'variables' | 'schema' | 'sealed';
      readonly refusals: readonly Refusal[];
    };

export interface RenderedDocument {
  readonly ok: true;
  readonly hash: ConfigHash;
  readonly source: Source;
  /** What a node must be able to carry. */
  readonly requires: readonly string[];
  /** What the document names and the node must have. */
  readonly sealed: readonly SealedRef[];
  /** Where it listens. */
  readonly listens: readonly Pick<ListenerInfo, 'service' | 'addr' | 'type'>[];
  /** What its reader warns of. */
  readonly warnings: readonly Refusal[];
}

export function renderedOf({ hash, document, warnings, source }: Rendering): RenderedDocument {
  return {
    ok: true,
    hash,
    source,
    requires: requiredCapabilities(document),
    sealed: sealedRefs(document),
    listens: document.services.map((s) => ({ service: s.name, addr: s.addr, type: s.listener.type })),
    warnings,
  };
}

/** Capabilities the document needs and the node lacks; a node that has not said what it can carry is not judged. */
export function lacking(requires: readonly string[], node: Pick<Node, 'capabilities'>): string[] {
  if (node.capabilities.length === 0) return [];
  return requires.filter((c) => !node.capabilities.includes(c));
}

/** Why this node cannot run what was rendered for it; `[]`: it can. */
export function unfitness(rendered: Rendered, node: Pick<Node, 'capabilities'>): readonly Refusal[] {
  if (!rendered.ok) return rendered.refusals;
  const missing = lacking(rendered.requires, node);
  if (missing.length === 0) return [];
  const older = missing.includes('sealed')
    ? { hint: 'sealed: its agent or engine is of an older release; upgrade the node' }
    : {};
  return [{ code: 'unsupported', message: `this node lacks ${missing.join(', ')}`, ...older }];
}
