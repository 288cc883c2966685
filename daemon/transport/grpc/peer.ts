import type { X509Certificate } from 'node:crypto';
import { nodeOfSubjectAltName } from '../../../proto/link/peer-identity.ts';
import type { Millis, NodeName } from '../../../proto/vocab/ids.ts';

/** An expired certificate may still renew for this long, so that a week's outage locks nobody out. */
export const RENEWAL_GRACE_MS = 30 * 86_400_000;

/** Who is at the other end, by its certificate alone. */
export type PeerIdentity =
  | { readonly kind: 'node'; readonly name: NodeName; readonly serial: string; readonly renewOnly: boolean }
  /** `reason` is said to the peer and to the log. `shown`: a certificate was there and was not good enough. */
  | { readonly kind: 'nobody'; readonly reason: string; readonly shown: boolean };

/**
 * The signature is checked here and not read from `authorizationError`, which holds one fault of several: a
 * certificate that is expired and of another CA may be reported as merely expired.
 * The handshake itself has proven that the peer holds the key.
 */
export function identify(
  certificate: X509Certificate | undefined,
  cas: readonly X509Certificate[],
  now: Millis,
): PeerIdentity {
  const nobody = (reason: string, shown = true): PeerIdentity => ({ kind: 'nobody', reason, shown });
  if (!certificate) return nobody('no certificate was shown', false);
  if (!cas.some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey))) {
    return nobody('the certificate is from another CA');
  }
  if (certificate.keyUsage && !certificate.keyUsage.includes('1.3.6.1.5.5.7.3.2')) {
    return nobody('the certificate is not for clients');
  }
  const name = nodeOfSubjectAltName(certificate.subjectAltName);
  if (name === null) return nobody('the certificate names no node');
  if (now < certificate.validFromDate.getTime()) {
    return nobody(
      `the certificate is not valid before ${certificate.validFromDate.toISOString()}; check the clock`,
    );
  }
  const over = now - certificate.validToDate.getTime();
  if (over > RENEWAL_GRACE_MS) {
    return nobody(
      `the certificate of ${name} expired at ${certificate.validToDate.toISOString()}, more than 30 days ago; join again with a new token`,
    );
  }
  return { kind: 'node', name, serial: certificate.serialNumber.toLowerCase(), renewOnly: over > 0 };
}
