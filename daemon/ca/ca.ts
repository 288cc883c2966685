import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import path from 'node:path';
import { AsnConvert } from '@peculiar/asn1-schema';
import { SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import { pemOfDer } from '../../proto/link/tls.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { Millis } from '../../proto/vocab/ids.ts';
import type { Ca, Clock, Random } from '../service/ports.ts';
import { generateKeys, hostNames, keyOfRequest, nodeNames, selfSigned } from './certificates.ts';
import { readKept, writeKept } from './kept-file.ts';
import { type Issuer, LeafIssuer } from './leaf.ts';
import { CA_FILES } from './rotation.ts';

const CA_NAME = 'AI CDN Tunnel fleet CA';
const CA_TTL_MS = 10 * 365 * 86_400_000;
const SERVER_TTL_MS = 365 * 86_400_000;
/** What every master answers to, whatever its host is called; agents dial with the last one as their target name. */
const ALWAYS = ['localhost', '127.0.0.1', '::1', 'ai-cdn-master'];

export interface ServerCertificate {
  /** Leaf, then the CA. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly notAfter: Millis;
}

export interface FleetCa extends Ca {
  /** Who is trusted, PEM: the one that issues, and while it is being replaced the other one as well. */
  readonly trustedPem: readonly string[];
  /** This start made it: agents of an earlier one will not know it. */
  readonly created: boolean;
  /** For the listener that agents reach: its names and addresses, and those every master has. A year long. */
  issueServer(args: {
    readonly names: readonly string[];
    readonly now: Millis;
    readonly ttlMs?: number;
  }): Promise<ServerCertificate>;
}

/**
 * Loads the fleet's CA from `<dir>/ca.pem` (key and certificate in one file, so that one rename makes both), or makes it.
 * @throws AppError `precondition` when what is there cannot be used: it is never replaced
 */
export async function openCa(
  { dir }: { readonly dir: string },
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<FleetCa> {
  const file = path.join(dir, CA_FILES.current);
  const kept = await readKept(file).catch((cause: Error) => {
    throw unusable(file, cause.message, cause);
  });
  const pem = kept ?? (await makeCa(clock.now(), random));
  if (kept === null)
    await writeKept(file, pem).catch((cause: Error) => {
      throw new AppError(
        'precondition',
        `the fleet's CA cannot be kept in ${file}: ${cause.message}. Give this user the directory, or name another in state_dir.`,
        { cause },
      );
    });
  const current = load(file, pem, clock.now());
  const caDer = current.certificateDer;
  const caPem = pemOf(caDer);
  const issuer = new LeafIssuer(current);
  const others = await beside(dir, caDer, clock.now());

  return {
    created: kept === null,
    pin: createHash('sha256').update(caDer).digest('hex'),
    certificatePem: caPem,
    certificateDer: caDer,
    trustedPem: [caPem, ...others.map(pemOf)],

    async issueNode({ csrDer, name, now, ttlMs }) {
      const serial = serialNumber(random);
      const { der, notAfter } = issuer.issue({
        publicKey: keyOfRequest(csrDer),
        commonName: name,
        names: nodeNames(name),
        uses: 'client-and-server',
        serial,
        now,
        ttlMs,
      });
      return { chainDer: [der, caDer, ...others], serial, notAfter };
    },

    async issueServer({ names, now, ttlMs }) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      const { der, notAfter } = issuer.issue({
        publicKey: AsnConvert.parse(spki, SubjectPublicKeyInfo),
        commonName: 'ai-cdn-master',
        names: hostNames([...names, ...ALWAYS]),
        uses: 'server',
        serial: serialNumber(random),
        now,
        ttlMs: ttlMs ?? SERVER_TTL_MS,
      });
      return {
        certificatePem: `${pemOf(der)}${caPem}`,
        keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        notAfter,
      };
    },
  };
}

/** The one to come and the one that goes, while the fleet's CA is being replaced. One that expired is nobody's. */
async function beside(dir: string, current: Uint8Array, now: Millis): Promise<Uint8Array[]> {
  const out: Uint8Array[] = [];
  for (const name of [CA_FILES.next, CA_FILES.old]) {
    const file = path.join(dir, name);
    const pem = await readKept(file).catch((cause: Error) => {
      throw unusable(file, cause.message, cause);
    });
    if (pem === null) continue;
    const { certificateDer, notAfter } = load(file, pem, 0);
    if (!Buffer.from(certificateDer).equals(current) && notAfter > now) out.push(certificateDer);
  }
  return out;
}

/** A key and its certificate, PEM. @param next its name tells it from the one it comes after */
export async function makeCa(now: Millis, random: Random, next = false): Promise<string> {
  const keys = await generateKeys();
  const serial = serialNumber(random);
  const certificate = await selfSigned({
    keys,
    name: next ? `${CA_NAME} ${serial.slice(0, 8)}` : CA_NAME,
    serial,
    now,
    ttlMs: CA_TTL_MS,
  });
  return `${await privateKeyPem(keys.privateKey)}${certificate.toString('pem')}\n`;
}

function load(file: string, pem: string, now: Millis): Issuer & { readonly notAfter: Millis } {
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
    certificate = new X509Certificate(pem);
  } catch (cause) {
    throw unusable(file, 'it does not hold a key and a certificate', cause);
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw unusable(file, 'its key is none of the curve P-256');
  if (!certificate.checkPrivateKey(key)) throw unusable(file, 'its key is not that of its certificate');
  if (!certificate.ca) throw unusable(file, 'its certificate is not that of an authority');
  const notAfter = certificate.validToDate.getTime();
  if (notAfter <= now) throw unusable(file, `it expired on ${certificate.validToDate.toISOString()}`);
  return { certificateDer: Uint8Array.from(certificate.raw), key, notAfter };
}

function unusable(file: string, why: string, cause?: unknown): AppError {
  return new AppError(
    'precondition',
    `the fleet's CA in ${file} cannot be used: ${why}. Restore the file from a backup; without it every node has to join again.`,
    { cause },
  );
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

function pemOf(der: Uint8Array): string {
  return pemOfDer([der]);
}

/** 128 bits, positive, of full length. */
function serialNumber(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}
