import type { NodeName } from '../vocab/ids.ts';
import { nameFromSpiffe } from '../vocab/spiffe.ts';

/**
 * Who a TLS peer is, from `getPeerCertificate().subjectaltname` (`URI:spiffe://ai-cdn/node/hk-1, DNS:hk-1`).
 * A certificate with no identity, or with more than one URI, is nobody. Node quotes a name that holds a comma, a quote
 * or anything unprintable as JSON (`DNS:"a, URI:b"`): such a name is skipped whole, so nothing inside it can pose as
 * another entry; text that follows neither form makes the whole string nobody's.
 */
export function nodeOfSubjectAltName(subjectAltName: string | undefined): NodeName | null {
  if (!subjectAltName) return null;
  const entry = /([A-Za-z0-9 ]+):(?:("(?:[^"\\]|\\.)*")|([^",]*))(?:, |$)/y;
  const uris: string[] = [];
  while (entry.lastIndex < subjectAltName.length) {
    const m = entry.exec(subjectAltName);
    if (!m) return null;
    if (m[1] === 'URI') uris.push(m[2] ?? m[3] ?? '');
  }
  return uris.length === 1 ? nameFromSpiffe(uris[0] ?? '') : null;
}

/** The same for a Node peer certificate; `{}` (no certificate was shown) is nobody. */
export function nodeOfPeer(certificate: { readonly subjectaltname?: string | undefined } | null | undefined) {
  return nodeOfSubjectAltName(certificate?.subjectaltname);
}
