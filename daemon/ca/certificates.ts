import 'reflect-metadata';
import { createPublicKey, type webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import * as x509 from '@peculiar/x509';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import { dnsNameOf, spiffeOf } from '../../proto/vocab/spiffe.ts';

// X.509 in and out: P-256 and SHA-256 throughout.

export const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Certificates begin a little in the past: clocks of nodes run late. */
const SKEW_MS = 5 * 60_000;
const CSR_MAX_BYTES = 8 * 1024;

export interface Issuer {
  readonly certificate: x509.X509Certificate;
  readonly key: CryptoKey;
}

export function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
}

export async function selfSigned(args: {
  readonly keys: webcrypto.CryptoKeyPair;
  readonly name: string;
  readonly serial: string;
  readonly now: Millis;
  readonly ttlMs: number;
}): Promise<x509.X509Certificate> {
  return x509.X509CertificateGenerator.createSelfSigned({
    keys: args.keys,
    name: [{ CN: [args.name] }],
    serialNumber: args.serial,
    notBefore: new Date(args.now - SKEW_MS),
    notAfter: new Date(args.now + args.ttlMs),
    signingAlgorithm: EC,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(args.keys.publicKey),
    ],
  });
}

export interface LeafRequest {
  readonly publicKey: x509.PublicKey | CryptoKey;
  readonly commonName: string;
  readonly names: readonly { readonly type: 'url' | 'dns' | 'ip'; readonly value: string }[];
  readonly uses: readonly ('clientAuth' | 'serverAuth')[];
  readonly serial: string;
  readonly now: Millis;
  readonly ttlMs: number;
}

/** A leaf never outlives its issuer. */
export async function issueLeaf(issuer: Issuer, leaf: LeafRequest): Promise<x509.X509Certificate> {
  const notAfter = Math.min(leaf.now + leaf.ttlMs, issuer.certificate.notAfter.getTime());
  return x509.X509CertificateGenerator.create({
    subject: [{ CN: [leaf.commonName] }],
    issuer: issuer.certificate.subjectName,
    publicKey: leaf.publicKey,
    signingKey: issuer.key,
    signingAlgorithm: EC,
    serialNumber: leaf.serial,
    notBefore: new Date(leaf.now - SKEW_MS),
    notAfter: new Date(notAfter),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(leaf.uses.map((use) => x509.ExtendedKeyUsage[use])),
      new x509.SubjectAlternativeNameExtension([...leaf.names]),
      await x509.SubjectKeyIdentifierExtension.create(leaf.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
    ],
  });
}

/**
 * The key a request asks a certificate for; everything else in it (subject, extensions) is ignored.
 * @throws AppError `invalid`: no request, another kind of key, or not signed by its own key
 */
export async function keyOfRequest(der: Uint8Array): Promise<x509.PublicKey> {
  if (der.length > CSR_MAX_BYTES) {
    throw new AppError(
      'invalid',
      `the certificate request has ${der.length} bytes, more than ${CSR_MAX_BYTES}`,
    );
  }
  let request: x509.Pkcs10CertificateRequest;
  let curve: string | undefined;
  try {
    request = new x509.Pkcs10CertificateRequest(Uint8Array.from(der));
    const spki = Buffer.from(request.publicKey.rawData);
    curve = createPublicKey({ key: spki, format: 'der', type: 'spki' }).asymmetricKeyDetails?.namedCurve;
  } catch (cause) {
    throw new AppError('invalid', 'this is not a certificate request (PKCS#10, DER)', { cause });
  }
  if (curve !== 'prime256v1') {
    throw new AppError('invalid', 'the certificate request has another kind of key: it must be EC P-256');
  }
  if (!(await request.verify().catch(() => false))) {
    throw new AppError('invalid', 'the certificate request is not signed by its own key');
  }
  return request.publicKey;
}

export function nodeNames(name: NodeName): LeafRequest['names'] {
  return [
    { type: 'url', value: spiffeOf(name) },
    { type: 'dns', value: dnsNameOf(name) },
  ];
}

/**
 * Host names and addresses as they stand in a certificate, each once.
 * @throws AppError `invalid` for what is neither
 */
export function hostNames(names: readonly string[]): LeafRequest['names'] {
  const seen = new Map<string, LeafRequest['names'][number]>();
  for (const name of names) {
    const dns = isIP(name) ? '' : domainToASCII(name.replace(/\.$/, ''));
    if (dns === '' && !isIP(name)) {
      throw new AppError('invalid', `${JSON.stringify(name)} is neither a host name nor an address`);
    }
    const value = dns === '' ? name : dns;
    seen.set(value, { type: dns === '' ? 'ip' : 'dns', value });
  }
  return [...seen.values()];
}
