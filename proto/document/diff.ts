import type { Service, TunnelDocument } from './document.ts';
import { canonicalJson } from './hash.ts';

/** What happens to services on the way from one document to the next, by name, in the order of the documents. */
export interface DocumentDiff {
  /** New, or with another listener: opened after the old one has closed. */
  readonly opened: readonly string[];
  /** Gone, or with another listener. */
  readonly closed: readonly string[];
  /** The listener stays, new connections take another way. */
  readonly rerouted: readonly string[];
  readonly unchanged: readonly string[];
}

/** `null` is an engine that runs nothing. */
export function documentDiff(from: TunnelDocument | null, to: TunnelDocument): DocumentDiff {
  const before = new Map((from?.services ?? []).map((s) => [s.name, s]));
  const after = new Set(to.services.map((s) => s.name));
  const opened: string[] = [];
  const closed = [...before.keys()].filter((name) => !after.has(name));
  const rerouted: string[] = [];
  const unchanged: string[] = [];
  for (const service of to.services) {
    const old = before.get(service.name);
    if (!old || !from) opened.push(service.name);
    else if (listenerOf(old) !== listenerOf(service)) {
      closed.push(service.name);
      opened.push(service.name);
    } else if (routeOf(from, old) !== routeOf(to, service)) rerouted.push(service.name);
    else unchanged.push(service.name);
  }
  return { opened, closed, rerouted, unchanged };
}

function listenerOf(s: Service): string {
  const { maxStreams: _most, readBufferBytes: _bytes, ...listener } = s.listener;
  return canonicalJson([s.addr, listener]);
}

/** All that decides where a connection goes, how, and who may open one, through every reference. */
function routeOf(doc: TunnelDocument, s: Service): string {
  const chain = doc.chains.find((c) => c.name === s.handler.chain) ?? null;
  const hops = (chain?.hops ?? []).map((name) => doc.hops.find((h) => h.name === name) ?? null);
  const auther = doc.authers.find((a) => a.name === s.handler.auther) ?? null;
  const guards = (['limiter', 'climiter', 'rlimiter', 'admission'] as const).map(
    (g) => (doc[`${g}s`] ?? []).find((one) => one.name === s[g]) ?? null,
  );
  const { maxStreams = null, readBufferBytes = null } = s.listener;
  const own = [s.handler, s.forwarder, s.enableStats, s.dialTimeoutMs, maxStreams, readBufferBytes];
  return canonicalJson([...own, chain, hops, auther, guards]);
}
