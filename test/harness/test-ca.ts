import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const ALG = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 24 * 3_600_000;

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** `spiffe://ai-cdn/node/<name>` */
  readonly uri?: string;
  readonly dns?: string;
  readonly ip?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface TestCa {
  /** PEM of the CA's certificate. */
  readonly ca: string;
  issue(commonName: string, options?: IssueOptions): Promise<Issued>;
  /** A certificate for a node of the fleet. */
  issueNode(name: string, options?: IssueOptions): Promise<Issued>;
}

/** A little CA for tests: P-256, one day. Issues leaves fit for client and server both. */
export async function createTestCa(commonName = 'test fleet'): Promise<TestCa> {
  x509.cryptoProvider.set(webcrypto as Crypto);
  const keys = (await webcrypto.subtle.generateKey(ALG, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const now = Date.now();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${commonName}`,
    notBefore: new Date(now - 100 * DAY),
    notAfter: new Date(now + DAY),
    signingAlgorithm: ALG,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  let serial = 1;
  const issue = async (name: string, options: IssueOptions = {}): Promise<Issued> => {
    const pair = (await webcrypto.subtle.generateKey(ALG, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    serial += 1;
    const names: x509.JsonGeneralNames = [];
    if (options.uri !== undefined) names.push({ type: 'url', value: options.uri });
    if (options.dns !== undefined) names.push({ type: 'dns', value: options.dns });
    if (options.ip !== undefined) names.push({ type: 'ip', value: options.ip });
    const cert = await x509.X509CertificateGenerator.create({
      serialNumber: serial.toString(16).padStart(2, '0'),
      subject: `CN=${name}`,
      issuer: root.subject,
      notBefore: options.notBefore ?? new Date(now - DAY),
      notAfter: options.notAfter ?? new Date(now + DAY),
      signingAlgorithm: ALG,
      publicKey: pair.publicKey,
      signingKey: keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', pair.privateKey);
    return { cert: cert.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
  };
  return {
    ca: root.toString('pem'),
    issue,
    issueNode: (name, options = {}) => issue(name, { uri: `spiffe://ai-cdn/node/${name}`, ...options }),
  };
}

/** The three files an engine's identity is made of, in a directory of their own. */
export async function writeIdentity(
  ca: TestCa,
  name: string,
): Promise<{ certFile: string; keyFile: string; caFile: string; dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'aicdn-identity-'));
  const files = {
    certFile: join(dir, 'cert.pem'),
    keyFile: join(dir, 'key.pem'),
    caFile: join(dir, 'ca.pem'),
  };
  const { cert, key } = await ca.issueNode(name);
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key, { mode: 0o600 });
  await writeFile(files.caFile, ca.ca);
  return { ...files, dir, remove: () => rm(dir, { recursive: true, force: true }) };
}
