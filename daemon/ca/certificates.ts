import 'reflect-metadata';
import { createPublicKey, type KeyObject, verify, type webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { CertificationRequest } from '@peculiar/asn1-csr';
import { AsnConvert } from '@peculiar/asn1-schema';
import type { SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis, NodeName } from '../../proto/vocab/ids.ts';
import { dnsNameOf, spiffeOf } from '../../proto/vocab/spiffe.ts';
import { ECDSA_WITH_SHA256, type LeafRequest, SKEW_MS } from './leaf.ts';

// X.509 in and out: P-256 and SHA-256 throughout.

export const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CSR_MAX_BYTES = 8 * 1024;

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

/**
 * The key a request asks a certificate for; everything else in it (subject, extensions) is ignored.
 * @throws AppError `invalid`: no request, another kind of key, or not signed by its own key
 */
export function keyOfRequest(der: Uint8Array): SubjectPublicKeyInfo {
  if (der.length > CSR_MAX_BYTES) {
    throw new AppError(
      'invalid',
      `the certificate request has ${der.length} bytes, more than ${CSR_MAX_BYTES}`,
    );
  }
  let request: CertificationRequest;
  let key: KeyObject;
  try {
    request = AsnConvert.parse(der, CertificationRequest);
    const spki = AsnConvert.serialize(request.certificationRequestInfo.subjectPKInfo);
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new AppError('invalid', 'this is not a certificate request (PKCS#10, DER)', { cause });
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new AppError('invalid', 'the certificate request has another kind of key: it must be EC P-256');
  }
  const { certificationRequestInfoRaw: said, signatureAlgorithm, signature } = request;
  if (
    signatureAlgorithm.algorithm !== ECDSA_WITH_SHA256.algorithm ||
    said === undefined ||
    !verify('sha256', new Uint8Array(said), key, new Uint8Array(signature))
  ) {
    throw new AppError('invalid', 'the certificate request is not signed by its own key with SHA-256');
  }
  return request.certificationRequestInfo.subjectPKInfo;
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
