import { parseSealedRef, type SealedRef } from '../vocab/secret.ts';
import type { Selector, TlsFiles, TunnelDocument } from './document.ts';

/** What a node must be able to carry to run a document, sorted: `listener.tls`, `handler.relay`, … */
export function requiredCapabilities(doc: TunnelDocument): string[] {
  const all = new Set<string>();
  for (const s of doc.services) {
    all.add(`listener.${s.listener.type}`).add(`handler.${s.handler.type}`);
    if (s.proxyProtocol !== undefined) all.add('proxy.read');
    if (s.handler.proxyProtocol !== undefined) all.add('proxy.write');
    if (s.listener.maxStreams !== undefined) all.add('mux.maxStreams');
    if (s.listener.readBufferBytes !== undefined) all.add('readBufferSize');
  }
  for (const { dialer, connector } of doc.hops.flatMap((h) => h.nodes)) {
    all.add(`dialer.${dialer.type}`).add(`connector.${connector.type}`);
    if (dialer.readBufferBytes !== undefined) all.add('readBufferSize');
  }
  if (doc.hops.some((h) => h.nodes.some((n) => n.probe !== undefined))) all.add('probe');
  for (const guard of ['limiter', 'climiter', 'rlimiter', 'admission'] as const)
    if (doc.services.some((s) => s[guard] !== undefined)) all.add(guard);
  if (selectorsOf(doc).some((s) => s.strategy === 'least')) all.add('selector.least');
  if (sealedRefs(doc).length > 0) all.add('sealed');
  return [...all].toSorted();
}

/** The engine reads them, the agent keeps them: a node carries them where both of its programs can. */
export const SEALED_FILES = 'sealed-files';

/** What a node can carry: what its engine says, and `sealed` where that engine reads what this agent keeps for it. */
export function nodeCapabilities(engine: readonly string[]): readonly string[] {
  return engine.includes(SEALED_FILES) ? [...engine, 'sealed'] : engine;
}

/** The sealed values a document names, each once. */
export function sealedRefs(doc: TunnelDocument): SealedRef[] {
  const files = (tls: TlsFiles | null) => (tls ? [tls.certFile, tls.keyFile, tls.caFile] : []);
  const nodes = doc.hops.flatMap((h) => h.nodes);
  const texts = [
    ...doc.services.flatMap((s) => files(s.listener.tls)),
    ...nodes.flatMap((n) => [...files(n.dialer.tls), n.connector.auth?.password ?? null]),
    ...doc.authers.flatMap((a) => a.auths.map((auth) => auth.password)),
  ];
  const found = new Map<string, SealedRef>();
  for (const text of texts) {
    const ref = text === null ? null : parseSealedRef(text);
    if (text !== null && ref) found.set(text, ref);
  }
  return [...found.values()];
}

function selectorsOf(doc: TunnelDocument): Selector[] {
  const forwarders = doc.services.flatMap((s) => (s.forwarder === null ? [] : [s.forwarder.selector]));
  return [...doc.hops.map((h) => h.selector), ...forwarders];
}
