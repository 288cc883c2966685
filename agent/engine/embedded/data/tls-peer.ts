import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import type { Material, Peers } from './messages.ts';

/** A peer whose certificate ran out less than this ago is still let in: a node that could not renew keeps carrying. */
const EXPIRY_GRACE_MS = 30 * 24 * 3_600_000;

const FLEET = 'URI:spiffe://ai-cdn/node/';
const EKU = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' } as const;

/** A material made ready: what sockets use, and the CA to check an expired peer against. */
export interface ReadyMaterial {
  readonly context: tls.SecureContext;
  readonly material: Material;
  readonly cas: readonly X509Certificate[];
}

export function splitPem(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
}

/** Throws what OpenSSL says when the texts make no sense together. */
export function readyMaterial(material: Material): ReadyMaterial {
  const { cert, key, ca } = material;
  const context = tls.createSecureContext({
    minVersion: 'TLSv1.2',
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(ca === null ? {} : { ca }),
  });
  return { context, material, cas: ca === null ? [] : splitPem(ca).map((p) => new X509Certificate(p)) };
}

function fleetName(peer: X509Certificate): string | null {
  for (const name of peer.subjectAltName?.split(', ') ?? []) {
    if (name.startsWith(FLEET) && /^[A-Za-z0-9._~%-]+$/.test(name.slice(FLEET.length))) {
      return name.slice(FLEET.length);
    }
  }
  return null;
}

/**
 * OpenSSL goes on after the first fault and reports the last, so "expired" may hide a forged signature:
 * everything it checks is checked here again. Only leaves issued by the CA itself get the grace.
 */
function withinGrace(args: {
  peer: X509Certificate;
  cas: readonly X509Certificate[];
  role: 'client' | 'server';
  now: number;
}): boolean {
  const { peer, cas, role, now } = args;
  const notAfter = Date.parse(peer.validTo);
  const notBefore = Date.parse(peer.validFrom);
  if (!(notBefore <= now && notAfter < now && now - notAfter < EXPIRY_GRACE_MS)) return false;
  if (peer.ca || !(peer.keyUsage ?? []).includes(EKU[role])) return false;
  return cas.some((ca) => {
    const alive = Date.parse(ca.validFrom) <= now && now < Date.parse(ca.validTo);
    return alive && ca.ca && peer.checkIssued(ca) && peer.verify(ca.publicKey);
  });
}

/** `null`: the peer is who it has to be. Else why not, for the log. */
export function refusePeer(args: {
  socket: tls.TLSSocket;
  ready: ReadyMaterial;
  peers: Peers;
  /** What the peer is in this connection. */
  role: 'client' | 'server';
  /** Checked against the certificate when given. */
  host: string | null;
  now: number;
}): string | null {
  const { socket, ready, peers, role, host, now } = args;
  if (peers === 'any') return null;
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return 'it shows no certificate';
  if (!socket.authorized) {
    const reason = String(socket.authorizationError);
    const expired = reason === 'CERT_HAS_EXPIRED';
    if (!expired || peers !== 'fleet' || !withinGrace({ peer, cas: ready.cas, role, now })) {
      return `its certificate is refused: ${reason}`;
    }
  }
  if (peers === 'fleet' && fleetName(peer) === null) return 'its certificate is not one of our nodes';
  if (host !== null) {
    const mismatch = tls.checkServerIdentity(host, peer.toLegacyObject() as tls.PeerCertificate);
    if (mismatch !== undefined) return `its certificate is not for ${host}`;
  }
  return null;
}
