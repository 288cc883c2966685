import type { TunnelDocument } from '../../proto/document/document.ts';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import type { Node } from '../../proto/vocab/node.ts';
import type { Snapshot } from './ports.ts';
import type { Templates } from './templates.ts';

/** Hash of the document its engine says it runs; `null`: it runs nothing, or has not said. */
export function runs(node: Pick<Node, 'engine' | 'effective'>): ConfigHash | null {
  return node.engine ? node.engine.documentHash : (node.effective?.hash ?? null);
}

/**
 * What nodes run, as documents. Only hashes come up from nodes: the document is found by rendering the version that a node
 * says it is of, and is the one it runs if the hashes are equal.
 */
export class RunningDocuments {
  private readonly templates: Templates;
  private readonly view: Snapshot;
  private readonly found = new Map<ConfigHash, TunnelDocument>();

  constructor(templates: Templates, view: Snapshot) {
    this.templates = templates;
    this.view = view;
  }

  /** `null`: it runs nothing, or what it runs would not be rendered so any more. */
  of(node: Node): TunnelDocument | null {
    const hash = runs(node);
    if (hash === null) return null;
    const known = this.found.get(hash);
    if (known) return known;
    const version = node.effective?.version ? this.view.get('version', node.effective.version) : undefined;
    const rendered = version && this.templates.render(this.view, version, node);
    if (!rendered?.ok || rendered.hash !== hash) return null;
    const document = this.templates.document(rendered);
    this.found.set(hash, document);
    return document;
  }
}
