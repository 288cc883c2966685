import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const MOST_CHAIN = 8;
const MOST_NAMES = 100;

export interface ReadCertificate {
  /** PEM: key, leaf, chain. One file, so that a key never stands beside a certificate of another. */
  readonly pem: string;
  readonly notAfter: Millis;
  readonly names: readonly string[];
}

/**
 * A certificate as a person puts it -> what nodes get of it.
 * @throws AppError `invalid` saying what does not fit; never with a part of the key
 */
export function readCertificate(
  args: { certPem: string; keyPem: string; chainPem: string | null },
  now: Millis,
): ReadCertificate {
  const given = certificatesIn(args.certPem, 'the certificate');
  const chain = [...given.slice(1), ...certificatesIn(args.chainPem ?? '', 'the chain')];
  const leaf = given[0];
  if (!leaf) throw new AppError('invalid', 'the certificate: there is no BEGIN CERTIFICATE in it');
  if (chain.length > MOST_CHAIN) {
    throw new AppError(
      'invalid',
      `the chain has ${chain.length} certificates, at most ${MOST_CHAIN} are taken`,
    );
  }
  const key = readKey(args.keyPem);
  if (!leaf.checkPrivateKey(key)) throw new AppError('invalid', 'the key does not belong to the certificate');
  const notAfter = Date.parse(leaf.validTo);
  if (notAfter <= now) {
    throw new AppError('invalid', `the certificate expired at ${new Date(notAfter).toISOString()}`);
  }
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const certificates = [leaf, ...chain].map((c) => c.toString());
  return { pem: [pem, ...certificates].map(lined).join(''), notAfter, names: namesOf(leaf) };
}

function certificatesIn(pem: string, what: string): X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).map((one, i) => {
    try {
      return new X509Certificate(one);
    } catch {
      throw new AppError('invalid', `${what}: number ${i + 1} in it is no certificate`);
    }
  });
}

function readKey(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    throw new AppError('invalid', 'the key is encrypted: put it in clear, it is sealed here');
  }
  try {
    return createPrivateKey(pem);
  } catch {
    throw new AppError('invalid', 'the key is no PEM private key');
  }
}

function namesOf(leaf: X509Certificate): readonly string[] {
  const names = (leaf.subjectAltName ?? '')
    .split(', ')
    .map((n) => n.replace(/^(?:DNS|IP Address|URI|email):/, ''));
  return names.filter((n) => n !== '').slice(0, MOST_NAMES);
}

function lined(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`;
}
