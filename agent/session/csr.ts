import 'reflect-metadata';
import { createHash, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { pemOfDer } from '../../proto/link/tls.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface NewKey {
  readonly keyPem: string;
  readonly csrDer: Uint8Array;
}

/** A P-256 key made here, and the request for its certificate. The master names the node, not the request. */
export async function newKey(commonName: string): Promise<NewKey> {
  const keys = (await crypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: EC,
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    csrDer: new Uint8Array(request.rawData),
  };
}

/**
 * Key, leaf and CAs as they are kept. There are two while the fleet's CA is being replaced: peers show certificates of
 * either.
 * @param chainDer leaf first, then the CA that issued it and others
 * @param pin sha256 hex that one of the CAs must have
 */
export function issued(
  keyPem: string,
  chainDer: readonly Uint8Array[],
  pin?: string,
): { readonly keyPem: string; readonly certificatePem: string; readonly caPem: string } {
  const [leaf, ...cas] = chainDer;
  if (!leaf || cas.length === 0)
    throw new AppError('internal', 'the master answered without a certificate chain');
  const pinned = (ca: Uint8Array): boolean => createHash('sha256').update(ca).digest('hex') === pin;
  if (pin !== undefined && !cas.some(pinned)) {
    throw new AppError('forbidden', 'the master issued by another CA than the token names');
  }
  return { keyPem, certificatePem: pemOfDer([leaf]), caPem: pemOfDer(cas) };
}

/**
 * When to ask for the next certificate: half its life, give or take a tenth, so that a fleet that joined in one hour
 * does not renew in one minute.
 * @param random in [0, 1)
 */
export function renewAt(
  c: { readonly notBefore: Millis; readonly notAfter: Millis },
  random: number,
): Millis {
  const life = c.notAfter - c.notBefore;
  return Math.round(c.notBefore + life * (0.45 + 0.1 * random));
}
