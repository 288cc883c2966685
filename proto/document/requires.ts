import type { Selector, TunnelDocument } from './document.ts';

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
  return [...all].toSorted();
}

function selectorsOf(doc: TunnelDocument): Selector[] {
  const forwarders = doc.services.flatMap((s) => (s.forwarder === null ? [] : [s.forwarder.selector]));
  return [...doc.hops.map((h) => h.selector), ...forwarders];
}
