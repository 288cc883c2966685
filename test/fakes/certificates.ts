import 'reflect-metadata';
import { createHash } from 'node:crypto';
import * as x509 from '@peculiar/x509';

// Certificates as a hostile or a careless authority would make them; the real one is daemon/ca.

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CLIENT = '1.3.6.1.5.5.7.3.2';
const SERVER = '1.3.6.1.5.5.7.3.1';

export interface Issued {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly serial: string;
}

export interface TestCa {
  readonly pem: string;
  readonly der: Buffer;
  readonly pin: string;
  issue(args: {
    readonly uri?: string;
    readonly dns?: readonly string[];
    readonly notBefore?: Date;
    readonly notAfter?: Date;
  }): Promise<Issued>;
}

async function pemOfKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END PRIVATE KEY-----\n`;
}

export async function testCa(name = 'CN=ai-cdn fleet CA'): Promise<TestCa> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 400 * 86_400_000),
    notAfter: new Date(Date.now() + 400 * 86_400_000),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const der = Buffer.from(ca.rawData);
  return {
    pem: `${ca.toString('pem')}\n`,
    der,
    pin: createHash('sha256').update(der).digest('hex'),
    async issue({ uri, dns = [], notBefore, notAfter }) {
      const own = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      const names: x509.JsonGeneralNames = dns.map((value) => ({ type: 'dns' as const, value }));
      if (uri) names.push({ type: 'url', value: uri });
      const certificate = await x509.X509CertificateGenerator.create({
        subject: 'CN=test',
        issuer: ca.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        notBefore: notBefore ?? new Date(Date.now() - 60_000),
        notAfter: notAfter ?? new Date(Date.now() + 86_400_000),
        extensions: [
          new x509.ExtendedKeyUsageExtension([CLIENT, SERVER]),
          ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
        ],
      });
      return {
        certificatePem: `${certificate.toString('pem')}\n`,
        keyPem: await pemOfKey(own.privateKey),
        serial: certificate.serialNumber,
      };
    },
  };
}
