import 'reflect-metadata';
import { KeyObject, randomBytes, type webcrypto, X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate, SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import { expect, test } from 'vitest';
import { EC, generateKeys, selfSigned } from './certificates.ts';
import { LeafIssuer, type LeafRequest, SKEW_MS } from './leaf.ts';

const NOW = 1_795_547_527_123;
const YEAR = 365 * 86_400_000;
const serial = (): string => `4${randomBytes(16).toString('hex').slice(1)}`;

async function authority(ttlMs: number) {
  const keys = await generateKeys();
  const certificate = await selfSigned({ keys, name: '艦隊 CA', serial: serial(), now: NOW, ttlMs });
  const certificateDer = new Uint8Array(certificate.rawData);
  const issuer = new LeafIssuer({ certificateDer, key: KeyObject.from(keys.privateKey) });
  return { keys, certificate, issuer };
}

async function asked(
  changed: Partial<LeafRequest>,
): Promise<{ keys: webcrypto.CryptoKeyPair; leaf: LeafRequest }> {
  const keys = await generateKeys();
  const spki = await crypto.subtle.exportKey('spki', keys.publicKey);
  const leaf: LeafRequest = {
    publicKey: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    commonName: 'hk-1',
    names: [
      { type: 'url', value: 'spiffe://ai-cdn/node/hk-1' },
      { type: 'dns', value: 'hk-1.example' },
    ],
    uses: 'client-and-server',
    serial: serial(),
    now: NOW,
    ttlMs: YEAR,
    ...changed,
  };
  return { keys, leaf };
}

/** What @peculiar/x509 makes of the same: slower, and what many others rely on. */
async function byLibrary(
  ca: Awaited<ReturnType<typeof authority>>,
  { keys, leaf }: Awaited<ReturnType<typeof asked>>,
  notAfter: number,
): Promise<x509.X509Certificate> {
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  return x509.X509CertificateGenerator.create({
    subject: new x509.Name([{ CN: [{ utf8String: leaf.commonName }] }]),
    issuer: ca.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: ca.keys.privateKey,
    signingAlgorithm: EC,
    serialNumber: leaf.serial,
    notBefore: new Date(leaf.now - SKEW_MS),
    notAfter: new Date(notAfter),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(leaf.uses === 'server' ? [serverAuth] : [clientAuth, serverAuth]),
      new x509.SubjectAlternativeNameExtension([...leaf.names]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(ca.certificate.publicKey),
    ],
  });
}

test.each<[string, Partial<LeafRequest>]>([
  ['a node', {}],
  ['a node with a name of another script', { commonName: '香港-1' }],
  ['a life into the next century’s way of writing times', { ttlMs: 25 * YEAR }],
  ['a number that begins with few bits', { serial: '01'.padEnd(32, 'f') }],
  [
    'a listener, by names and addresses',
    {
      uses: 'server',
      names: [
        { type: 'dns', value: 'xn--mnchen-3ya.example' },
        { type: 'ip', value: '203.0.113.10' },
        { type: 'ip', value: '::1' },
      ],
    },
  ],
])('%s: what is signed is what @peculiar/x509 would sign, byte for byte', async (_, changed) => {
  const ca = await authority(50 * YEAR);
  const request = await asked(changed);
  const { der, notAfter } = ca.issuer.issue(request.leaf);
  expect(notAfter).toBe(Math.floor((NOW + request.leaf.ttlMs) / 1000) * 1000);
  const ours = new x509.X509Certificate(Uint8Array.from(der));
  const theirs = await byLibrary(ca, request, notAfter);
  expect(tbsOf(ours)).toBe(tbsOf(theirs));
  expect(await ours.verify({ publicKey: ca.keys.publicKey, signatureOnly: true })).toBe(true);
  const openssl = new X509Certificate(der);
  const root = new X509Certificate(ca.certificate.toString('pem'));
  expect(openssl.checkIssued(root) && openssl.verify(root.publicKey)).toBe(true);
  expect(openssl.raw.length).toBe(der.length);
});

test('a leaf ends with its issuer, and says so', async () => {
  const ca = await authority(YEAR);
  const { leaf } = await asked({ ttlMs: 2 * YEAR });
  const { der, notAfter } = ca.issuer.issue(leaf);
  expect(notAfter).toBe(ca.certificate.notAfter.getTime());
  expect(new X509Certificate(der).validToDate.getTime()).toBe(notAfter);
});

function tbsOf(certificate: x509.X509Certificate): string {
  const { tbsCertificateRaw } = AsnConvert.parse(certificate.rawData, Certificate);
  return Buffer.from(tbsCertificateRaw ?? new ArrayBuffer()).toString('hex');
}
